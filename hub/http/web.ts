// The web port: one fastify app behind HTTP and HTTPS, with its guards, error shape, docs, static app and MQTT over WebSocket.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import cors from '@fastify/cors'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import websocket from '@fastify/websocket'
import { fastify } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { originOf } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Fatal, Forbidden, Missing, reasonOf, Recoverable } from '../errors.ts'
import { type Correlation, isCorrelationId, openCorrelation } from '../health/correlation.ts'
import type { Health, Log } from '../health/report.ts'
import type { App, Routes } from './app.ts'
import { DOCS, docs } from './docs.ts'
import { bodyOf, refusalOf } from './error-body.ts'
import { listen } from './listen.ts'
import { chooseProtocol, MAX_FRAME, mqttSocket } from './mqtt-socket.ts'
import { originAllowed } from './origin.ts'
import {
  brokenRequest,
  GRACE_MS,
  IDLE_MS,
  isWebSocket,
  JSON_TYPE,
  KEEP_ALIVE_MS,
  MAX_HEADER_BYTES,
  MAX_SOCKETS,
  share,
  REQUEST_MS,
  secureServer,
  shut,
  track,
} from './servers.ts'
import { ui } from './ui.ts'

export interface WebParts {
  config: {
    bind: string
    httpPort: number
    /** Left out: no HTTPS. */
    httpsPort?: number
    allowedOrigins: readonly string[]
    /** Where the built web app lies. */
    uiDir: string
  }
  tls?: { key: string; cert: string; onRenew?: (tell: (pair: { key: string; cert: string }) => void) => () => void }
  clock: Pick<Clock, 'now'>
  log: Log
  health: Health
  correlation?: Correlation
  /** Adds who may do what (and the rate limit) as hooks, before any route. */
  guard: (app: App) => void | Promise<void>
  routes: readonly Routes[]
  mqttOverWebSocket: (stream: Duplex, address: string) => void
  openapi: { title: string; version: string; description?: string }
}

export interface Web {
  app: App
  ports: { http: number; https: number | undefined }
  /** Ends within two seconds, open sockets and requests included. */
  close(): Promise<void>
}

const BODY_LIMIT = 1024 * 1024

const zodOnly = (): never => {
  throw new Fatal('A schema of a route was not given to zod.')
}

/** Builds the app and opens its ports. Rejects with Fatal when a port cannot be opened or a route says nothing of who may use it. */
export const openWeb = async (parts: WebParts): Promise<Web> => {
  const { config, tls } = parts
  const app = await buildApp(parts)
  let secure: HttpsServer | undefined
  const cuts = [track(app.server)]
  const cut = () => cuts.forEach((destroy) => destroy())
  try {
    const http = await listen(app.server, { variable: 'HTTP_PORT', port: config.httpPort, bind: config.bind })
    let https: number | undefined
    if (tls !== undefined && config.httpsPort !== undefined) {
      secure = secureServer(app, tls)
      cuts.push(track(secure))
      https = await listen(secure, { variable: 'HTTPS_PORT', port: config.httpsPort, bind: config.bind })
    }
    const stopRenewing = tls?.onRenew?.((pair) => secure?.setSecureContext(pair))
    let closing: Promise<void> | undefined
    return {
      app,
      ports: { http, https },
      close: () =>
        (closing ??= shut(app, secure, cut).then(() => {
          stopRenewing?.()
        })),
    }
  } catch (error) {
    await shut(app, secure, cut)
    throw error
  }
}

