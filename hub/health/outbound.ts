// Every call an integration makes over HTTP goes through here: bounded in time, size and retries, behind a breaker, never off the site in OFFLINE_MODE (ID-9).
import type { IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { Recoverable, reasonOf } from '../errors.ts'
import { Agent as HttpAgent, request as httpRequest } from '../node-http.ts'
import { type Breaker, breaker, type BreakerLimits, type BREAKERS } from './breaker.ts'
import type { Correlation } from './correlation.ts'
import { authHeaders, type CredentialRecord } from './credential.ts'
import type { Health, Log } from './report.ts'
import { retry, type RetryLimits } from './retry.ts'
import { demandSite, siteLookup } from './site.ts'

export type Method = 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'POST' | 'PATCH'

export interface Call {
  method?: Method
  /** Below the base URL: `/api/printer`. */
  path: string
  query?: Record<string, string | number | boolean>
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it is; set `content-type` in headers. */
  body?: string | Uint8Array
  /** Sent as `Idempotency-Key`; makes a POST or PATCH repeatable. */
  idempotencyKey?: string
  timeoutMs?: number
  maxBytes?: number
  signal?: AbortSignal
}

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
  /** The body as JSON. Throws CONNECTION_ERROR when it is not. */
  json(): unknown
}

export interface Outbound {
  /**
   * Resolves with a 2xx answer. Rejects with PeerRefused for any other status, CONNECTION_ERROR when the peer cannot be
   * reached, is too slow, sends too much, or the breaker is open, POLICY_ERROR when OFFLINE_MODE forbids the call.
   */
  call(call: Call): Promise<Answer>
  breaker: Breaker
  close(): void
}

export interface OutboundOptions {
  /** Names the peer in health, log and metrics. */
  name: string
  credential: CredentialRecord
  /** OFFLINE_MODE. */
  offline: boolean
  log: Log
  health: Pick<Health, 'set' | 'drop' | 'metrics'>
  correlation?: Pick<Correlation, 'current'>
  limits?: keyof typeof BREAKERS | BreakerLimits
  retry?: Partial<RetryLimits>
  /** How names are resolved; the system's way by default. */
  resolve?: Parameters<typeof siteLookup>[0]
  /** Per attempt, in ms. */
  timeoutMs?: number
  maxBytes?: number
}

