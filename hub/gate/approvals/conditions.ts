// What the policy wants of a request before anybody is asked, and again before it goes out: role, hours, presence, signature, no stop in force.
import { peerIn } from '../../access/peer.ts'
import { originOf, type Principal } from '../../bus/principal.ts'
import type { Clock } from '../../clock.ts'
import type { Device, Devices } from '../../devices/devices.ts'
import type { Command } from '../command.ts'
import { needsApproval } from '../hazards.ts'
import { type No, refusal } from '../judge.ts'
import type { PolicySource } from '../policy/file.ts'
import { hoursInWords, isWithin } from '../policy/hours.ts'
import type { Takes } from '../policy/policy.ts'
import type { OpenApproval } from './approval.ts'
import type { Latch } from './latch.ts'
import type { PresenceBook } from './presence.ts'
import type { Signature, Signatures } from './signatures.ts'

/** The policy lets it on; `evidence` says by what. */
export interface Cleared {
  takes: Takes
  policy: string
  evidence: Record<string, unknown>
  signed: boolean
}

export interface ConditionsParts {
  clock: Pick<Clock, 'now'>
  devices: Pick<Devices, 'get' | 'list'>
  policy: PolicySource
  presence: PresenceBook
  signatures: Pick<Signatures, 'judge'>
  latch: Pick<Latch, 'held'>
  /** The safe intents a stop sends to a device. */
  stopIntents: (device: string) => string[]
}

/** Why somebody may not ask for hazards, or approve them, from where they are; undefined for who may. */
export const away = ({ now: { settings, remote } }: Pick<PolicySource, 'now'>, who: Principal): string | undefined => {
  const peer = settings.remote.hazards === 'refuse' ? peerIn(who) : undefined
  return peer && remote(peer)
}

type Found = { ok: true; cleared: Cleared } | { ok: false; no: No }

const MOST_CAMERAS = 4

/** What the cameras of a zone call their newest picture: at the request, and again when it goes out. */
const picturesOf = (devices: Pick<Devices, 'list'>, zone: string | undefined): Record<string, unknown> => {
  if (zone === undefined) return {}
  const here = zone.toLowerCase()
  const cameras = devices
    .list()
    .filter(({ kind, area, online }) => kind === 'camera' && online && area?.toLowerCase() === here)
    .flatMap(({ id, state: { snapshot } }) =>
      typeof snapshot === 'string' ? [{ camera: id, snapshot: snapshot.slice(0, 300) }] : [],
    )
  return cameras.length === 0 ? {} : { snapshots: cameras.slice(0, MOST_CAMERAS) }
}

