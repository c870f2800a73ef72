// A Home Assistant on 127.0.0.1 that speaks its WebSocket protocol and can die, stall, lie, repeat and flood.
import { randomBytes } from 'node:crypto'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'

export interface FakeEntity {
  state: string
  attributes?: Record<string, unknown>
}

export interface Call {
  domain: string
  service: string
  service_data: Record<string, unknown>
  entities: string[]
  context: string
}

/**
 * How it treats a call: `obey` changes the state, `lie` says yes and does nothing, `refuse` says no, `deaf` never answers, `die`
 * cuts every line instead of answering, `late` says yes at once and changes the state a little later.
 */
export type Manner = 'obey' | 'lie' | 'refuse' | 'deaf' | 'die' | 'late'

export interface FakeHome {
  url: string
  token: string
  calls: Call[]
  /** Events that were put on its bus. */
  events: { type: string; data: Record<string, unknown> }[]
  /** Connections that were authenticated since the start. */
  logins(): number
  /** Tries with a wrong token. */
  refused(): number
  set(id: string, state: string, attributes?: Record<string, unknown>): void
  remove(id: string): void
  /** Registries as they are listed; a change is told by `registryChanged`. */
  areas: Record<string, unknown>[]
  devices: Record<string, unknown>[]
  entities: Record<string, unknown>[]
  registryChanged(kind: 'area' | 'device' | 'entity'): void
  manner(manner: Manner): void
  /** `STARTING` as long as it loads. */
  phase(phase: string): void
  /** Sends a text to everybody as it is. */
  shout(text: string): void
  /** From now on nothing is answered, and the lines stand. */
  stall(isStalled: boolean): void
  /** Every message goes out twice. */
  repeat(isRepeating: boolean): void
  /** Cuts every line and listens no more. */
  die(): Promise<void>
  /** Listens again on the same port. */
  rise(): Promise<void>
  close(): Promise<void>
}

const Asked = z.looseObject({ id: z.number(), type: z.string() })
const CallService = z.looseObject({
  domain: z.string(),
  service: z.string(),
  service_data: z.record(z.string(), z.unknown()).default({}),
  target: z.looseObject({ entity_id: z.array(z.string()).default([]) }).default({ entity_id: [] }),
})
const FireEvent = z.looseObject({ event_type: z.string(), event_data: z.record(z.string(), z.unknown()).default({}) })
const LATE_MS = 60

interface Line {
  socket: WebSocket
  entities?: number
  events: Map<string, number>
  bundles: boolean
}

/** What the services of the fake do to a state. */
const after = (service: string, before: FakeEntity, data: Record<string, unknown>): FakeEntity => {
  const { attributes = {} } = before
  switch (service) {
    case 'turn_on':
      return before.state.includes('T')
        ? { state: new Date().toISOString(), attributes }
        : {
            state: 'on',
            attributes: {
              ...attributes,
              ...(typeof data['brightness_pct'] === 'number'
                ? { brightness: Math.round(data['brightness_pct'] * 2.55) }
                : {}),
            },
          }
    case 'turn_off':
      return { state: 'off', attributes }
    case 'open_cover':
      return { state: 'open', attributes: { ...attributes, current_position: 100 } }
    case 'close_cover':
      return { state: 'closed', attributes: { ...attributes, current_position: 0 } }
    case 'lock':
      return { state: attributes['stiff'] === true ? 'jammed' : 'locked', attributes }
    case 'unlock':
      return { state: 'unlocked', attributes }
    case 'press':
      return { state: new Date().toISOString(), attributes }
    case 'set_value':
      return { state: JSON.stringify(data['value']), attributes }
    case 'select_option':
      return { state: z.string().parse(data['option']), attributes }
    default:
      return before
  }
}

