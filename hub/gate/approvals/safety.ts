// What people do about safety besides asking: answer approvals, release the shop after a stop, keep signing keys, look at the policy.
import type { Access } from '../../access/access.ts'
import { peerIn } from '../../access/peer.ts'
import { originOf, type Principal } from '../../bus/principal.ts'
import type { Devices } from '../../devices/devices.ts'
import { Forbidden } from '../../errors.ts'
import type { Desk } from '../desk.ts'
import type { PolicySource } from '../policy/file.ts'
import type { ApprovalView } from './approval.ts'
import type { Answered, Decision } from './book.ts'
import { type IntentTakes, intentsOf } from './intents.ts'
import type { Latched } from './latch.ts'
import type { Approvals } from './open.ts'
import type { Listed } from './records.ts'
import type { Algorithm, SigningKey } from './signatures.ts'

export interface Safety {
  status(): {
    latched?: Latched
    policy: { version: string; file: string; closed: boolean; wrong?: string }
    approvals: number
  }
  /** Open ones, or with `all` every one, newest first; `before` in ms since 1970. */
  approvals(query: { all?: boolean; limit?: number; before?: number | undefined }): Promise<Listed[]>
  /** Open or ended; undefined for one nobody asked. */
  approval(id: string): Promise<Listed | undefined>
  /** Throws why an answer does not count: Forbidden, NOT_FOUND, CONFLICT (another digest), GONE (ended). */
  answer(who: Principal, decision: Decision): Promise<Answered>
  /** The requester takes the question back. */
  takeBack(who: Principal, approval: string): Promise<ApprovalView>
  /** Releases the shop after a stop, or asks a second person for it. */
  resume(who: Principal, reason: string): Promise<{ released: boolean; approval?: ApprovalView }>
  /** Whether somebody counts as not in the building. */
  remote(who: Principal): { remote: boolean; address: string; why?: string; hazards: 'refuse' | 'allow' }
  /** What each intent of each device takes, or of one device; in the order of their names. */
  intents(device?: string): IntentTakes[]
  keys(who: Principal, device?: string): Promise<SigningKey[]>
  /** A new signing key of one's own, or of a device. `secret` is given this once, for HMAC only. */
  addKey(
    who: Principal,
    wish: { algorithm: Algorithm; publicKey?: string; device?: string },
  ): Promise<SigningKey & { secret?: string }>
  removeKey(who: Principal, id: string): Promise<void>
}

export const safetyOf = ({
  devices,
  approvals,
  policy,
  access,
  desk,
}: {
  devices: Pick<Devices, 'list'>
  approvals: Approvals
  policy: PolicySource
  access: Pick<Access, 'may'>
  desk: Pick<Desk, 'note'>
}): Safety => {
  const { book, signatures, latch } = approvals
  const ownerOf = (who: Principal, device: string | undefined): string => {
    if (device === undefined) return originOf(who)
    const may = access.may(who, 'devices.manage')
    if (!may.ok) throw new Forbidden(may.reason, { right: 'devices.manage' })
    return `device:${device}`
  }
  return {
    status: () => ({
      ...(latch.held === undefined ? {} : { latched: latch.held }),
      policy: {
        version: policy.now.version,
        file: policy.file,
        closed: policy.closed,
        ...(policy.wrong === undefined ? {} : { wrong: policy.wrong }),
      },
      approvals: book.open,
    }),
    approvals: (query) => book.list(query),
    approval: (id) => book.one(id),
    answer: (who, decision) => approvals.answer(who, decision),
    takeBack: (who, id) => book.takeBack(who, id),
    resume: (who, reason) => approvals.resume(who, reason),
    remote(who) {
      const peer = peerIn(who)
      const why = peer && policy.now.remote(peer)
      return {
        remote: why !== undefined,
        address: peer?.address ?? '',
        ...(why === undefined ? {} : { why }),
        hazards: policy.now.settings.remote.hazards,
      }
    },
    intents: (only) => intentsOf(devices.list(), policy.now, only),
    keys: async (who, device) => signatures.keys(ownerOf(who, device)),
    async addKey(who, { device, ...wish }) {
      const key = await signatures.add(ownerOf(who, device), wish)
      desk.note('signing-key.made', key.id, originOf(who), { owner: key.owner, algorithm: key.algorithm })
      return key
    },
    async removeKey(who, id) {
      const owner = await signatures.ownerOf(id)
      const own = owner?.startsWith('device:') === true ? ownerOf(who, owner.slice('device:'.length)) : originOf(who)
      await signatures.remove(own, id)
      desk.note('signing-key.removed', id, originOf(who), { owner: own })
    },
  }
}
