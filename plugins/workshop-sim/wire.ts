// A device's wire: one MQTT client over TCP with its own credential. Knows the protocol; the device behind it knows the topics.
import { Socket } from 'node:net'
import mqtt, { type MqttClient } from 'mqtt'
import type { Leaf, Line } from './device.ts'

export interface Login {
  clientId: string
  username: string
  password: string
}

export interface WireOptions {
  broker: { host: string; port: number }
  login: Login
  /** 4 is MQTT 3.1.1. */
  protocol: 4 | 5
  /** Topic of the device without a slash at its end: `jarvis/devices/dust`. */
  topic: string
}

/** `down`: not connected, and trying. `cut`: not connected on purpose. */
export type WireStatus = 'up' | 'down' | 'cut'

export interface Wire extends Line {
  status(): WireStatus
  /** Why the last attempt failed; undefined while up. */
  error(): string | undefined
  /** Commands that came since the last call, oldest first; at most 100 wait. */
  take(): Uint8Array[]
  /** True once after each time the line came up. */
  cameUp(): boolean
  /** Says goodbye (`online` false) and ends; resolves when the socket is gone, after 1.2 s at the latest. */
  close(): Promise<void>
}

const CONNECT_MS = 5000
const RETRY_MS = 1000
const LONGEST_RETRY_MS = 60_000
const GOODBYE_MS = 800
const INBOX = 100
const UNACKNOWLEDGED = 50

/** QoS and retain as the hub's topic table has them. */
const TRAVELS: Record<Leaf, { qos: 0 | 1; retain: boolean }> = {
  about: { qos: 1, retain: true },
  online: { qos: 1, retain: true },
  state: { qos: 1, retain: true },
  telemetry: { qos: 0, retain: false },
  event: { qos: 1, retain: false },
  ack: { qos: 1, retain: false },
}

/** Connects at once and comes back by itself, after 1 s at first and 60 s at most, also from refusals. */
export const wire = ({ broker, login, protocol, topic }: WireOptions): Wire => {
  let client: MqttClient | undefined
  /** Of the present client: how many QoS 1 messages the broker has not acknowledged. */
  let waiting = { count: 0 }
  let status: WireStatus = 'down'
  let error: string | undefined
  let cameUp = false
  let inbox: Uint8Array[] = []

  const send: Line['send'] = (leaf, payload) => {
    if (!client?.connected || waiting.count >= UNACKNOWLEDGED) return
    const { qos, retain } = TRAVELS[leaf]
    if (qos === 0) {
      client.publish(`${topic}/${leaf}`, payload, { qos, retain })
      return
    }
    const counter = waiting
    counter.count += 1
    client.publish(`${topic}/${leaf}`, payload, { qos, retain }, () => {
      counter.count -= 1
    })
  }

  const open = (): void => {
    status = 'down'
    const mine = mqtt.connect({
      ...broker,
      ...login,
      protocol: 'mqtt',
      protocolVersion: protocol,
      clean: true,
      keepalive: 15,
      connectTimeout: CONNECT_MS,
      reconnectPeriod: RETRY_MS,
      reconnectOnConnackError: true,
      queueQoSZero: false,
      will: { topic: `${topic}/online`, payload: Buffer.from('false'), qos: 1, retain: true },
    })
    client = mine
    waiting = { count: 0 }
    let tries = 0
    const isMine = () => client === mine && status !== 'cut'
    mine.on('connect', () => {
      tries = 0
      mine.options.reconnectPeriod = RETRY_MS
      // Small packets that wait for each other's acknowledgement would each cost 40 ms otherwise.
      if (mine.stream instanceof Socket) mine.stream.setNoDelay(true)
      mine.subscribe(`${topic}/cmd`, { qos: 1 }, (refused, granted) => {
        if (!isMine() || !mine.connected) return
        if (refused || (granted ?? []).some(({ qos }) => qos > 2)) {
          error = `may not subscribe to ${topic}/cmd`
          return
        }
        status = 'up'
        error = undefined
        cameUp = true
      })
    })
    mine.on('message', (_, payload) => {
      if (isMine()) inbox = [...inbox, payload].slice(-INBOX)
    })
    mine.on('error', (thrown) => {
      error = thrown.message
    })
    mine.on('close', () => {
      mine.options.reconnectPeriod = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** tries++)
      if (isMine()) status = 'down'
    })
  }

  open()
  return {
    send,
    status: () => status,
    error: () => (status === 'up' ? undefined : error),
    take: () => {
      const taken = inbox
      inbox = []
      return taken
    },
    cameUp: () => {
      const came = cameUp
      cameUp = false
      return came
    },
    cut: () => {
      status = 'cut'
      cameUp = false
      inbox = []
      client?.end(true)
    },
    restore: () => {
      if (status === 'cut') open()
    },
    close: async () => {
      const last = client
      client = undefined
      if (!last || last.disconnecting) return
      const goodbye = async (): Promise<void> => {
        if (last.connected) await last.publishAsync(`${topic}/online`, 'false', TRAVELS.online)
        await last.endAsync(false)
      }
      await within(GOODBYE_MS, goodbye()).catch(() => within(GOODBYE_MS / 2, last.endAsync(true)).catch(() => {}))
    },
  }
}

const within = async <T>(ms: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`took longer than ${ms} ms`))
    }, ms)
  })
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer)
  })
}