/** The peer answered, and said no. `details.status` is its status; a 4xx does not count against the breaker. */
export class PeerRefused extends Recoverable {
  readonly status: number
  readonly retryAfterMs: number | undefined
  constructor(name: string, call: string, status: number, text: string, retryAfterMs?: number) {
    super('CONNECTION_ERROR', `${name} answered ${status} to ${call}${text === '' ? '' : `: ${text}`}`, {
      peer: name,
      status,
    })
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 8 * 1024 * 1024
const MAX_SOCKETS = 8
const REPEATABLE: readonly Method[] = ['GET', 'HEAD', 'PUT', 'DELETE']
const worthAnother = (error: unknown): boolean =>
  error instanceof PeerRefused
    ? error.status === 429 || error.status >= 500
    : error instanceof Recoverable && error.code === 'CONNECTION_ERROR' && error.details['final'] !== true

/** Opens the way to one peer. node:http rather than fetch: it lets a name be checked at the moment it is resolved, and never follows a redirect with the credential. */
export const outbound = (options: OutboundOptions): Outbound => {
  const { name, credential, offline, log, health } = options
  const base = new URL(credential.baseUrl)
  const secure = base.protocol === 'https:'
  const agentOptions = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    ...(offline ? { lookup: siteLookup(options.resolve) } : {}),
  }
  const agent = secure
    ? new HttpsAgent({
        ...agentOptions,
        rejectUnauthorized: credential.verifyTls,
        ...(credential.ca === undefined ? {} : { ca: credential.ca }),
      })
    : new HttpAgent(agentOptions)
  const circuit = breaker({ name, limits: options.limits ?? 'agents', health, log })

  const target = ({ path, query = {} }: Call): URL => {
    const url = new URL(base.href.replace(/\/+$/, '') + '/' + path.replace(/^\/+/, ''))
    if (url.origin !== base.origin || !url.pathname.startsWith(base.pathname.replace(/\/+$/, ''))) {
      throw new Recoverable('VALIDATION_ERROR', `${path} leads away from ${base.origin}${base.pathname}`, {
        field: 'path',
        value: path,
      })
    }
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value))
    return url
  }

  const once = (call: Call, url: URL, timeoutMs: number): Promise<Answer> => {
    const method = call.method ?? 'GET'
    const body = call.json === undefined ? call.body : JSON.stringify(call.json)
    const correlation = options.correlation?.current()
    const headers: Record<string, string | number> = {
      accept: 'application/json, */*;q=0.5',
      'user-agent': 'millrace',
      ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
      ...(correlation === undefined ? {} : { 'x-correlation-id': correlation }),
      ...call.headers,
      ...authHeaders(credential),
    }
    const deadline = AbortSignal.timeout(timeoutMs)
    const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal])
    const what = `${method} ${url.pathname}`
    return new Promise<Answer>((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (error instanceof Recoverable) return reject(error)
        const why = deadline.aborted ? `no answer in ${timeoutMs} ms` : reasonOf(error)
        reject(
          new Recoverable(
            'CONNECTION_ERROR',
            `${name} (${url.host}) cannot be reached: ${why}`,
            { peer: name, final: call.signal?.aborted === true },
            error,
          ),
        )
      }
      const send = secure ? httpsRequest : httpRequest
      const outgoing = send(url, { method, headers, agent, signal }, (incoming) => {
        readAll(incoming, call.maxBytes ?? options.maxBytes ?? MAX_BYTES, name).then((bytes) => {
          const status = incoming.statusCode ?? 0
          if (status >= 200 && status < 300) return resolve(answerOf(status, incoming.headers, bytes, name))
          const location = status >= 300 && status < 400 ? incoming.headers.location : undefined
          const text =
            location === undefined ? '' : `it redirects to ${location}; set the base URL to where it really is`
          reject(new PeerRefused(name, what, status, text, retryAfterOf(incoming.headers['retry-after'])))
        }, fail)
      })
      outgoing.on('error', fail)
      outgoing.end(body)
    })
  }

  return {
    breaker: circuit,
    call: async (call) => {
      const url = target(call)
      if (offline) demandSite(url.hostname)
      const method = call.method ?? 'GET'
      const started = performance.now()
      let outcome = 'failed'
      try {
        const answer = await retry(
          (_, leftMs) =>
            circuit.run(() => once(call, url, Math.min(call.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS, leftMs))),
          {
            name,
            repeatable: REPEATABLE.includes(method) || call.idempotencyKey !== undefined,
            log,
            metrics: health.metrics,
            again: (error) => worthAnother(error) && circuit.state() !== 'open',
            retryAfterMs: (error) => (error instanceof PeerRefused ? error.retryAfterMs : undefined),
            ...(options.retry === undefined ? {} : { limits: options.retry }),
            ...(call.signal === undefined ? {} : { signal: call.signal }),
          },
        )
        outcome = String(answer.status)
        return answer
      } catch (error) {
        if (error instanceof PeerRefused) outcome = String(error.status)
        throw error
      } finally {
        health.metrics.observe(
          'outbound_seconds',
          'Calls to peers, retries included',
          (performance.now() - started) / 1000,
          { peer: name, method, outcome },
        )
      }
    },
    close: () => {
      agent.destroy()
      circuit.drop()
    },
  }
}

const readAll = async (incoming: IncomingMessage, maxBytes: number, name: string): Promise<Buffer> => {
  const tooMuch = () =>
    new Recoverable('CONNECTION_ERROR', `${name} sent more than ${maxBytes} bytes`, {
      peer: name,
      maxBytes,
      final: true,
    })
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) {
    incoming.destroy()
    throw tooMuch()
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) {
      incoming.destroy()
      throw tooMuch()
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const answerOf = (status: number, headers: Answer['headers'], body: Buffer, name: string): Answer => ({
  status,
  headers,
  body,
  json: () => {
    try {
      return JSON.parse(body.toString('utf8')) as unknown
    } catch (error) {
      throw new Recoverable(
        'CONNECTION_ERROR',
        `${name} answered ${status} with something that is not JSON`,
        { peer: name },
        error,
      )
    }
  },
})

/** `Retry-After` in seconds (RFC 9110, 10.2.3); dates are left to the backoff. */
const retryAfterOf = (header: string | undefined): number | undefined => {
  const seconds = Number(header ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined
}
