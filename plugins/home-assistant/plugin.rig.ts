// The plugin through its front door, in a small world: a registry, a memory and a desk for other conventions, all in this process.
import { Observable, Subject, type Subscription } from 'rxjs'
import {
  type Capabilities,
  type CredentialRecord,
  type Device,
  type Heard,
  type HealthWord,
  type Log,
  type Message,
  type NativeMessage,
  type Payload,
  Recoverable,
} from '#hub/plugin'
import plugin from './plugin.ts'

type Cmd = Heard<'devices/{device}/cmd'>

export interface World {
  /** Everything the plugin said, in order. */
  said: Message[]
  /** The last payload of a topic for a device. */
  last<T extends 'about' | 'state' | 'online'>(what: T, device: string): Payload<`devices/{device}/${T}`> | undefined
  acks(id: string): Payload<'devices/{device}/ack'>[]
  /** Waits until it is so. Rejects after `ms` with what was said last. */
  until(what: string, isSo: () => boolean, ms?: number): Promise<void>
  command(device: string, intent: string, payload?: Record<string, unknown>, more?: Partial<Cmd['payload']>): string
  /** What stands retained in other conventions. */
  retained: Map<string, string>
  /** Facts the plugin said, also those it took back. */
  facts: { topic: string; payload: string }[]
  native(topic: string, payload: string, origin?: string): void
  health: { word: HealthWord; what: string }[]
  reports: { type: string; message: string }[]
  logs: { event: string; fields: Record<string, unknown> }[]
  forgotten: string[]
  own(device: Device): void
  disown(id: string): void
  keys(): string[]
  failure(): unknown
  start(): void
  stop(): Promise<void>
}

const WAIT_MS = 5000
const SELF = 'plugin:home-assistant'

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 60) || 'device'

