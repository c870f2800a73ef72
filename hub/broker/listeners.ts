// Where MQTT clients come in: TCP, TLS and WebSocket. Each connection is counted before a byte of it is read.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type SecureContextOptions } from 'node:tls'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { Fatal, reasonOf } from '../errors.ts'
import { createServer as createHttpServer } from '../node-http.ts'
import type { Admission, Ticket } from './admission.ts'

export interface Listen {
  /** Address to bind, for example 127.0.0.1. */
  bind: string
  /** 0 means any free port, undefined no listener. */
  mqtt: number | undefined
  mqtts?: { port: number; tls: SecureContextOptions } | undefined
  ws?: number | undefined
}

export interface Listeners {
  readonly ports: { mqtt: number | undefined; mqtts: number | undefined; ws: number | undefined }
  /** New connections use this certificate. */
  renewTls(tls: SecureContextOptions): void
  /** No new connections; open ones are the caller's. */
  close(): void
}

interface Parts {
  listen: Listen
  limits: { backlog: number; connectTimeout: number; packet: number }
  admission: Admission
  /** A connection that has a place. */
  take(stream: Duplex, ticket: Ticket): void
  /** One that had none, or broke before it spoke MQTT. */
  refused(address: string, why: string): void
}

/** Bytes a socket may hold in each direction before it says stop: one turn's writes should fit. */
const HIGH_WATER = 128 * 1024

/** Opens all listeners or none. Throws Fatal with what to do when a port cannot be had. */
export const openListeners = async (parts: Parts): Promise<Listeners> => {
  const { listen, limits } = parts
  const open: Server[] = []
  const start = async (server: Server, port: number, name: PortName): Promise<number> => {
    await bound(server, { port, host: listen.bind, backlog: limits.backlog }, name)
    open.push(server)
    return (server.address() as AddressInfo).port
  }
  const close = () => open.forEach((server) => server.close())
  const ports: Listeners['ports'] = { mqtt: undefined, mqtts: undefined, ws: undefined }
  const tls = listen.mqtts && tlsServer(parts, listen.mqtts.tls)
  try {
    if (listen.mqtt !== undefined) ports.mqtt = await start(tcpServer(parts), listen.mqtt, 'MQTT_PORT')
    if (listen.mqtts && tls) ports.mqtts = await start(tls, listen.mqtts.port, 'MQTTS_PORT')
    if (listen.ws !== undefined) ports.ws = await start(webSocketServer(parts), listen.ws, 'MQTT_WS_PORT')
  } catch (error) {
    close()
    throw error
  }
  return { ports, renewTls: (renewed) => tls?.setSecureContext(renewed), close }
}

type PortName = 'MQTT_PORT' | 'MQTTS_PORT' | 'MQTT_WS_PORT'

const bound = (server: Server, at: { port: number; host: string; backlog: number }, name: PortName) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, at, name)))
    server.listen(at, resolve)
  })

const cannotListen = (
  error: NodeJS.ErrnoException,
  { port, host }: { port: number; host: string },
  name: PortName,
): Fatal => {
  const other = `${name}=${port < 65_535 ? port + 1 : port - 1} npm start`
  const where = `Port ${port} on ${host} (${name})`
  if (error.code === 'EADDRINUSE') {
    const who = 'probably by another MQTT broker or another hub'
    return new Fatal(`${where} is taken, ${who}. Stop that one, or run beside it on another port: ${other}`, error)
  }
  if (error.code === 'EACCES') {
    return new Fatal(`${where} needs rights this user does not have. Take one above 1023: ${other}`, error)
  }
  if (error.code === 'EADDRNOTAVAIL') {
    return new Fatal(`${host} is no address of this machine. Set BIND to one that is, or to 127.0.0.1`, error)
  }
  return new Fatal(`${where} cannot be opened: ${reasonOf(error)}`, error)
}

/** Gives a fresh socket a place, or closes it. Whoever takes the place gives it back. */
const admit = ({ admission, refused }: Parts, socket: Socket): Ticket | undefined => {
  const address = socket.remoteAddress ?? 'unknown'
  const ticket = admission.enter(address)
  if (ticket === undefined) {
    socket.on('error', () => {})
    socket.destroy()
    refused(address, 'too many connections from this address')
    return undefined
  }
  return ticket
}

const tcpServer = (parts: Parts): Server =>
  createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: HIGH_WATER },
    (socket) => {
      const ticket = admit(parts, socket)
      if (ticket) parts.take(socket, ticket)
    },
  )

const tlsServer = (parts: Parts, tls: SecureContextOptions) => {
  const tickets = new Map<string, Ticket>()
  const nameOf = (socket: Socket) => `${socket.remoteAddress} ${socket.remotePort}`
  const server = createTlsServer({
    minVersion: 'TLSv1.2',
    ...tls,
    handshakeTimeout: parts.limits.connectTimeout,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  })
  server.on('connection', (socket: Socket) => {
    const ticket = admit(parts, socket)
    if (ticket === undefined) return
    const name = nameOf(socket)
    tickets.set(name, ticket)
    socket.once('close', () => {
      tickets.delete(name)
      ticket.gone()
    })
  })
  server.on('secureConnection', (socket) => {
    const ticket = tickets.get(nameOf(socket))
    if (ticket) parts.take(socket, ticket)
    else socket.destroy()
  })
  server.on('tlsClientError', (error, socket) => {
    socket.on('error', () => {})
    socket.destroy()
    parts.refused(socket.remoteAddress ?? 'unknown', `TLS: ${reasonOf(error)}`)
  })
  return server
}

const webSocketServer = (parts: Parts): Server => {
  const { limits } = parts
  const tickets = new WeakMap<Duplex, Ticket>()
  const sockets = new WebSocketServer({
    noServer: true,
    // One frame may carry one packet of the largest size.
    maxPayload: limits.packet + 1024,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : offered.has('mqttv3.1') ? 'mqttv3.1' : false),
  })
  const server = createHttpServer((_request, response) => {
    response
      .writeHead(426, { 'content-type': 'text/plain', connection: 'close' })
      .end('This port speaks MQTT over WebSocket.\n')
  })
  server.headersTimeout = limits.connectTimeout
  server.requestTimeout = limits.connectTimeout
  // A connection that never sends a request is found by this check.
  server.on('connection', (socket: Socket) => {
    socket.setTimeout(limits.connectTimeout, () => socket.destroy())
    const ticket = admit(parts, socket)
    if (ticket === undefined) return
    tickets.set(socket, ticket)
    socket.once('close', () => ticket.gone())
  })
  server.on('upgrade', (request, socket, head) => {
    const ticket = tickets.get(socket)
    socket.on('error', () => {})
    // [MQTT-6.0.0-3]
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
    if (ticket === undefined || !(offered.includes('mqtt') || offered.includes('mqttv3.1'))) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      parts.refused(ticket?.address ?? 'unknown', 'a WebSocket without the subprotocol mqtt')
      return
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      request.socket.setTimeout(0)
      request.socket.setNoDelay(true)
      request.socket.setKeepAlive(true, 60_000)
      parts.take(createWebSocketStream(webSocket), ticket)
    })
  })
  return server
}
