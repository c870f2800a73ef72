// The servers under the app: HTTPS beside HTTP, broken requests answered, everything ended in time.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { openAdmission } from '../broker/admission.ts'
import type { Clock } from '../clock.ts'
import type { Health } from '../health/report.ts'
import type { App } from './app.ts'
import { bodyOf } from './error-body.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'
/** A request must have arrived whole within this. */
export const REQUEST_MS = 30_000
export const IDLE_MS = 60_000
export const KEEP_ALIVE_MS = 10_000
export const MAX_HEADER_BYTES = 16 * 1024
export const MAX_SOCKETS = 5_000
/** A household behind one address, or a reverse proxy on this machine, needs fewer. */
const SOCKETS_PER_ADDRESS = 256
/** What a request or a WebSocket that is under way gets before it is cut. */
export const GRACE_MS = 800
const CLOSE_MS = 1_900

/** Other upgrades (curl's h2c) are answered as plain requests. */
export const isWebSocket = (request: IncomingMessage): boolean => request.headers.upgrade?.toLowerCase() === 'websocket'

/** What came was not HTTP, or came too slowly: there is no request to answer, so the answer is written to the socket. */
export const brokenRequest = (
  error: Error & { code?: string },
  socket: Duplex,
  clock: Pick<Clock, 'now'>,
  health: Pick<Health, 'metrics'>,
): void => {
  health.metrics.count('http_broken_requests_total', 'Connections closed because what came was not a proper request')
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The headers are too large.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The request did not arrive in time.']
        : ['400 Bad Request', 'This is not a proper HTTP request.']
  const body = JSON.stringify(bodyOf({ code: 'VALIDATION_ERROR', message, details: {} }, randomUUID(), clock))
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

/** A second server in front of the same app: requests are routed to it, upgrades are passed to its own server. */
export const secureServer = (app: App, tls: { key: string; cert: string }): HttpsServer => {
  const { key, cert } = tls
  const server = createHttpsServer(
    {
      key,
      cert,
      minVersion: 'TLSv1.2',
      shouldUpgradeCallback: isWebSocket,
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => app.routing(request, response),
  )
  server.setTimeout(IDLE_MS)
  server.maxConnections = MAX_SOCKETS
  share(server)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    app.server.emit('upgrade', request, socket, head),
  )
  server.on('clientError', (error: Error & { code?: string }, socket: Duplex) =>
    app.server.emit('clientError', error, socket),
  )
  // A failed handshake (a phone without the CA) is the client's affair.
  server.on('tlsClientError', () => {})
  return server
}

/** Lets no address hold all the places: what is beyond its share is closed at once, so that the stop button stays in reach of the others. */
export const share = (server: Server): void => {
  const admission = openAdmission({
    connections: MAX_SOCKETS,
    connectionsPerAddress: SOCKETS_PER_ADDRESS,
    strangersPerAddress: SOCKETS_PER_ADDRESS,
  })
  server.on('connection', (socket: Socket) => {
    const ticket = admission.enter(socket.remoteAddress ?? '')
    if (ticket === undefined) socket.destroy()
    else socket.once('close', () => ticket.gone())
  })
}

/** Remembers the sockets of a server, upgraded ones too, which the server itself forgets. Returns what destroys them. */
export const track = (server: Server): (() => void) => {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return () => {
    for (const socket of sockets) socket.destroy()
  }
}

/** Ends the servers and the app within two seconds; `cut` destroys what is still open. */
export const shut = async (app: App, secure: HttpsServer | undefined, cut: () => void): Promise<void> => {
  const closed = new Promise<void>((resolve) => {
    if (secure?.listening === true) secure.close(() => resolve())
    else resolve()
  })
  secure?.closeIdleConnections()
  const timer = setTimeout(cut, GRACE_MS)
  const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())
  try {
    await Promise.race([Promise.all([app.close(), closed]), late])
  } finally {
    clearTimeout(timer)
    cut()
  }
}
