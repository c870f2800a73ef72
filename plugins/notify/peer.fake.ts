// A server that takes notifications, as ntfy or a webhook would, on 127.0.0.1; it can die, stall, refuse and be too busy.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'

export interface Taken {
  url: string
  headers: IncomingHttpHeaders
  body: string
}

export type Mood = 'well' | 'stalls' | 'breaks' | 'busy' | 'refuses' | 'drops'

export interface FakePeer {
  url: string
  /** Everything that was said to it, taken or not. */
  heard: Taken[]
  /** What it answered with 200. */
  taken: Taken[]
  mood: Mood
  /** Stops listening; `revive` listens on the same port again. */
  die(): Promise<void>
  revive(): Promise<void>
  close(): Promise<void>
}

export const fakePeer = async (): Promise<FakePeer> => {
  const heard: Taken[] = []
  const taken: Taken[] = []
  const state: { mood: Mood } = { mood: 'well' }
  let server: Server
  let port = 0
  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server = createServer((request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          const one = { url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() }
          heard.push(one)
          switch (state.mood) {
            case 'stalls':
              return
            case 'drops':
              request.socket.destroy()
              return
            case 'breaks':
              response.writeHead(503).end('sorry')
              return
            case 'busy':
              response.writeHead(429, { 'retry-after': '1' }).end()
              return
            case 'refuses':
              response.writeHead(403).end()
              return
            case 'well':
              taken.push(one)
              response.writeHead(200).end('{}')
          }
        })
      })
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        if (typeof address === 'object' && address !== null) port = address.port
        resolve()
      })
    })
  const shut = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await open()
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    taken,
    get mood() {
      return state.mood
    },
    set mood(mood) {
      state.mood = mood
    },
    die: shut,
    revive: open,
    close: shut,
  }
}
