// The gate's commands to one device: sent once, and answered once, when the device shows it, cannot, or is silent for too long.
import { type Message, message, type Native, type Payload, reasonOf } from '#hub/plugin'
import { line } from './announcement.ts'
import { chosen, type Offer } from './intents.ts'

type Command = Payload<'devices/{device}/cmd'>

export interface CommandsParts {
  /** The device. */
  id: string
  /** Wall-clock ms. */
  now(): number
  say(message: Message<'devices/{device}/ack'>): void
  command: Native['command']
  /** ms a command may take to show. */
  patience: number
  /** Asks to be called by `due` until nothing is open. */
  wake(): void
  /** What a component is now. */
  valueOf(component: string): unknown
}

export interface Commands {
  obey(command: Command, offers: readonly Offer[] | undefined): void
  /** A component said how it is: commands that waited for this are done. */
  settled(component: string, value: unknown): void
  /** Fails those that wait for a component that is gone. */
  keep(has: (component: string) => boolean): void
  due(at: number): void
  /** Fails all. */
  end(why: string): void
  readonly size: number
}

interface Open {
  id: string
  left: Map<string, (value: unknown) => boolean>
  /** Components that were already as wished when it was asked. */
  before: boolean
  soon: number
  deadline: number
  seconds: number
}

const SEEN = 500
const AT_ONCE = 32
const ALREADY_MS = 1500
const ACCEPTED_MS = 50_000

export const openCommands = (parts: CommandsParts): Commands => {
  const { id, now, say, patience, valueOf } = parts
  const params = { device: id }
  const seen = new Set<string>()
  const open = new Map<string, Open>()

  const ack = (
    command: string,
    status: 'accepted' | 'done' | 'failed',
    more: { reason?: string; within?: number } = {},
  ): void => say(message('devices/{device}/ack', params, { id: command, status, ...more }))
  const fail = (command: string, reason: string): void => ack(command, 'failed', { reason: line(reason, 480) ?? '' })

  const close = (one: Open, status: 'done' | 'failed', reason?: string): void => {
    open.delete(one.id)
    if (status === 'failed') fail(one.id, reason ?? '')
    else ack(one.id, 'done', reason === undefined ? {} : { reason })
  }

  return {
    get size() {
      return open.size
    },

    settled(component, value) {
      for (const one of [...open.values()]) {
        if (one.left.get(component)?.(value) !== true) continue
        one.left.delete(component)
        if (one.left.size === 0) close(one, 'done')
      }
    },

    keep(has) {
      for (const one of [...open.values()])
        if ([...one.left.keys()].some((key) => !has(key))) close(one, 'failed', 'its component is gone')
    },

    obey(command, offered) {
      if (seen.has(command.id) || Date.parse(command.expiresAt) <= now()) return
      seen.add(command.id)
      const [oldest] = seen
      if (seen.size > SEEN && oldest !== undefined) seen.delete(oldest)
      if (offered === undefined) return fail(command.id, `'${id}' cannot ${command.intent}`)
      const meant = chosen(offered, command.payload ?? {})
      if (typeof meant === 'string') return fail(command.id, meant)
      const isSafe = meant.offers.every(({ action }) => action.isSafe === true)
      const keys = new Set(meant.offers.map(({ entity }) => entity))
      if (isSafe) {
        for (const one of [...open.values()])
          if ([...one.left.keys()].some((key) => keys.has(key))) close(one, 'failed', `overtaken by ${command.intent}`)
      } else if (open.size >= AT_ONCE) return fail(command.id, `busy with ${AT_ONCE} commands`)

      const deeds = meant.offers.map(({ entity, action }) => ({
        entity,
        deed: action.deed(meant.rest, valueOf(entity)),
      }))
      for (const { deed } of deeds) if (typeof deed === 'string') return fail(command.id, deed)
      const ready = deeds.flatMap(({ entity, deed }) => (typeof deed === 'string' ? [] : [{ entity, deed }]))
      const takes = Math.max(patience, ...ready.map(({ deed }) => deed.within ?? 0))
      ack(command.id, 'accepted', takes > ACCEPTED_MS ? { within: takes + 10_000 } : {})
      const left = new Map(
        ready.flatMap(({ entity, deed }): [string, (value: unknown) => boolean][] =>
          deed.shows === undefined ? [] : [[entity, deed.shows]],
        ),
      )
      const one: Open = {
        id: command.id,
        left,
        before: [...left].every(([key, shows]) => shows(valueOf(key))),
        soon: now() + ALREADY_MS,
        deadline: now() + takes,
        seconds: Math.round(takes / 1000),
      }
      try {
        for (const { deed } of ready)
          for (const { topic, payload } of deed.sends) parts.command({ topic, payload, answers: command.id })
      } catch (error) {
        return fail(command.id, reasonOf(error))
      }
      if (left.size === 0)
        return ack(command.id, 'done', { reason: 'sent; the device has no topic that would show what came of it' })
      open.set(command.id, one)
      parts.wake()
    },

    due(at) {
      for (const one of [...open.values()]) {
        const isSo = [...one.left].every(([key, shows]) => shows(valueOf(key)))
        if (one.before && isSo && at >= one.soon) close(one, 'done', 'sent; it was so already')
        else if (at >= one.deadline)
          close(
            one,
            'failed',
            `'${id}' did not show it within ${one.seconds} s. It may or may not have acted: look at the device.`,
          )
      }
    },

    end(why) {
      for (const one of [...open.values()]) close(one, 'failed', why)
    },
  }
}
