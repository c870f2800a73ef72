// One simulated device as its hub sees it: says what it is, samples the room, carries out commands. Knows the topics, not the wire.
import { z } from 'zod'
import { type Fault, Simulate, simulateSchema } from './faults.ts'
import type { Intent, Machine, Values } from './machine.ts'
import type { Random } from './random.ts'
import type { Room } from './room.ts'

export type Leaf = 'about' | 'online' | 'state' | 'telemetry' | 'event' | 'ack'

/** The device's line to its hub. What is sent while it is down is gone, as on a real device. */
export interface Line {
  send(leaf: Leaf, payload: string): void
  /** Drops the connection without a goodbye, and stays away until `restore`. */
  cut(): void
  restore(): void
}

/** The room all devices share. */
export interface RoomCell {
  get(): Room
  set(room: Room): void
}

/** All times are ms since 1970. Nothing happens between calls: no timers. */
export interface Device {
  /** The line came up: says who it is and how it is. */
  connected(now: number): void
  /** A command as it came from the wire. */
  heard(payload: Uint8Array, now: number): void
  /** Samples, finishes commands, ends faults: whatever is due. */
  tick(now: number): void
}

const SEEN = 200
const AT_ONCE = 8
const FAULT_S = 30
const SLOWER_MS = 20_000
/** So that the acknowledgement of the wish to go offline still leaves. */
const LAST_WORDS_MS = 300
const STATE_EVERY_MS = 1000
/** Beyond this a hub would give up waiting unless told. */
const PATIENCE_MS = 4000

const Command = z.looseObject({
  id: z.string().min(1).max(128),
  intent: z.string().min(1).max(65),
  payload: z.record(z.string(), z.unknown()).optional(),
  expiresAt: z.iso.datetime({ offset: true }),
})
type Command = z.output<typeof Command>

const parsed = (payload: Uint8Array): Command | undefined => {
  try {
    return Command.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))).data
  } catch {
    return undefined
  }
}

const aboutOf = ({ about, intents, safe, scene }: Machine): Values => ({
  ...about,
  intents: {
    ...Object.fromEntries(Object.entries(intents).map(([name, { schema }]) => [name, schema])),
    simulate: simulateSchema(scene.tells, scene.seconds),
  },
  ...(safe ? { safe } : {}),
  via: 'workshop simulator',
})

const spiked = (sample: Values): Values =>
  Object.fromEntries(
    Object.entries(sample).map(([name, value]) => [name, typeof value === 'number' ? value * 20 : value]),
  )

const GARBAGE = ['{"dust":', '[1,2,3]', '"\\u0000"', 'null', '{}}', 'NaN'] as const

interface Work {
  id: string
  intent: Intent
  payload: Values
  isSafe: boolean
  due: number
}

