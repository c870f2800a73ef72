// PostgreSQL on 127.0.0.1 for tests: PGlite, which is PostgreSQL in this process, behind the wire protocol that `pg` speaks.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import { openTurn, type Turn } from '../store/turn.ts'

export interface FakePostgres {
  url: string
  /** Drops every table. */
  empty(): Promise<void>
  /** Breaks every connection, as a restart of the server does. */
  cut(): void
  close(): Promise<void>
}

const SSL_REQUEST = 80_877_103
const TERMINATE = 'X'.charCodeAt(0)
const IDLE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

/** Starts one. There is a single session inside: connections take turns, each until its transaction ends. */
export const startPostgres = async (): Promise<FakePostgres> => {
  const db = await PGlite.create()
  const turn = openTurn({ limit: 1000, waitMs: 10_000, what: 'The fake PostgreSQL' })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket, db, turn)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    cut,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async empty() {
      await db.exec('drop schema public cascade; create schema public')
    },
    async close() {
      cut()
      server.close()
      await once(server, 'close')
      await db.close()
    },
  }
}

const serve = (socket: Socket, db: PGlite, turn: Turn): void => {
  let greeted = false
  let mine = false
  let pending: Buffer = Buffer.alloc(0)
  let line = Promise.resolve()

  const answer = async (message: Buffer) => {
    if (!mine) await turn.take()
    mine = true
    const bytes = await db.execProtocolRaw(message)
    if (socket.writable) socket.write(bytes)
    if (Buffer.from(bytes).subarray(-IDLE.length).equals(IDLE)) leave()
  }
  const leave = () => {
    if (mine) turn.give()
    mine = false
  }
  const next = (): Buffer | undefined => {
    const head = greeted ? 1 : 0
    if (pending.length < head + 4) return undefined
    const length = pending.readUInt32BE(head) + head
    if (pending.length < length) return undefined
    const message = pending.subarray(0, length)
    pending = pending.subarray(length)
    return message
  }

  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    line = line.then(async () => {
      if (mine && !db.closed) await db.exec('rollback')
      leave()
    })
  })
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (let message = next(); message !== undefined; message = next()) {
      const bytes = Buffer.from(message)
      if (!greeted && bytes.readUInt32BE(4) === SSL_REQUEST) {
        socket.write('N')
        continue
      }
      if (greeted && bytes[0] === TERMINATE) {
        socket.end()
        return
      }
      greeted = true
      line = line.then(() => answer(bytes)).catch(() => void socket.destroy())
    }
  })
}