/** The app without a port: for tests that inject requests. */
export const buildApp = async (parts: Omit<WebParts, 'tls'>): Promise<App> => {
  const { config, clock, health, guard } = parts
  const log = parts.log.of('http')
  const correlation = parts.correlation ?? openCorrelation()
  let closing = false

  const app: App = fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 256 },
    // Schemas are zod's alone (set below): told so here, fastify does not load a validator and a serialiser of its own.
    schemaController: {
      compilersFactory: { buildValidator: () => zodOnly, buildSerializer: () => zodOnly },
    },
    http: { shouldUpgradeCallback: isWebSocket, maxHeaderSize: MAX_HEADER_BYTES },
    frameworkErrors: (error, request, reply) => {
      // No route, so no hooks: the answer is written as it is.
      const refusal = refusalOf(error, {}, BODY_LIMIT)
      const id = correlationFrom(request.raw)
      reply.hijack()
      reply.raw.writeHead(refusal.status, { 'content-type': JSON_TYPE, 'x-correlation-id': id, 'x-request-id': id })
      reply.raw.end(JSON.stringify(bodyOf(refusal, id, clock)))
    },
    clientErrorHandler: (error, socket) => brokenRequest(error, socket, clock, health),
  }).withTypeProvider<ZodTypeProvider>()
  app.server.maxConnections = MAX_SOCKETS
  share(app.server)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('correlation', '')

  const unguarded = new Set<string>()
  app.addHook('onRoute', (route) => {
    const foreign = route.url.startsWith(DOCS) || route.method === 'OPTIONS'
    if (foreign && route.config?.may === undefined) route.config = { ...route.config, may: 'public' }
    if (route.websocket === true) route.config = { ...route.config, upgrades: true }
    if (route.config?.may === undefined) unguarded.add(`${String(route.method)} ${route.url}`)
  })
  app.addHook('onRequest', (request, reply, done) => {
    request.correlation = correlationFrom(request.raw)
    void reply.header('x-correlation-id', request.correlation).header('x-request-id', request.correlation)
    correlation.run(request.correlation, done)
  })
  // Reading the body ends in the socket's own context: the id is taken up again.
  app.addHook('preValidation', (request, _, done) => correlation.run(request.correlation, done))
  app.addHook('onResponse', (request, reply, done) => {
    const { url: route = 'none', config: taken } = request.routeOptions
    const status = reply.statusCode
    health.metrics.observe('http_request_seconds', 'Time to answer a request', reply.elapsedTime / 1000, {
      method: request.method,
      route,
      status: `${Math.floor(status / 100)}xx`,
    })
    const quiet = taken.unlimited === true || (taken.may === 'public' && route !== '/token' && status < 400)
    const who = 'principal' in request && request.principal ? originOf(request.principal) : undefined
    log[quiet ? 'debug' : 'info']('request', {
      method: request.method,
      path: request.raw.url?.split('?')[0]?.slice(0, 300),
      status,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      correlation: request.correlation,
      from: request.ip,
      who,
    })
    done()
  })
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error, request, BODY_LIMIT)
    if (refusal.unforeseen) tellUnforeseen(error, request, log, health)
    return reply
      .code(refusal.status)
      .type(JSON_TYPE)
      .serializer(JSON.stringify)
      .send(bodyOf(refusal, request.correlation, clock))
  })
  app.setNotFoundHandler((request) => {
    throw new Missing(
      `There is nothing at ${request.method} ${String(request.raw.url?.split('?')[0]).slice(0, 200)}. /api/docs lists what there is.`,
    )
  })

  await app.register(websocket, {
    options: { maxPayload: MAX_FRAME, handleProtocols: chooseProtocol, perMessageDeflate: false },
    errorHandler: (_, socket) => socket.terminate(),
    preClose: (done) => {
      closing = true
      for (const client of app.websocketServer.clients) client.close(1001, 'the hub is stopping')
      setTimeout(() => {
        for (const client of app.websocketServer.clients) client.terminate()
      }, GRACE_MS / 2).unref()
      app.websocketServer.close()
      done()
    },
  })
  // After the WebSocket plugin's own hook, which sees to it that the socket of a refused upgrade is closed.
  app.addHook('onRequest', (request, reply, done) => {
    if (closing) {
      void reply.header('connection', 'close')
      done(new Recoverable('UNAVAILABLE', 'The hub is stopping. Try again in a few seconds.'))
      return
    }
    const upgrade = isWebSocket(request.raw)
    if (upgrade && request.routeOptions.config?.upgrades !== true && !request.is404) {
      done(new Missing('There is no WebSocket here; MQTT is at /mqtt.'))
      return
    }
    if (!upgrade && request.routeOptions.config?.upgrades === true) {
      done(new Missing('This is a WebSocket.'))
      return
    }
    if (upgrade && !originAllowed(request.headers.origin, request.headers.host, config.allowedOrigins)) {
      health.metrics.count('http_foreign_origins_total', 'WebSocket upgrades refused for their Origin')
      done(
        new Forbidden('Pages from this origin may not connect. ALLOWED_ORIGINS lists the ones that may.', {
          field: 'Origin',
          value: request.headers.origin,
        }),
      )
      return
    }
    done()
  })
  await app.register(helmet, SECURITY_HEADERS)
  await app.register(cors, {
    origin: config.allowedOrigins.length === 0 ? false : [...config.allowedOrigins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['X-Correlation-ID', 'X-Request-ID', 'Retry-After', 'X-RateLimit-Limit', 'X-RateLimit-Remaining'],
    maxAge: 600,
  })
  await app.register(formbody, { bodyLimit: 64 * 1024 })
  await guard(app)
  await app.after()
  if (!app.hasRequestDecorator('principal')) app.decorateRequest('principal')
  await docs(app, parts.openapi)
  for (const routes of [...parts.routes, mqttSocket(parts.mqttOverWebSocket)]) routes(app)
  await ui(app, config.uiDir)
  if (unguarded.size > 0)
    throw new Fatal(`These routes do not say who may use them (config.may): ${[...unguarded].join(', ')}`)
  await app.ready()
  return app
}

/** No script but the app's own files; styles may be inline, because component libraries set them so. No HSTS: the hub also answers over HTTP on the LAN. */
const SECURITY_HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'"],
      scriptSrcAttr: ["'none'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:', 'blob:'],
      mediaSrc: ["'self'", 'blob:'],
      fontSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      workerSrc: ["'self'", 'blob:'],
      manifestSrc: ["'self'"],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'self'"],
    },
  },
  strictTransportSecurity: false,
  crossOriginEmbedderPolicy: false,
  // Browsers ignore these two on plain HTTP and complain about it on every page.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
} as const

const correlationFrom = (request: IncomingMessage): string => {
  const given = request.headers['x-correlation-id']
  return isCorrelationId(given) ? given : randomUUID()
}

const tellUnforeseen = (
  error: unknown,
  request: { method: string; correlation: string; routeOptions: { url?: string | undefined } },
  log: Log,
  health: Pick<Health, 'report'>,
): void => {
  const route = `${request.method} ${request.routeOptions.url ?? ''}`
  const stack = error instanceof Error ? error.stack : undefined
  log.error('request.failed', { route, correlation: request.correlation, error })
  health.report({
    source: 'http',
    type: error instanceof Error ? error.name : 'Error',
    severity: 'error',
    category: 'system',
    message: `${route}: ${reasonOf(error)}`,
    details: { route },
    correlation_id: request.correlation,
    ...(stack === undefined ? {} : { stack }),
  })
}
