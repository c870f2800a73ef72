// Commands become service calls: one call for one command, and `done` only when the effect is seen.
import { type Log, type Payload as PayloadOf, reasonOf, Recoverable } from '#hub/plugin'
import type { Session } from './link.ts'
import { type Mirrored, type Target, targetsOf } from './mirror.ts'
import type { EntityState, States } from './states.ts'
import { CallAnswer } from './wire.ts'

export type Command = PayloadOf<'devices/{device}/cmd'>
export type Ack = PayloadOf<'devices/{device}/ack'>

export interface CallsOptions {
  /** How Home Assistant is called in sentences. */
  name: string
  /** Wall-clock ms. */
  now: () => number
  /** For what is fast, in ms; what has a motor has SLOW_MS. */
  deadlineMs: number
  ack: (device: string, ack: Ack) => void
  log: Log
}

/** What is there while a line stands. */
export interface Ground {
  session: Session
  states: States
}

export interface Calls {
  /** Carries a command out; every end of it is an ack. */
  take(command: Command, device: string, mirrored: Mirrored | undefined, ground: Ground | undefined): void
  /** Looks again at what waits for these entities. */
  changed(ids: readonly string[]): void
  /** The line is gone: what waits fails. */
  lost(reason: string): void
}

/** Motors of doors, blinds and locks. */
export const SLOW_MS = 90_000
/** Commands that wait at the same time; more are refused. */
const MOST_OPEN = 64
const REMEMBERED = 1000
const MOST_REASON = 500

/** Event on Home Assistant's bus: `{ id, context, device, intent }` of a command that became a service call. */
const COMMAND_EVENT = 'millrace_command'

interface Called {
  targets: readonly Target[]
  payload: Readonly<Record<string, unknown>>
  /** Empty when the answer named none. */
  context: string
}

interface Waiting {
  ids: ReadonlySet<string>
  look: () => void
  lose: (reason: string) => void
}

const remember = (ids: Set<string>, id: string): void => {
  ids.add(id)
  const [oldest] = ids
  if (ids.size > REMEMBERED && oldest !== undefined) ids.delete(oldest)
}

const clip = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .slice(0, MOST_REASON)
    .replace(/[\uD800-\uDBFF]$/, '')

const shown = (entity: EntityState | undefined, id: string): string =>
  entity === undefined ? `${id} is gone` : `${id} is ${entity.state.slice(0, 60)}`

/** Throws with a sentence when the command cannot become one service call. */
const planned = (command: Command, mirrored: Mirrored | undefined, states: States): [Target, ...Target[]] => {
  if (mirrored === undefined) throw new Recoverable('NOT_FOUND', 'Home Assistant has this device no more.')
  const { entity } = command.payload ?? {}
  const key = typeof entity === 'string' ? entity : undefined
  const [first, ...rest] = targetsOf(mirrored, states, command.intent, key)
  if (first === undefined) {
    throw new Recoverable(
      'NOT_FOUND',
      `Nothing of '${mirrored.name}' can do ${command.intent}${key === undefined ? '' : ` as ${key}`} now.`,
    )
  }
  const { domain, name } = first.verb.service
  if (rest.some(({ verb: { service } }) => service.domain !== domain || service.name !== name)) {
    throw new Recoverable(
      'CONFLICT',
      `Several of '${mirrored.name}' can do ${command.intent} in different ways: name one as entity.`,
    )
  }
  return [first, ...rest]
}