/** `peers` by name; `config` is checked by the plugin's own schema. */
export const world = (peers: Record<string, CredentialRecord>, config: object = {}): World => {
  const said: Message[] = []
  const registry = new Map<string, Device>()
  const owners = new Map<string, string>()
  const ids = new Map<string, string>()
  const kept = new Map<string, unknown>()
  const retained = new Map<string, string>()
  const facts: World['facts'] = []
  const health: World['health'] = []
  const reports: World['reports'] = []
  const logs: World['logs'] = []
  const forgotten: string[] = []
  const cmds = new Subject<Cmd>()
  const natives = new Subject<NativeMessage>()
  const looks = new Set<() => void>()
  let running: Subscription | undefined
  let goodbyes: Promise<unknown>[] = []
  let failure: unknown
  let seq = 0
  const looked = (): void => [...looks].forEach((look) => look())

  const log: Log = {
    debug: () => {},
    info: (event, fields = {}) => void logs.push({ event, fields: { ...fields } }),
    warn: (event, fields = {}) => void logs.push({ event, fields: { ...fields } }),
    error: (event, fields = {}) => void logs.push({ event, fields: { ...fields } }),
    of: () => log,
  }

  const take = (out: Message): void => {
    said.push(out)
    const { device } = { device: '', ...out.params }
    const before = registry.get(device)
    if (out.topic === 'devices/{device}/about') {
      const { name, kind, intents, area } = out.payload
      registry.set(device, {
        ...{ id: device, online: false, owner: SELF, safe: [], state: {}, lastSeen: 0, ...before, name, kind, intents },
        ...(area === undefined ? {} : { area }),
      })
    }
    if (out.topic === 'devices/{device}/state' && before) registry.set(device, { ...before, state: out.payload })
    looked()
  }

  const devices: Capabilities['devices'] = {
    list: () => [...registry.values()],
    get: (id) => registry.get(id),
    ownerOf: (id) => owners.get(id),
    idFor({ key, name }) {
      const known = ids.get(key)
      if (known !== undefined) return known
      const taken = (id: string): boolean => owners.has(id) || [...ids.values()].includes(id)
      let id = slug(name)
      for (let n = 2; taken(id); n++) id = `${slug(name)}_${n}`
      ids.set(key, id)
      return id
    },
    claim(id) {
      const owner = owners.get(id) ?? SELF
      if (owner !== SELF) throw new Recoverable('CONFLICT', `${id} belongs to ${owner}`)
      owners.set(id, SELF)
    },
    forget: async (id) => {
      registry.delete(id)
      owners.delete(id)
      forgotten.push(id)
      looked()
    },
  }
  const memory: Capabilities['memory'] = {
    get: async (key, schema) => schema.safeParse(kept.get(key)).data,
    set: async (key, value) => void kept.set(key, value),
    remove: async (key) => void kept.delete(key),
    keys: async (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)).sort(),
  }
  const levels = (filter: string, topic: string): boolean => {
    const [f, t] = [filter.split('/'), topic.split('/')]
    return f.length === t.length && f.every((level, n) => level === '+' || level === t[n])
  }
  const put = (topic: string, payload: string, origin: string, retain: boolean): void => {
    if (retain && payload === '') retained.delete(topic)
    else if (retain) retained.set(topic, payload)
    natives.next({ topic, payload: Buffer.from(payload), origin, seq: ++seq, at: Date.now(), retained: false })
    looked()
  }
  const hearing = (filter: string): Observable<NativeMessage> =>
    new Observable((out) => {
      const live = natives.subscribe((heard) => {
        if (levels(filter, heard.topic)) out.next(heard)
      })
      for (const [topic, payload] of [...retained]) {
        if (!levels(filter, topic)) continue
        out.next({ topic, payload: Buffer.from(payload), origin: SELF, seq: 0, at: 0, retained: true })
      }
      return live
    })
  const native: Capabilities['native'] = {
    hear: hearing,
    command: () => {
      throw new Recoverable('POLICY_ERROR', 'it commands nobody by MQTT')
    },
    fact({ topic, payload, retain }) {
      facts.push({ topic, payload: payload.toString() })
      put(topic, payload.toString(), SELF, retain)
    },
    guard: () => {},
    may: () => true,
  }
  return {
    said,
    retained,
    facts,
    health,
    reports,
    logs,
    forgotten,
    last: (what, device) =>
      said.findLast(
        ({ topic, params }) => topic === `devices/{device}/${what}` && { device: '', ...params }.device === device,
      )?.payload as never,
    acks: (id) =>
      said.flatMap((out) => (out.topic === 'devices/{device}/ack' && out.payload.id === id ? [out.payload] : [])),
    until: (what, isSo, ms = WAIT_MS) =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer)
          clearInterval(again)
          looks.delete(look)
        }
        const look = (): void => {
          if (!isSo()) return
          done()
          resolve()
        }
        const timer = setTimeout(() => {
          done()
          reject(
            new Error(
              `not within ${ms} ms: ${what}; last: ${JSON.stringify(said.slice(-4))}; ${JSON.stringify(health.at(-1))}`,
            ),
          )
        }, ms)
        // What the memory holds tells nobody.
        const again = setInterval(look, 20)
        looks.add(look)
        look()
      }),
    command(device, intent, payload, more = {}) {
      const id = more.id ?? `c${++seq}`
      const now = Date.now()
      cmds.next({
        topic: 'devices/{device}/cmd',
        params: { device },
        payload: {
          id,
          intent,
          ...(payload === undefined ? {} : { payload }),
          requestedBy: 'person:ada',
          issuedAt: new Date(now).toISOString(),
          expiresAt: new Date(now + 30_000).toISOString(),
          ...more,
        },
        seq: ++seq,
        at: now,
        origin: 'gate',
      })
      return id
    },
    native: (topic, payload, origin = 'device:homeassistant') => put(topic, payload, origin, topic.endsWith('/config')),
    own(device) {
      registry.set(device.id, device)
      owners.set(device.id, device.owner)
    },
    disown(id) {
      registry.delete(id)
      owners.delete(id)
    },
    keys: () => [...kept.keys()],
    failure: () => failure,
    start() {
      running = plugin
        .start({
          config: plugin.config.parse(config),
          prefix: 'jarvis',
          offline: true,
          // Only one topic is in `handles`.
          from: () => cmds.asObservable() as never,
          use: {
            devices,
            memory,
            native,
            peers: {
              names: () => Object.keys(peers),
              get: (name) => {
                const record = peers[name]
                if (record === undefined) throw new Recoverable('NOT_FOUND', name)
                return record
              },
            },
          },
          log,
          health: (word, what = '') => {
            health.push({ word, what })
            looked()
          },
          report: ({ type, message }) => {
            reports.push({ type, message })
            looked()
          },
          now: () => Date.now(),
          settle: (work) => void goodbyes.push(work),
        })
        .subscribe({ next: take, error: (error) => void (failure = error) })
    },
    async stop() {
      running?.unsubscribe()
      running = undefined
      await Promise.all(goodbyes)
      goodbyes = []
    },
  }
}
