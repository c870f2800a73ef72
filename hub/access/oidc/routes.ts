// Routes of signing in with a browser at an issuer: who there is, there, back, and the token for the tab that went.
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Forbidden, Recoverable } from '../../errors.ts'
import type { App } from '../../http/app.ts'
import { originAllowed } from '../../http/origin.ts'
import type { SignIn } from './sign-in.ts'

interface Places {
  publicUrl: string | undefined
  allowedOrigins: readonly string[]
}

const BACK = '/api/login/oidc/callback'
/** 32 random bytes as base64url; made by the page and known to its tab alone. */
const Binder = z.string().regex(/^[\w-]{43,86}$/, 'must be 43 to 86 of A-Z, a-z, 0-9, _ and -')
const Word = z.string().min(1).max(4096)

/** Where the issuer sends the browser back to: this hub, at the address it was opened with, unless that is no name of this hub. */
const redirectUri = (request: FastifyRequest, { publicUrl, allowedOrigins }: Places): string => {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '') + BACK
  const { host } = request.headers
  const origin = `${request.protocol}://${host ?? ''}`
  if (host === undefined || !originAllowed(origin, host, allowedOrigins)) {
    throw new Forbidden(
      'This hub does not know itself by the name it was opened with. Set access.publicUrl in the config file to it.',
      { field: 'Host', value: host?.slice(0, 200) },
    )
  }
  return origin + BACK
}

/** A fragment is sent to no server; a word that nobody made gives the page the reason when it hands it in. */
const backTo = (handover: string): string => `/login#oidc=${handover}`

/** Registers them. The page opens the first, and hands in the code after `#oidc=` with its binder. */
export const signInRoutes = (app: App, signIn: SignIn, places: Places): void => {
  app.route({
    method: 'GET',
    url: '/api/login',
    config: { may: 'public' },
    schema: {
      tags: ['access'],
      summary: 'Where one can sign in besides with a password',
      response: { 200: z.object({ issuers: z.array(z.object({ id: z.string(), title: z.string() })) }) },
    },
    handler: async () => ({ issuers: signIn.issuers() }),
  })

  app.route({
    method: 'GET',
    url: '/api/login/oidc',
    config: { may: 'public' },
    schema: {
      tags: ['access'],
      summary: 'Sends the browser to an issuer to sign in',
      querystring: z.object({
        issuer: z.string().min(1).max(10),
        binder: Binder.describe('A secret of the tab, needed again to get the token'),
      }),
      response: { 302: z.null().describe('To the issuer') },
    },
    handler: async (request, reply) => {
      const { issuer, binder } = request.query
      void reply.header('Cache-Control', 'no-store')
      try {
        const url = await signIn.begin({ issuer, binder, redirectUri: redirectUri(request, places) })
        return reply.redirect(url, 302)
      } catch (error) {
        // A browser is here, not a script: the page tells the reason.
        if (!(error instanceof Recoverable)) throw error
        return reply.redirect(backTo(signIn.fail({ binder, problem: error.message })), 302)
      }
    },
  })

  app.route({
    method: 'GET',
    url: BACK,
    config: { may: 'public' },
    schema: {
      tags: ['access'],
      summary: 'Where an issuer sends the browser back to',
      querystring: z.object({
        state: Word.optional(),
        code: Word.optional(),
        error: Word.optional(),
        iss: Word.optional(),
      }),
      response: { 302: z.null().describe('To the login page, with a code for its tab in the fragment') },
    },
    handler: async ({ query }, reply) => {
      const { state = '', code, error, iss } = query
      const back = {
        state,
        ...(code === undefined ? {} : { code }),
        ...(error === undefined ? {} : { error }),
        ...(iss === undefined ? {} : { iss }),
      }
      return reply.header('Cache-Control', 'no-store').redirect(backTo(signIn.arrive(back) ?? 'gone'), 302)
    },
  })

  app.route({
    method: 'POST',
    url: '/api/login/oidc/token',
    config: { may: 'public' },
    schema: {
      tags: ['access'],
      summary: 'The token, for the tab that began to sign in',
      body: z.strictObject({ code: z.string().min(1).max(64), binder: Binder }),
      response: {
        200: z.object({
          access_token: z.string(),
          token_type: z.literal('bearer'),
          expires_in: z.number(),
          username: z.string(),
        }),
      },
    },
    handler: async ({ body, ip }, reply) => {
      const { token, expiresIn, username } = await signIn.redeem({ ...body, address: ip })
      void reply.header('Cache-Control', 'no-store')
      return { access_token: token, token_type: 'bearer' as const, expires_in: expiresIn, username }
    },
  })
}
