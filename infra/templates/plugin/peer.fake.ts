// A peer on 127.0.0.1 that speaks the protocol, and can die, stall, lie and repeat.
import { createServer, type Socket } from 'node:net'

export interface FakePeer {
  port: number
  /** Sends these bytes to everybody connected. */
  say(text: string): void
  /** Drops all connections; new ones are taken. */
  drop(): void
  /** How many are connected now. */
  readonly connected: number
  close(): Promise<void>
}

export const fakePeer = async (): Promise<FakePeer> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    say: (text) => {
      for (const socket of sockets) socket.write(text)
    },
    drop,
    get connected() {
      return sockets.size
    },
    close: async () => {
      drop()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
