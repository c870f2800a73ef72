// A WebSocket that has shown its token: connected, authenticated, and deaf to whatever is not a message of the protocol.
import type { HaWebSocket } from 'home-assistant-js-websocket'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { type CredentialRecord, Fatal, reasonOf, Recoverable } from '#hub/plugin'
import { demandLocal, localLookup } from './site.ts'

export interface Server {
  name: string
  credential: CredentialRecord
  /** OFFLINE_MODE: it may not lie outside the site. */
  offline: boolean
}

/** For connection and authentication together. */
const OPEN_MS = 10_000
const MAX_PAYLOAD = 32 * 1024 * 1024

const Spoken = z.looseObject({ type: z.string(), ha_version: z.string().max(64).optional() })
const Numbered = z.looseObject({ id: z.number().int().nonnegative(), type: z.enum(['event', 'result', 'pong']) })

const Asked = z.looseObject({ id: z.number(), type: z.string() })

/** The token is wrong or was taken away: trying again soon does not help. */
export class TokenRefused extends Fatal {}

const decode = (data: unknown): unknown => {
  try {
    return JSON.parse(String(data))
  } catch {
    return undefined
  }
}

const webSocketUrl = ({ baseUrl }: CredentialRecord): URL => {
  const url = new URL('api/websocket', baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url
}

const tokenOf = ({ name, credential: { auth } }: Server): string => {
  if (auth.kind === 'bearer') return auth.token.reveal()
  throw new Fatal(
    `Home Assistant '${name}' needs a long-lived access token: write auth: { kind: bearer, token: … } for it in peers.yaml.`,
  )
}

const connect = (server: Server): WebSocket => {
  const url = webSocketUrl(server.credential)
  if (server.offline) demandLocal(url.hostname)
  const { verifyTls, ca } = server.credential
  return new WebSocket(url, {
    maxPayload: MAX_PAYLOAD,
    handshakeTimeout: OPEN_MS,
    perMessageDeflate: false,
    followRedirects: false,
    rejectUnauthorized: verifyTls,
    ...(ca === undefined ? {} : { ca }),
    ...(server.offline ? { lookup: localLookup() } : {}),
  })
}

/** Opens and authenticates; rejects with a reason that says what to do. Rejects with TokenRefused for a bad token. */
export const openSocket = (server: Server, signal: AbortSignal): Promise<{ socket: WebSocket; version: string }> =>
  new Promise((resolve, reject) => {
    const token = tokenOf(server)
    const socket = connect(server)
    const where = `Home Assistant '${server.name}' at ${server.credential.baseUrl}`
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.off('message', hear).off('close', closed)
    }
    const fail = (error: Error): void => {
      settle()
      // A socket that is still connecting says so by an error; nobody waits for it any more.
      socket.terminate()
      reject(error)
    }
    const away = (why: string): void => fail(new Recoverable('UNAVAILABLE', `${where} cannot be reached: ${why}.`))
    const abort = (): void => away('the plugin stops')
    const closed = (code: number): void => away(`it closed the connection (${code})`)
    const hear = (data: unknown): void => {
      const read = Spoken.safeParse(decode(data))
      if (!read.success) return away('it does not speak as Home Assistant does')
      const { type, ha_version: version = '0.0.0' } = read.data
      if (type === 'auth_required') socket.send(JSON.stringify({ type: 'auth', access_token: token }))
      else if (type === 'auth_ok') {
        settle()
        resolve({ socket, version })
      } else if (type === 'auth_invalid') {
        fail(
          new TokenRefused(
            `${where} refuses the token: make a new long-lived access token and write it to peers.yaml.`,
          ),
        )
      } else away(`it said ${type.slice(0, 40)} instead of an answer to the token`)
    }
    const timer = setTimeout(() => away(`no answer within ${OPEN_MS / 1000} s`), OPEN_MS)
    socket.on('error', (error) => away(reasonOf(error)))
    socket.on('message', hear)
    socket.on('close', closed)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  })

/** Whether messages may come in bundles (Home Assistant 2022.9). */
const knowsBundles = (version: string): boolean => {
  const [, year = '0', month = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? []
  return Number(year) * 100 + Number(month) >= 202_209
}
const BUNDLES = { id: 1, type: 'supported_features', features: { coalesce_messages: 1 } }

/**
 * The socket as the client library wants it. The library parses what comes without a guard and logs to the console what it does
 * not know, so only JSON reaches it, and of that only answers to what was asked.
 */
export const asLibrarySocket = (socket: WebSocket, version: string, strange: () => void): HaWebSocket => {
  /** By id of what was asked: whether its answers go on coming. */
  const asked = new Map<number, boolean>([[BUNDLES.id, false]])
  if (knowsBundles(version)) socket.send(JSON.stringify(BUNDLES))
  const believed = (data: unknown): string | undefined => {
    const decoded = decode(data)
    const messages: unknown[] = Array.isArray(decoded) ? decoded : [decoded]
    const good = messages.filter((message) => {
      const read = Numbered.safeParse(message)
      if (!read.success) return false
      const { id, type } = read.data
      const goesOn = asked.get(id)
      if (goesOn === false) asked.delete(id)
      return goesOn === undefined ? false : goesOn || type !== 'event'
    })
    if (good.length < messages.length) strange()
    return good.length === 0 ? undefined : JSON.stringify(good)
  }
  const face = {
    haVersion: version,
    OPEN: WebSocket.OPEN,
    get readyState() {
      return socket.readyState
    },
    send(text: string) {
      const read = Asked.safeParse(decode(text))
      if (read.success) asked.set(read.data.id, read.data.type.startsWith('subscribe'))
      socket.send(text)
    },
    close: () => socket.close(),
    addEventListener(type: string, take: (event: { data?: string }) => void) {
      if (type === 'close') socket.on('close', () => take({}))
      if (type === 'message') {
        socket.on('message', (data) => {
          const text = believed(data)
          if (text !== undefined) take({ data: text })
        })
      }
    },
    removeEventListener() {},
  }
  // The library uses these members of a browser's WebSocket and no others.
  return face as unknown as HaWebSocket
}
