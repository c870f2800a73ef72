// Announces the hub's devices to Home Assistant, keeps the records true, and says them again when Home Assistant is born.
import { randomBytes } from 'node:crypto'
import { Observable } from 'rxjs'
import { z } from 'zod'
import { type Capabilities, type Device, type Log, reasonOf } from '#hub/plugin'
import { type Form, formFor, type Kind, type Kinds, learn, nodeOf, type Place, recordsOf } from './records.ts'
import type { Settings } from './settings.ts'

export interface AnnounceOptions {
  settings: Settings['export']
  /** Owner whose devices came from Home Assistant and do not go back there. */
  self: string
  prefix: string
  devices: Pick<Capabilities['devices'], 'list'>
  memory: Pick<Capabilities['memory'], 'get' | 'set'>
  native: Pick<Capabilities['native'], 'hear' | 'fact'>
  /** Version of Home Assistant; undefined while it is not known. */
  version: () => string | undefined
  now: () => number
  log: Log
  odd: (type: string, what: string) => void
  /** Shortened by tests. */
  lookMs?: number
  jitterMs?: number
  againMs?: number
}

const LOOK_MS = 2000
/** After a birth, so that not everything on a bus speaks in the same moment. */
const JITTER_MS = 2000
/** Births closer together than this are one. */
const AGAIN_MS = 30_000
/** Records said in one turn. */
const MOST_A_TURN = 100

const Kept = z.looseObject({ hub: z.string().regex(/^[0-9a-f]{8}$/) })

/** The name of this hub in the records, made once. */
const hubName = async (memory: AnnounceOptions['memory']): Promise<string> => {
  const kept = await memory.get('hub', Kept)
  if (kept !== undefined) return kept.hub
  const hub = randomBytes(4).toString('hex')
  await memory.set('hub', { hub })
  return hub
}

/** Runs until unsubscribed; emits nothing. The records stay: they are retained, and the broker's end is their unavailability. */
export const announce = (options: AnnounceOptions): Observable<never> =>
  new Observable((out) => {
    const { settings, self, devices, memory, native, now, log, odd } = options
    const { lookMs = LOOK_MS, jitterMs = JITTER_MS, againMs = AGAIN_MS } = options
    const kinds = new Map<string, Kinds>()
    /** What stands on the broker under our names, as far as we know: empty for what somebody else wrote there. */
    const standing = new Map<string, string>()
    const queue = new Map<string, string>()
    const ends: (() => void)[] = []
    let place: Place | undefined
    let turning: NodeJS.Timeout | undefined
    let birth: NodeJS.Timeout | undefined
    let saidAgainAt = -Infinity
    let closed = false

    const isExported = ({ id, owner }: Device): boolean =>
      owner !== self &&
      !settings.owners.includes(owner) &&
      !settings.exclude.includes(id) &&
      (settings.devices.length === 0 || settings.devices.includes(id))

    const turn = (): void => {
      turning = undefined
      let left = MOST_A_TURN
      for (const [topic, payload] of queue) {
        queue.delete(topic)
        try {
          native.fact({ topic, payload, retain: true })
          if (payload === '') standing.delete(topic)
          else standing.set(topic, payload)
        } catch (error) {
          odd('NotAnnounced', `${topic} could not be announced: ${reasonOf(error)}`)
        }
        if (--left === 0) break
      }
      if (queue.size > 0) turning ??= setTimeout(turn, 0)
    }
    const say = (topic: string, payload: string): void => {
      queue.set(topic, payload)
      turning ??= setTimeout(turn, 0)
    }

    const look = (isAgain = false): void => {
      if (place === undefined) return
      const form: Form = settings.form === 'auto' ? formFor(options.version()) : settings.form
      const wanted = new Map<string, string>()
      const there = new Set<string>()
      for (const device of devices.list()) {
        if (!isExported(device)) continue
        there.add(device.id)
        const known = kinds.get(device.id) ?? new Map<string, Kind>()
        kinds.set(device.id, known)
        learn(known, device.state)
        for (const [topic, record] of recordsOf(device, known, form, place)) wanted.set(topic, record)
      }
      for (const id of kinds.keys()) if (!there.has(id)) kinds.delete(id)
      for (const topic of standing.keys()) if (!wanted.has(topic)) say(topic, '')
      for (const [topic, record] of wanted) if (isAgain || standing.get(topic) !== record) say(topic, record)
    }

    const born = (): void => {
      if (birth !== undefined) return
      const wait = Math.max(Math.random() * jitterMs, saidAgainAt + againMs - now())
      birth = setTimeout(() => {
        birth = undefined
        saidAgainAt = now()
        log.info('announced-again', { records: standing.size })
        look(true)
      }, wait)
    }

    const begin = async (): Promise<void> => {
      const hub = await hubName(memory)
      if (closed) return
      place = { hub, prefix: options.prefix, discovery: settings.topic }
      const ours = `/${nodeOf(place, '')}`
      for (const filter of [`${settings.topic}/+/+/config`, `${settings.topic}/+/+/+/config`]) {
        const heard = native.hear(filter).subscribe(({ topic, payload, origin }) => {
          // What an earlier run said, or somebody else under our names: said anew, or taken back, at the next look.
          if (!topic.includes(ours) || (origin === self && standing.has(topic))) return
          if (payload.length > 0) standing.set(topic, payload.toString('utf8'))
          else standing.delete(topic)
        })
        ends.push(() => heard.unsubscribe())
      }
      const births = native.hear(`${settings.topic}/status`).subscribe(({ payload, retained }) => {
        if (!retained && payload.toString('utf8') === 'online') born()
      })
      const timer = setInterval(look, lookMs)
      ends.push(
        () => births.unsubscribe(),
        () => clearInterval(timer),
      )
      look()
    }
    begin().catch((error: unknown) => out.error(error))

    return () => {
      closed = true
      for (const end of ends) end()
      clearTimeout(turning)
      clearTimeout(birth)
    }
  })
