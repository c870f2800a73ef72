// The guard at the web app's door: origin, claim, who asks, how often, and whether they may.
import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { originOf } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Fatal, Forbidden, Recoverable, Unauthenticated } from '../errors.ts'
import type { App } from '../http/app.ts'
import { originAllowed } from '../http/origin.ts'
import type { Access } from './access.ts'
import { slidingWindow } from './sliding-window.ts'
import { type Caller, peerOf } from './peer.ts'
import type { Right } from './policy.ts'
import { addressKey } from './throttle.ts'

export interface GuardParts {
  access: Pick<Access, 'verify' | 'may' | 'changed' | 'denied'>
  /** Until this is true every route that is not public answers 503. */
  claimed: () => boolean
  /** Origins such as `https://wall.example` that may call besides the hub's own pages (ID-10). The app holds WebSockets to the same list. */
  allowedOrigins: readonly string[]
  clock: Pick<Clock, 'now'>
  /** Requests per window and caller. Default 100 in 60 s (ID-6); reading public pages and files ten times as many. */
  limits?: { max?: number; windowSeconds?: number }
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])
const PUBLIC_READS = 10

const UNCLAIMED =
  'Nobody has claimed this hub yet: open the link it printed when it started, or set ADMIN_USER and ADMIN_PASSWORD and start it again.'

/**
 * Sets up the guard. Called with the app before any route is registered. The app does not become ready with a route
 * that does not say which right it takes (`config.may`).
 */
export const accessGuard =
  (parts: GuardParts) =>
  async (app: App): Promise<void> => {
    const { access, claimed, clock } = parts
    const { max = 100, windowSeconds = 60 } = parts.limits ?? {}
    const keys = new WeakMap<FastifyRequest, { key: string; max: number }>()

    await app.register(rateLimit, {
      global: false,
      store: slidingWindow(() => clock.now()),
      timeWindow: windowSeconds * 1000,
      max: (request: FastifyRequest) => keys.get(request)?.max ?? max,
      keyGenerator: (request: FastifyRequest) => keys.get(request)?.key ?? addressKey(request.ip),
    })
    const count = app.createRateLimit()
    if (!app.hasRequestDecorator('principal')) app.decorateRequest('principal')

    const routes: RouteOptions[] = []
    app.addHook('onRoute', (route) => void routes.push(route))
    app.addHook('onReady', async () => {
      const silent = routes.filter(({ config, method }) => config?.may === undefined && method !== 'OPTIONS')
      if (silent.length === 0) return
      const names = silent.map(({ method, url }) => `${String(method)} ${url}`)
      throw new Fatal(`These routes do not say which right they take (config.may): ${names.join(', ')}.`)
    })

    /** Counts one request of this caller; throws RATE_LIMITED when there were too many. */
    const limit = async (request: FastifyRequest, reply: FastifyReply, key: string, most: number) => {
      keys.set(request, { key, max: most })
      const { max: limited, remaining, isExceeded, ttlInSeconds } = { ...NO_LIMIT, ...(await count(request)) }
      void reply.header('X-RateLimit-Limit', limited).header('X-RateLimit-Remaining', remaining)
      if (!isExceeded) return
      const retryAfter = Math.max(1, ttlInSeconds)
      void reply.header('Retry-After', retryAfter)
      throw new Recoverable(
        'RATE_LIMITED',
        `More than ${limited} requests in ${windowSeconds} s: wait ${retryAfter} s.`,
        {
          retryAfter,
        },
      )
    }

    const requireOrigin = ({ method, headers }: FastifyRequest) => {
      if (SAFE.has(method) || originAllowed(headers.origin, headers.host, parts.allowedOrigins)) return
      throw new Forbidden('Pages from this origin may not call. ALLOWED_ORIGINS lists the ones that may.', {
        field: 'Origin',
        value: headers.origin?.slice(0, 200),
      })
    }

    const deny = (request: FastifyRequest, by: string, right: string, reason: string): void => {
      if (!SAFE.has(request.method))
        access.denied?.(by, { route: routeOf(request), right, address: request.ip, reason })
    }

    app.addHook('onRequest', async (request, reply) => {
      requireOrigin(request)
      const { may, unlimited } = request.routeOptions.config
      const from = addressKey(request.ip)
      // Without a right there are only addresses nobody serves and the browser's preflight questions.
      if (request.is404 || may === 'public' || may === undefined) {
        const reads = SAFE.has(request.method)
        if (unlimited !== true)
          await limit(request, reply, reads ? `${from} reads` : from, reads ? max * PUBLIC_READS : max)
        return
      }
      if (!claimed()) {
        await limit(request, reply, from, max)
        throw new Recoverable('UNAVAILABLE', UNCLAIMED)
      }
      const bearer = bearerIn(request)
      if (bearer === undefined) {
        deny(request, 'nobody', may, 'no token')
        throw new Unauthenticated()
      }
      const who = await access.verify(bearer).catch(async (error: unknown) => {
        deny(request, 'nobody', may, 'no valid token')
        // Wrong tokens count for the address they come from, on every route.
        await limit(request, reply, from, max)
        throw error
      })
      if (unlimited !== true) await limit(request, reply, originOf(who), max)
      const verdict = access.may(who, may)
      if (!verdict.ok) {
        deny(request, originOf(who), may, verdict.reason)
        throw new Forbidden(verdict.reason, { right: may })
      }
      const caller: Caller = { ...who, peer: peerOf(request.socket.remoteAddress, request.headers) }
      request.principal = caller
    })

    // Whatever a person changes in the hub's configuration has its row, whoever wrote the route (ID-8).
    app.addHook('onResponse', async (request, reply) => {
      const { may } = request.routeOptions.config
      if (SAFE.has(request.method) || reply.statusCode >= 400 || may === undefined || !CHANGES.has(may)) return
      access.changed?.(originOf(request.principal), {
        route: routeOf(request),
        params: request.params,
        body: request.body,
      })
    })
  }

const routeOf = ({ method, routeOptions: { url } }: FastifyRequest): string => `${method} ${url ?? ''}`

/** Rights whose routes change how the hub works and leave no row of their own. What they are sent holds no secrets. */
const CHANGES: ReadonlySet<Right | 'public'> = new Set(['devices.manage', 'flows.manage', 'settings.manage'])

const NO_LIMIT = { max: 0, remaining: 0, isExceeded: false, ttlInSeconds: 0 }

const bearerIn = ({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined =>
  /^Bearer +([\w.~+/-]+=*)$/i.exec(headers.authorization ?? '')?.[1]

/** The token of a request, from the header only: in an address it would end in logs and histories (RFC 6750, 5.3). */
export const bearerOf = (request: Pick<FastifyRequest, 'headers'>): string => {
  const token = bearerIn(request)
  if (token === undefined) throw new Unauthenticated()
  return token
}
