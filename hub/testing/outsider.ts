// What anybody outside has of a hub: its web port and its MQTT port. Tests of the whole talk to it through these alone.
import mqtt, { ErrorWithSubackPacket, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import { until } from './until.ts'

/** A device's credential, or a person with a token as password. */
export interface Login {
  clientId: string
  username: string
  password: string
}

export interface Answer<T> {
  status: number
  headers: Headers
  body: T
}

export interface Asking {
  method?: string
  /** Sent as JSON. */
  json?: unknown
  form?: Record<string, string>
  /** `null` asks as nobody; without it the hub's admin asks. */
  token?: string | null
  headers?: Record<string, string>
}

export interface Heard {
  topic: string
  text: string
  /** The decoded payload; throws when it is no JSON. */
  json(): Record<string, unknown>
  packet: IPublishPacket
}

type Fits = string | ((heard: Heard) => boolean)

/** An MQTT client that keeps all it hears. It does not reconnect. */
export interface Wire {
  client: MqttClient
  /** Whether the hub had a session of this client. */
  present: boolean
  heard: Heard[]
  /** Resolves to the granted QoS, 128 and above for a refusal (never rejects for one). */
  subscribe(filter: string, qos?: 0 | 1 | 2): Promise<number>
  /** A payload that is no text and no Buffer is sent as JSON. With QoS 1 it resolves at the acknowledgement and rejects when it is refused or the connection ends first. */
  publish(topic: string, payload: unknown, options?: { qos?: 0 | 1 | 2; retain?: boolean }): Promise<void>
  /** The first message heard, now or later, on this topic or that fits. Rejects after `ms`, with what was heard. */
  hears(fits: Fits, ms?: number): Promise<Heard>
  /** Resolves when the connection is gone. */
  gone: Promise<void>
  end(): Promise<void>
}

export interface Outsider {
  base: string
  mqttPort: number
  /** Asks over HTTP. */
  api<T = Record<string, unknown>>(path: string, asking?: Asking): Promise<Answer<T>>
  /** A token for a person. Throws with the answer when there is none. */
  login(username: string, password: string): Promise<string>
  /** A fresh credential, made by the admin. */
  credential(device: string, topics?: readonly string[]): Promise<Login>
  /** Connects; rejects when the hub refuses. MQTT 3.1.1 over TCP unless told otherwise by `protocolVersion: 5` or `url`. */
  mqtt(login: Partial<Login>, options?: IClientOptions & { url?: string }): Promise<Wire>
  /** Ends every connection that was made through this. */
  leave(): Promise<void>
}

const HTTP_MS = 10_000
const HEAR_MS = 6_000
const MQTT_MS = 6_000

/** `admin` gives the token that is used where a call names none. */
export const outsider = (base: string, mqttPort: number, admin: () => string): Outsider => {
  const wires = new Set<MqttClient>()

  const api: Outsider['api'] = async (path, { method, json, form, token, headers } = {}) => {
    const bearer = token === null ? undefined : (token ?? admin())
    const body = json === undefined ? form && new URLSearchParams(form) : JSON.stringify(json)
    const response = await fetch(`${base}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(HTTP_MS),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
    // Whoever asks says what the answer looks like, and the test's expectations hold it to that.
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : { text }) as never }
  }

  const login: Outsider['login'] = async (username, password) => {
    const form = { grant_type: 'password', username, password }
    const { status, body } = await api<{ access_token?: string }>('/token', { form, token: null })
    if (body.access_token === undefined) throw new Error(`no token for ${username}: ${status} ${JSON.stringify(body)}`)
    return body.access_token
  }

  return {
    base,
    mqttPort,
    api,
    login,

    async credential(device, topics) {
      const json = { device, ...(topics === undefined ? {} : { topics }) }
      const { status, body } = await api<Login>('/api/device-credentials', { json })
      if (status !== 201) throw new Error(`no credential for ${device}: ${status} ${JSON.stringify(body)}`)
      return body
    },

    async mqtt(who, { url = `mqtt://127.0.0.1:${mqttPort}`, ...options } = {}) {
      const heard: Heard[] = []
      const client = mqtt.connect(url, {
        protocolVersion: 4,
        reconnectPeriod: 0,
        connectTimeout: MQTT_MS,
        ...who,
        ...options,
      })
      wires.add(client)
      const gone = new Promise<void>((resolve) => client.once('close', resolve))
      client.on('message', (topic, payload, packet) => {
        const text = payload.toString('utf8')
        heard.push({ topic, text, packet, json: () => JSON.parse(text) as Record<string, unknown> })
      })
      const present = await new Promise<boolean>((resolve, reject) => {
        client.once('connect', ({ sessionPresent }) => resolve(sessionPresent))
        client.once('error', reject)
        client.once('close', () => reject(new Error('closed before it was connected')))
      })
      // What is wrong later is told by the call that fails.
      client.on('error', () => {})
      return wire(client, heard, present, gone)
    },

    async leave() {
      await Promise.all([...wires].map((client) => client.endAsync(true)))
    },
  }
}

const wire = (client: MqttClient, heard: Heard[], present: boolean, gone: Promise<void>): Wire => ({
  client,
  present,
  heard,

  subscribe: (filter, qos = 1) =>
    new Promise((resolve, reject) => {
      client.subscribe(filter, { qos }, (error, granted) => {
        if (error instanceof ErrorWithSubackPacket) resolve(Number(error.packet.granted[0]))
        else if (error !== null) reject(error)
        else resolve(granted?.[0]?.qos ?? 128)
      })
    }),

  publish: (topic, payload, { qos = 1, retain = false } = {}) =>
    new Promise((resolve, reject) => {
      const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)
      const cut = () => reject(new Error(`the connection ended before ${topic} was acknowledged`))
      client.once('close', cut)
      client.publish(topic, bytes, { qos, retain }, (error) => {
        client.off('close', cut)
        if (error) reject(error)
        else resolve()
      })
    }),

  hears: (fits, ms = HEAR_MS) => {
    const does = typeof fits === 'string' ? ({ topic }: Heard) => topic === fits : fits
    return until(
      () => heard.find(does),
      (look) => {
        client.on('message', look)
        return () => client.off('message', look)
      },
      ms,
      () =>
        `${typeof fits === 'string' ? fits : 'such a message'} was not heard; heard: ${heard.map(({ topic, text }) => `\n  ${topic} ${text.slice(0, 200)}`).join('')}`,
    )
  },

  gone,
  end: () => client.endAsync(true).then(() => undefined),
})
