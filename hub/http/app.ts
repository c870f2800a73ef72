// The web app: what a route is here. Each part brings its own routes; every route says which right it takes.
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Right } from '../access/policy.ts'
import type { Principal } from '../bus/principal.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** A part's routes. Registered under one app; schemas are zod on params, query, body and answers. */
export type Routes = (app: App) => void

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The right a route takes; `public` needs no token. The app does not start with a route that says nothing. */
    may?: Right | 'public'
    /** Exempt from the rate limit (stop, pause). */
    unlimited?: boolean
    /** Set by the app on WebSocket routes; an upgrade anywhere else is refused. */
    upgrades?: boolean
  }
  interface FastifyRequest {
    /** Who asks; set before the handler of every route that is not public. */
    principal: Principal
    /** From `X-Correlation-ID`, or made. */
    correlation: string
  }
}
