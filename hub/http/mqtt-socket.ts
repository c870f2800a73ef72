// MQTT over WebSocket on the web port: the upgrade at /mqtt becomes a byte stream that is handed to the broker.
import type { Duplex } from 'node:stream'
import { createWebSocketStream } from 'ws'
import type { App } from './app.ts'

/** One frame may hold several packets; the broker limits the packets themselves. */
export const MAX_FRAME = 2 * 1024 * 1024
/** Bytes buffered in each direction before reading stops. */
const HIGH_WATER = 64 * 1024

/** The subprotocol MQTT asks for [MQTT-6.0.0-3]; other WebSocket routes ask for none. */
export const chooseProtocol = (offered: Set<string>): string | false => (offered.has('mqtt') ? 'mqtt' : false)

/** The route. A client that does not speak the subprotocol, or sends text [MQTT-6.0.0-1], is closed. */
export const mqttSocket =
  (handle: (stream: Duplex, address: string) => void) =>
  (app: App): void => {
    app.get('/mqtt', { websocket: true, config: { may: 'public', unlimited: true } }, (socket, request) => {
      if (socket.protocol !== 'mqtt') {
        socket.close(1002, 'ask for the subprotocol mqtt')
        return
      }
      socket.on('message', (_, isBinary) => {
        if (!isBinary) socket.terminate()
      })
      const stream = createWebSocketStream(socket, { highWaterMark: HIGH_WATER, allowHalfOpen: false })
      const { socket: wire } = request.raw
      Object.defineProperties(stream, {
        bytesRead: { get: () => wire.bytesRead },
        bytesWritten: { get: () => wire.bytesWritten },
      })
      // A broken frame ends this client; nobody else must notice.
      stream.on('error', () => stream.destroy())
      handle(stream, request.ip)
    })
  }