export const openConditions = ({
  clock,
  devices,
  policy,
  presence,
  signatures,
  latch,
  stopIntents,
}: ConditionsParts) => {
  const takesOf = (device: Device | undefined, intent: string): Takes | undefined =>
    device && policy.now.takes(device, intent)

  const askRefused = (takes: Takes, who: Principal): string | undefined => {
    if (takes.ask === undefined) return undefined
    const own: readonly string[] = who.kind === 'person' ? who.roles : [who.kind]
    return own.some((role) => takes.ask?.includes(role))
      ? undefined
      : `${originOf(who)} may not ask for it: that takes ${takes.ask.join(', ')}`
  }

  const now = (command: Command, who: Principal | undefined): Found & { takes?: Takes } => {
    const { request } = command
    const device = devices.get(request.device)
    const takes = takesOf(device, request.intent)
    if (device === undefined || takes === undefined)
      return { ok: false, no: refusal('device', 404, `'${request.device}' is not there any more.`) }
    const { now: current, closed, wrong } = policy
    const dangerous = needsApproval(takes.hazard)
    const about = dangerous
      ? `'${request.intent}' needs an approval by ${takes.people === 2 ? 'two people' : 'another person'} (${takes.hazard} hazard, ${takes.rule}), but nobody is asked: `
      : `'${request.intent}' (${takes.rule}): `
    const no = (step: string, why: string, http: No['http'] = 403): Found => ({
      ok: false,
      no: refusal(step, http, `${about}${why}.`),
    })
    if (!takes.enabled) return no('policy', 'policy.yaml says that it is not done at all')
    if (closed && dangerous)
      return no('policy', `policy.yaml has an error and there is no policy before it (${wrong ?? 'unreadable'})`)
    const held = latch.held
    if (held !== undefined && (dangerous || stopIntents(request.device).length > 0))
      return no(
        'latch',
        `the shop was stopped by ${held.by} at ${held.at} and is not released yet (POST /api/safety/resume)`,
        409,
      )
    if (who === undefined) return no('rights', `${request.requestedBy} is not known any more`)
    const role = askRefused(takes, who)
    if (role !== undefined) return no('role', role)
    const at = clock.now()
    if (takes.hours !== undefined && !isWithin(takes.hours, at, current.settings.timeZone))
      return no(
        'hours',
        `it is allowed from ${hoursInWords(takes.hours)}${current.settings.timeZone === undefined ? '' : ` (${current.settings.timeZone})`}`,
      )
    const there = presence.judge(
      takes.presence,
      request.requestedBy,
      takes.zone,
      at,
      current.settings.presenceMinutes * 60_000,
    )
    if (!there.ok) return no('presence', `${takes.presence.replaceAll('_', ' ')}: ${there.why}`)
    return {
      ok: true,
      cleared: {
        takes,
        policy: current.version,
        evidence: {
          policy: current.version,
          rule: takes.rule,
          presence: there.evidence,
          approve: takes.approve,
          requesterMayApprove: takes.requesterMayApprove,
          ...(takes.hours === undefined ? {} : { hours: hoursInWords(takes.hours) }),
          ...(takes.ppe.length === 0 ? {} : { ppe: takes.ppe }),
          ...(dangerous ? { state: device.state, ...picturesOf(devices, takes.zone) } : {}),
        },
        signed: false,
      },
    }
  }

  return {
    /** Before anybody is asked. */
    async first(command: Command, who: Principal | undefined, signature: Signature | undefined): Promise<Found> {
      const found = now(command, who)
      if (!found.ok) return found
      const { request } = command
      const outside = needsApproval(found.cleared.takes.hazard) && who !== undefined ? away(policy, who) : undefined
      if (outside !== undefined)
        return {
          ok: false,
          no: refusal('remote', 403, `'${request.intent}' is not taken from outside: ${outside}.`),
        }
      if (!found.cleared.takes.signature && signature === undefined) return found
      const not = (why: string): Found => ({
        ok: false,
        no: refusal('signature', 403, `'${request.intent}' has to be signed: ${why}.`),
      })
      if (signature === undefined) return not('send it to POST /api/safety/hazards with a signature')
      const { device, intent, payload, requestedBy: user } = request
      const judged = await signatures.judge(
        { device, intent, payload, user, zone: found.cleared.takes.zone ?? '' },
        signature,
      )
      if (!judged.ok) return not(judged.why)
      return {
        ok: true,
        cleared: {
          ...found.cleared,
          signed: true,
          evidence: { ...found.cleared.evidence, signature: judged.evidence },
        },
      }
    },
    /** Before it goes out after a yes: all of it again, and whether the yes is enough for the policy that counts now. */
    again(
      command: Command,
      who: Principal | undefined,
      { view, asked }: OpenApproval,
      approvers: readonly { by: string; who: Principal | undefined; may: boolean }[],
    ): Found {
      const found = now(command, who)
      if (!found.ok) return found
      const { takes } = found.cleared
      const no = (why: string): Found => ({
        ok: false,
        no: refusal('approval', 403, `Approved, but not sent: ${why}. Ask again.`),
      })
      for (const { by, who: person, may } of approvers) {
        if (person === undefined || !may) return no(`${by} may not approve any more`)
        if (!takes.approve.some((role) => person.roles.includes(role)))
          return no(`${by} has none of the roles that may approve: ${takes.approve.join(', ')}`)
        if (by === view.requestedBy && !takes.requesterMayApprove)
          return no('the policy was changed, and whoever asked may not be among those who say yes')
      }
      if (new Set(approvers.map(({ by }) => by)).size < takes.people)
        return no(`the policy was changed and takes ${takes.people} people now`)
      if (takes.signature && !asked.signed) return no('the policy was changed and takes a signature now')
      return found
    },
  }
}

export type Conditions = ReturnType<typeof openConditions>
