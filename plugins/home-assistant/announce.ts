// Announces the hub's devices to Home Assistant, keeps the records true, and says them again when Home Assistant is born.
import { randomBytes } from 'node:crypto'
import { Observable } from 'rxjs'
import { z } from 'zod'
import { type Capabilities, type Device, type Log, reasonOf } from '#hub/plugin'
import { type Form, type Kind, type Kinds, learn, nodeOf, type Place, recordsOf } from './records.ts'
import type { Settings } from './settings.ts'

export interface AnnounceOptions {
  settings: Settings['export']
  /** Owner whose devices came from Home Assistant and do not go back there. */
  self: string
  prefix: string
  devices: Pick<Capabilities['devices'], 'list'>
  memory: Pick<Capabilities['memory'], 'get' | 'set'>
  native: Pick<Capabilities['native'], 'hear' | 'fact'>
  /** The form that suits the servers by their versions; undefined while these are not known. */
  suits: () => Form | undefined
  now: () => number
  log: Log
  odd: (type: string, what: string) => void
  /** Shortened by tests. */
  lookMs?: number
  jitterMs?: number
  againMs?: number
  patienceMs?: number
  movingMs?: number
}

const LOOK_MS = 2000
/** After a birth, so that not everything on a bus speaks in the same moment. */
const JITTER_MS = 2000
/** Births closer together than this are one. */
const AGAIN_MS = 30_000
/** How long a server that is asked for the first time may take to tell its version. */
const PATIENCE_MS = 30_000
/** Records said in one turn. */
const MOST_A_TURN = 100
/** Says that a record comes back in the other form: Home Assistant then keeps what people set for its entities. Known since 2024.11. */
const MOVING = JSON.stringify({ migrate_discovery: true })
/** It stays so long, because Home Assistant connects again only ten seconds after a broken line. */
const MOVING_MS = 20_000

const Kept = z.looseObject({
  /** The name of this hub in the records, made once. */
  hub: z.string().regex(/^[0-9a-f]{8}$/),
  /** The form that suited last. */
  form: z.enum(['single', 'device']).optional(),
})

const readKept = async (memory: AnnounceOptions['memory']): Promise<z.output<typeof Kept>> => {
  const kept = await memory.get('hub', Kept)
  if (kept !== undefined) return kept
  const made = { hub: randomBytes(4).toString('hex') }
  await memory.set('hub', made)
  return made
}

/** The device of a record and its form: `<discovery>/device/<node>/config` or `<discovery>/<platform>/<node>/<key>/config`. */
const partsOf = (topic: string): { node: string; form: Form } => {
  const levels = topic.split('/')
  return { node: levels[2] ?? '', form: levels.length === 4 ? 'device' : 'single' }
}

/** Runs until unsubscribed; emits nothing. The records stay: they are retained, and the broker's end is their unavailability. */
export const announce = (options: AnnounceOptions): Observable<never> =>
  new Observable((out) => {
    const { settings, self, devices, memory, native, now, log, odd } = options
    const {
      lookMs = LOOK_MS,
      jitterMs = JITTER_MS,
      againMs = AGAIN_MS,
      patienceMs = PATIENCE_MS,
      movingMs = MOVING_MS,
    } = options
    const patientUntil = now() + patienceMs
    const kinds = new Map<string, Kinds>()
    /** What stands on the broker under our names, as far as we know: empty for what somebody else wrote there. */
    const standing = new Map<string, string>()
    const queue = new Map<string, string>()
    const movingSince = new Map<string, number>()
    const ends: (() => void)[] = []
    let place: Place | undefined
    let lastForm: Form | undefined
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

    /** A form is not changed for a server that is away: that would take everything back and announce it anew. */
    const formNow = (hub: string): Form | undefined => {
      if (settings.form !== 'auto') return settings.form
      const suits = options.suits()
      if (suits === undefined) return lastForm ?? (now() < patientUntil ? undefined : 'single')
      if (suits !== lastForm) {
        lastForm = suits
        memory.set('hub', { hub, form: suits }).catch((error: unknown) => odd('FormNotKept', reasonOf(error)))
      }
      return suits
    }

    const look = (isAgain = false): void => {
      const form = place === undefined ? undefined : formNow(place.hub)
      if (place === undefined || form === undefined) return
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
      const nodes = new Set([...wanted.keys()].map((topic) => partsOf(topic).node))
      let hasMoved = false
      for (const [topic, record] of standing) {
        if (wanted.has(topic)) continue
        const { node, form: before } = partsOf(topic)
        if (before === form || !nodes.has(node)) say(topic, '')
        else if (record !== MOVING) say(topic, MOVING)
        else if (now() - (movingSince.get(topic) ?? now()) >= movingMs) {
          say(topic, '')
          hasMoved = true
        } else if (!movingSince.has(topic)) movingSince.set(topic, now())
      }
      for (const topic of movingSince.keys()) if (standing.get(topic) !== MOVING) movingSince.delete(topic)
      // Who heard the new record before the word that the old one moves has ignored it.
      for (const [topic, record] of wanted)
        if (isAgain || hasMoved || standing.get(topic) !== record) say(topic, record)
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
      const { hub, form } = await readKept(memory)
      if (closed) return
      lastForm = form
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