/** A device on its line. `random` decides how long things take and how samples scatter. */
export const device = (machine: Machine, line: Line, room: RoomCell, random: Random): Device => {
  const seen = new Set<string>()
  let work: Work[] = []
  let fault: { kind: Fault; until: number } | undefined
  let cutAt: number | undefined
  let nextSample = 0
  /** The state as last published on this connection. */
  let shown: { values: Values; json: string; at: number } | undefined
  let lastSample: Values | undefined
  let garbled = 0

  const ack = (
    id: string,
    status: 'accepted' | 'done' | 'failed',
    more: { reason?: string; within?: number } = {},
  ): void => {
    line.send('ack', JSON.stringify({ id, status, ...more }))
  }

  const garbage = (): string => GARBAGE[garbled++ % GARBAGE.length] ?? ''

  const showState = (now: number, atOnce: boolean): void => {
    if (fault?.kind === 'silence' || fault?.kind === 'stuck') return
    const values = machine.state(room.get())
    const state = JSON.stringify(values)
    if (state === shown?.json || (!atOnce && now - (shown?.at ?? 0) < STATE_EVERY_MS)) return
    const event = shown ? machine.event?.(shown.values, values) : undefined
    shown = { values, json: state, at: now }
    line.send('state', fault?.kind === 'garbage' ? garbage() : state)
    if (event !== undefined) line.send('event', JSON.stringify(typeof event === 'string' ? { type: event } : event))
  }

  const sample = (now: number): void => {
    if (now < nextSample) return
    nextSample = now + machine.every * 1000
    if (fault?.kind === 'silence') return
    const fresh = machine.telemetry(room.get(), random)
    const told = fault?.kind === 'stuck' && lastSample ? lastSample : fault?.kind === 'spike' ? spiked(fresh) : fresh
    lastSample = told
    line.send('telemetry', fault?.kind === 'garbage' ? garbage() : JSON.stringify(told))
  }

  const endFault = (now: number): void => {
    const ended = fault?.kind
    fault = undefined
    cutAt = undefined
    if (ended === 'offline') line.restore()
    if (ended === 'garbage') shown = undefined
    nextSample = now
  }

  const simulate = ({ id, payload }: Command, now: number): void => {
    const wish = Simulate.safeParse(payload ?? {})
    if (!wish.success) {
      ack(id, 'failed', { reason: `payload: ${wish.error.issues[0]?.message ?? 'does not fit'}` })
      return
    }
    const { fault: kind, seconds } = wish.data
    ack(id, 'accepted')
    if (fault) endFault(now)
    if (kind === undefined) room.set(machine.scene.act(room.get(), seconds ?? machine.scene.seconds))
    ack(id, 'done')
    if (kind === undefined || kind === 'none') return
    fault = { kind, until: now + (seconds ?? FAULT_S) * 1000 }
    if (kind === 'offline') cutAt = now + LAST_WORDS_MS
    nextSample = now
  }

  const remember = (id: string): void => {
    seen.add(id)
    for (const oldest of seen) {
      if (seen.size <= SEEN) break
      seen.delete(oldest)
    }
  }

  /** A safe intent overtakes what was begun: otherwise a slow start would follow the stop. */
  const giveUp = (because: string): void => {
    for (const { id, isSafe } of work) if (!isSafe) ack(id, 'failed', { reason: `overtaken by ${because}` })
    work = work.filter(({ isSafe }) => isSafe).slice(-AT_ONCE)
  }

  const heard = (bytes: Uint8Array, now: number): void => {
    const command = parsed(bytes)
    if (!command || seen.has(command.id) || Date.parse(command.expiresAt) <= now) return
    remember(command.id)
    if (command.intent === 'simulate') {
      simulate(command, now)
      return
    }
    if (fault?.kind === 'deaf') return
    const { id, payload = {} } = command
    const known = Object.hasOwn(machine.intents, command.intent) ? machine.intents[command.intent] : undefined
    if (!known) {
      ack(id, 'failed', { reason: `${machine.id} cannot ${command.intent}` })
      return
    }
    const isSafe = machine.safe?.includes(command.intent) ?? false
    if (isSafe) giveUp(command.intent)
    else if (work.length >= AT_ONCE) {
      ack(id, 'failed', { reason: `busy with ${AT_ONCE} commands` })
      return
    }
    const takes = random.between(...known.takes) * 1000 + (fault?.kind === 'slow' ? SLOWER_MS : 0)
    ack(id, 'accepted', takes > PATIENCE_MS ? { within: Math.ceil(takes + PATIENCE_MS) } : {})
    work.push({ id, intent: known, payload, isSafe, due: now + takes })
  }

  const finish = ({ id, intent, payload }: Work, now: number): void => {
    if (fault?.kind === 'refuse') {
      ack(id, 'failed', { reason: 'a simulated fault: it refuses' })
      return
    }
    const outcome = intent.act(room.get(), payload)
    if (typeof outcome === 'string') {
      ack(id, 'failed', { reason: outcome })
      return
    }
    room.set(outcome)
    showState(now, true)
    ack(id, 'done')
  }

  return {
    connected: (now) => {
      line.send('about', JSON.stringify(aboutOf(machine)))
      line.send('online', 'true')
      shown = undefined
      nextSample = now
      showState(now, true)
    },
    heard,
    tick: (now) => {
      if (fault && now >= fault.until) endFault(now)
      if (cutAt !== undefined && now >= cutAt) {
        cutAt = undefined
        line.cut()
      }
      const due = work.filter((item) => item.due <= now)
      work = work.filter((item) => item.due > now)
      for (const item of due) finish(item, now)
      showState(now, false)
      sample(now)
    },
  }
}