export const openCalls = ({ name, now, deadlineMs, ack, log }: CallsOptions): Calls => {
  const taken = new Set<string>()
  const waiting = new Set<Waiting>()
  let open = 0

  /** A service call carries no foreign id, an event does: so both ids stand on Home Assistant's own bus. */
  const tellThere = (session: Session, event_data: Record<string, string>): void => {
    session
      .ask({ type: 'fire_event', event_type: COMMAND_EVENT, event_data })
      .catch((error: unknown) => log.warn('command-not-told', { command: event_data['id'], error: reasonOf(error) }))
  }

  /** Resolves when the effect is seen; rejects when it failed for good, at the deadline, and when the line goes. */
  const effect = ({ targets, payload, context }: Called, { states, session }: Ground, ms: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        waiting.delete(entry)
        settle()
      }
      const isSeen = (): boolean =>
        targets.every(({ member, entity, verb }) => {
          const current = states.get(member.id)
          return current !== undefined && verb.seen(current, entity, payload)
        })
      /** Somebody who tried and could not says so: there is nothing more to wait for. */
      const stuck = (): string | undefined => {
        for (const { member, entity, verb } of targets) {
          const current = states.get(member.id)
          const isNew = current !== undefined && (current.state !== entity.state || current.context === context)
          if (isNew && verb.stuck.includes(current.state)) return shown(current, member.id)
        }
        return undefined
      }
      const entry: Waiting = {
        ids: new Set(targets.map(({ member }) => member.id)),
        look: () => {
          if (isSeen()) return end(resolve)
          const failure = stuck()
          if (failure !== undefined) end(() => reject(new Recoverable('EXECUTION_ERROR', `${name} tried: ${failure}.`)))
        },
        lose: (reason) =>
          end(() => reject(new Recoverable('UNAVAILABLE', `${name} went away before the effect was seen: ${reason}`))),
      }
      const timer = setTimeout(() => {
        const seen = targets.map(({ member }) => shown(states.get(member.id), member.id)).join(', ')
        end(() =>
          reject(new Recoverable('EXECUTION_ERROR', `${name} said yes, but the effect was not seen in time: ${seen}.`)),
        )
      }, ms)
      waiting.add(entry)
      if (session.signal.aborted) entry.lose('the line is down')
      else entry.look()
    })

  const carryOut = async (
    command: Command,
    device: string,
    targets: [Target, ...Target[]],
    { session, states }: Ground,
  ): Promise<string> => {
    const [{ verb }] = targets
    const payload = command.payload ?? {}
    const limitMs = verb.slow ? SLOW_MS : deadlineMs
    const began = performance.now()
    const entities = targets.map(({ member }) => member.id)
    const { domain, name: service } = verb.service
    const answer = await session.ask(
      {
        type: 'call_service',
        domain,
        service,
        service_data: verb.data(payload),
        target: { entity_id: entities },
        return_response: false,
      },
      limitMs,
    )
    const called = CallAnswer.safeParse(answer)
    const context = called.success ? called.data.context.id : ''
    log.info('service-called', { command: command.id, context, service: `${domain}.${service}`, entities, device })
    tellThere(session, { id: command.id, context, device, intent: command.intent })
    const left = Math.max(1, limitMs - (performance.now() - began))
    await effect({ targets, payload, context }, { states, session }, left)
    const ours = targets.every(({ member }) => context !== '' && states.get(member.id)?.context === context)
    const seen = targets.map(({ member }) => shown(states.get(member.id), member.id)).join(', ')
    return `${seen} (${domain}.${service}, context ${context || 'unknown'}${ours ? '' : '; it was so already or by another’s change'})`
  }

  return {
    take(command, device, mirrored, ground) {
      const say = (status: Ack['status'], more: Partial<Ack> = {}): void =>
        ack(device, { id: command.id, status, ...more })
      if (taken.has(command.id)) return
      remember(taken, command.id)
      const fail = (error: unknown): void => say('failed', { reason: clip(reasonOf(error)) })
      if (Date.parse(command.expiresAt) <= now()) return fail('it came after it had expired')
      if (ground === undefined || ground.session.signal.aborted) return fail(`${name} cannot be reached`)
      if (open >= MOST_OPEN) return fail(`${MOST_OPEN} commands wait for ${name} already`)
      let targets: [Target, ...Target[]]
      try {
        targets = planned(command, mirrored, ground.states)
      } catch (error) {
        return fail(error)
      }
      open++
      const limitMs = targets[0].verb.slow ? SLOW_MS : deadlineMs
      say('accepted', { within: limitMs + 2000 })
      carryOut(command, device, targets, ground)
        .then((seen) => say('done', { reason: clip(seen) }), fail)
        .finally(() => {
          open--
        })
        .catch((error: unknown) => log.error('ack-failed', { command: command.id, error: reasonOf(error) }))
    },
    changed(ids) {
      if (waiting.size === 0) return
      for (const entry of [...waiting]) if (ids.some((id) => entry.ids.has(id))) entry.look()
    },
    lost(reason) {
      for (const entry of [...waiting]) entry.lose(reason)
    },
  }
}
