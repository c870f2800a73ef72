// One connection to another broker: TCP or TLS, and an MQTT client on it that asks for a lasting session and does nothing by itself.
import { connect as connectTcp, isIP, type LookupFunction } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { MqttClient } from 'mqtt'
import type { BrokerAddress } from './external-url.ts'

export interface LineLimits {
  /** First and longest pause between attempts, ms. */
  firstMs: number
  longestMs: number
  /** CONNACK and SUBACK have to come within this, ms. */
  connectMs: number
  /** PUBACK too. */
  ackMs: number
  keepaliveS: number
  /** How long the other broker keeps the session while the hub is away, s. */
  sessionS: number
  /** Largest packet taken, bytes. */
  packet: number
  /** Messages sent and not acknowledged, in each direction, unless the other broker wants fewer. */
  window: number
  /** A message is given up when the other broker hangs up this often in a row right after it got it, alone. */
  breaks: number
}

export const LINE_LIMITS: LineLimits = {
  firstMs: 1000,
  longestMs: 60_000,
  connectMs: 10_000,
  ackMs: 20_000,
  keepaliveS: 15,
  sessionS: 7 * 24 * 3600,
  packet: 2 ** 20,
  window: 100,
  breaks: 10,
}

interface Dialing {
  address: BrokerAddress
  clientId: string
  protocol: 4 | 5
  limits: LineLimits
  /** PEM of the authority that signed the other broker's certificate. */
  ca: string | undefined
  lookup: LookupFunction | undefined
}

/** Begins to connect. The client neither reconnects nor queues: that is the line's and the outbox's. */
export const dial = ({ address, clientId, protocol, limits, ca, lookup }: Dialing): MqttClient => {
  const { host, port, tls, username, password } = address
  const at = { host, port, noDelay: true, keepAlive: true, ...(lookup === undefined ? {} : { lookup }) }
  const named = { ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) }
  const properties = {
    sessionExpiryInterval: limits.sessionS,
    maximumPacketSize: limits.packet,
    receiveMaximum: limits.window,
  }
  return new MqttClient(() => (tls ? connectTls({ ...at, ...named }) : connectTcp(at)), {
    clientId,
    clean: false,
    protocolVersion: protocol,
    keepalive: limits.keepaliveS,
    connectTimeout: limits.connectMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    timerVariant: 'native',
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(protocol === 5 ? { properties } : {}),
  })
}
