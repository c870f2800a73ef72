// The release of the shop after a stop: asked for by somebody with the role, confirmed by two, and void after another stop.
import { randomUUID } from 'node:crypto'
import type { Verdict } from '../../broker/broker.ts'
import { originOf, type Principal } from '../../bus/principal.ts'
import type { Clock } from '../../clock.ts'
import { Forbidden, Recoverable } from '../../errors.ts'
import { digestOf } from '../canonical.ts'
import type { Desk } from '../desk.ts'
import type { PolicySource } from '../policy/file.ts'
import type { OpenApproval } from './approval.ts'
import type { Book } from './book.ts'
import { away } from './conditions.ts'
import type { Latch } from './latch.ts'

const HUB = 'hub'
const RESUME = 'safety.resume'

export interface ReleaseParts {
  clock: Pick<Clock, 'now'>
  policy: PolicySource
  latch: Latch
  desk: Pick<Desk, 'note'>
  principalOf: (origin: string) => Principal | undefined
  mayApprove: (who: Principal) => Verdict
  announce: (type: string, by: string, more: Record<string, unknown>) => void
  /** Given when it is open: it carries out through here. */
  book: () => Pick<Book, 'ask'>
}

export const openReleases = ({
  clock,
  policy,
  latch,
  desk,
  principalOf,
  mayApprove,
  announce,
  book,
}: ReleaseParts) => ({
  /** After the last yes. */
  async carryOut(approval: OpenApproval, by: string): Promise<Record<string, unknown>> {
    const { held } = latch
    const roles = policy.now.settings.resume.roles
    const wrong =
      held === undefined || held.at !== approval.view.payload['at']
        ? 'the shop was stopped again meanwhile, or is released already'
        : approval.view.given.some(({ by: one }) => {
              const who = principalOf(one)
              return who === undefined || !mayApprove(who).ok || !roles.some((role) => who.roles.includes(role))
            })
          ? 'one of those who said yes may not any more'
          : undefined
    if (wrong !== undefined) {
      desk.note('latch.kept', approval.view.commandId, by, { approval: approval.view.id, why: wrong })
      return { released: false, reason: wrong }
    }
    await latch.release()
    desk.note('latch.released', approval.view.commandId, by, {
      approval: approval.view.id,
      given: approval.view.given,
      stop: held,
      policy: policy.now.version,
    })
    announce('latch.released', by, { stop: held })
    return { released: true }
  },

  /** Releases at once, or asks two people. Throws Forbidden, CONFLICT, UNAVAILABLE. */
  async ask(who: Principal, reason: string): Promise<{ released: boolean; approval?: OpenApproval['view'] }> {
    const by = originOf(who)
    const { held } = latch
    const { roles, dual } = policy.now.settings.resume
    if (who.kind !== 'person' || !mayApprove(who).ok || !roles.some((role) => who.roles.includes(role))) {
      desk.note('refused.resume', '', by, { why: 'role', takes: roles }, HUB, RESUME, 'role')
      throw new Forbidden(`Releasing the shop takes one of the roles: ${roles.join(', ')}.`)
    }
    const outside = away(policy, who)
    if (outside !== undefined) {
      desk.note('refused.resume', '', by, { why: 'remote' }, HUB, RESUME, 'remote')
      throw new Forbidden(`The shop is not released from outside: ${outside}.`)
    }
    if (held === undefined) throw new Recoverable('CONFLICT', 'The shop is not stopped: there is nothing to release.')
    if (!dual) {
      await latch.release()
      desk.note('latch.released', '', by, { stop: held, reason, policy: policy.now.version })
      announce('latch.released', by, { stop: held })
      return { released: true }
    }
    const payload = { stop: held.stop, at: held.at }
    const asked = await book().ask({
      about: 'resume',
      request: {
        id: `resume-${randomUUID()}`,
        device: HUB,
        intent: RESUME,
        payload,
        requestedBy: by,
        ...(reason === '' ? {} : { reason }),
        digest: digestOf(HUB, RESUME, payload),
      },
      effect: `Releases the shop after the stop by ${held.by} at ${held.at}: machines can be asked for again. Nothing starts by itself.`,
      takes: {
        hazard: 'high',
        approve: roles,
        requesterMayApprove: true,
        people: 2,
        phrase: policy.now.settings.phrase,
      },
      policy: policy.now.version,
      evidence: { policy: policy.now.version, stop: held, approve: roles, requesterMayApprove: true },
      signed: false,
      expiresAt: clock.now() + policy.now.settings.approvalSeconds * 1000,
    })
    if (!asked.ok) throw new Recoverable(asked.http === 503 ? 'UNAVAILABLE' : 'CONFLICT', asked.why)
    return { released: false, approval: asked.view }
  },
})