/** Starts one. `entities` are its states by id. */
export const fakeHome = async (
  entities: Record<string, FakeEntity> = {},
  { version = '2024.3.3' }: { version?: string } = {},
): Promise<FakeHome> => {
  const token = randomBytes(12).toString('hex')
  const states = new Map<string, FakeEntity & { context: string }>()
  for (const [id, entity] of Object.entries(entities)) states.set(id, { ...entity, context: 'start' })
  const lines = new Set<Line>()
  const calls: Call[] = []
  const events: FakeHome['events'] = []
  const timers = new Set<NodeJS.Timeout>()
  let manner: Manner = 'obey'
  let phase = 'RUNNING'
  let logins = 0
  let refused = 0
  let isStalled = false
  let isRepeating = false
  let server: WebSocketServer | undefined
  let port = 0

  const say = ({ socket, bundles }: Line, message: unknown): void => {
    if (isStalled) return
    const text = JSON.stringify(bundles ? [message] : message)
    socket.send(text)
    if (isRepeating) socket.send(text)
  }

  const set = (id: string, state: string, attributes: Record<string, unknown> | undefined, context: string): void => {
    const before = states.get(id)
    const next = { state, attributes: attributes ?? before?.attributes ?? {}, context }
    states.set(id, next)
    const at = Date.now() / 1000
    const added = { s: next.state, a: next.attributes, c: context, lc: at }
    const gone = Object.keys(before?.attributes ?? {}).filter((name) => !(name in next.attributes))
    const change =
      before === undefined
        ? { a: { [id]: added } }
        : { c: { [id]: { '+': added, ...(gone.length > 0 ? { '-': { a: gone } } : {}) } } }
    for (const line of lines) {
      if (line.entities !== undefined) say(line, { id: line.entities, type: 'event', event: change })
    }
  }

  const serve = (line: Line, id: number, asked: unknown): void => {
    const { domain, service, service_data, target } = CallService.parse(asked)
    const context = randomBytes(13).toString('hex').toUpperCase()
    calls.push({ domain, service, service_data, entities: target.entity_id, context })
    const act = (): void => {
      for (const entity of target.entity_id) {
        const before = states.get(entity)
        if (before === undefined) continue
        const next = after(service, before, service_data)
        set(entity, next.state, next.attributes, context)
      }
    }
    const yes = (): void => say(line, { id, type: 'result', success: true, result: { context: { id: context } } })
    if (manner === 'die') void die()
    else if (manner === 'refuse') {
      say(line, {
        id,
        type: 'result',
        success: false,
        error: { code: 'home_assistant_error', message: 'The bulb is broken' },
      })
    } else if (manner === 'obey') {
      act()
      yes()
    } else if (manner === 'late') {
      yes()
      timers.add(setTimeout(act, LATE_MS))
    } else if (manner === 'lie') yes()
  }

  const answer = (line: Line, message: z.output<typeof Asked>, whole: unknown): void => {
    const { id, type } = message
    const result = (value: unknown): void => say(line, { id, type: 'result', success: true, result: value })
    const event = z.looseObject({ event_type: z.string() }).safeParse(whole)
    if (type === 'ping') say(line, { id, type: 'pong' })
    else if (type === 'supported_features') {
      result(null)
      line.bundles = true
    } else if (type === 'get_config') result({ version, state: phase })
    else if (type === 'config/area_registry/list') result(home.areas)
    else if (type === 'config/device_registry/list') result(home.devices)
    else if (type === 'config/entity_registry/list') result(home.entities)
    else if (type === 'subscribe_events' && event.success) {
      line.events.set(event.data.event_type, id)
      result(null)
    } else if (type === 'subscribe_entities') {
      line.entities = id
      result(null)
      const all = [...states].map(([entity, { state, attributes = {}, context }]) => [
        entity,
        { s: state, a: attributes, c: context, lc: Date.now() / 1000 },
      ])
      say(line, { id, type: 'event', event: { a: Object.fromEntries(all) as unknown } })
    } else if (type === 'call_service') serve(line, id, whole)
    else if (type === 'fire_event') {
      const { event_type, event_data } = FireEvent.parse(whole)
      events.push({ type: event_type, data: event_data })
      result(null)
    } else say(line, { id, type: 'result', success: false, error: { code: 'unknown_command', message: type } })
  }

  const welcome = (socket: WebSocket): void => {
    const line: Line = { socket, events: new Map(), bundles: false }
    let isIn = false
    if (!isStalled) socket.send(JSON.stringify({ type: 'auth_required', ha_version: version }))
    socket.on('error', () => {})
    socket.on('close', () => lines.delete(line))
    socket.on('message', (data) => {
      if (isStalled) return
      const whole: unknown = JSON.parse(z.instanceof(Buffer).parse(data).toString('utf8'))
      if (isIn) return answer(line, Asked.parse(whole), whole)
      const auth = z.looseObject({ type: z.literal('auth'), access_token: z.string() }).safeParse(whole)
      if (auth.success && auth.data.access_token === token) {
        isIn = true
        logins++
        lines.add(line)
        socket.send(JSON.stringify({ type: 'auth_ok', ha_version: version }))
        return
      }
      refused++
      socket.send(JSON.stringify({ type: 'auth_invalid', message: 'Invalid access token' }))
      socket.close()
    })
  }

  const rise = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = new WebSocketServer({ host: '127.0.0.1', port, path: '/api/websocket', perMessageDeflate: false })
      next.once('error', reject)
      next.once('listening', () => {
        const address = next.address()
        if (typeof address === 'object' && address !== null) port = address.port
        resolve()
      })
      next.on('connection', welcome)
      server = next
    })

  const die = (): Promise<void> =>
    new Promise((resolve) => {
      for (const client of server?.clients ?? []) client.terminate()
      lines.clear()
      if (server === undefined) resolve()
      else server.close(() => resolve())
      server = undefined
    })

  await rise()
  const home: FakeHome = {
    url: `http://127.0.0.1:${port}`,
    token,
    calls,
    events,
    logins: () => logins,
    refused: () => refused,
    set: (id, state, attributes) => set(id, state, attributes, randomBytes(13).toString('hex')),
    remove(id) {
      states.delete(id)
      for (const line of lines) {
        if (line.entities !== undefined) say(line, { id: line.entities, type: 'event', event: { r: [id] } })
      }
    },
    areas: [],
    devices: [],
    entities: [],
    registryChanged(kind) {
      for (const line of lines) {
        const id = line.events.get(`${kind}_registry_updated`)
        if (id !== undefined)
          say(line, { id, type: 'event', event: { event_type: `${kind}_registry_updated`, data: {} } })
      }
    },
    manner: (next) => void (manner = next),
    phase: (next) => void (phase = next),
    shout: (text) => {
      for (const { socket } of lines) socket.send(text)
    },
    stall: (next) => void (isStalled = next),
    repeat: (next) => void (isRepeating = next),
    die,
    rise,
    close: async () => {
      for (const timer of timers) clearTimeout(timer)
      await die()
    },
  }
  return home
}
