// Routes of access: tokens, me, people, API keys and the claim.
import { z } from 'zod'
import { originOf, ROLES } from '../bus/principal.ts'
import { Forbidden, Recoverable } from '../errors.ts'
import type { Routes } from '../http/app.ts'
import type { Access } from './access.ts'
import type { Claim } from './claim.ts'
import { bearerOf } from './guard.ts'
import { Username } from './people.ts'
import { signInRoutes } from './oidc/routes.ts'
import { RIGHTS, rightsOf } from './policy.ts'
import { signingKeyRoutes } from './signing-key-routes.ts'

export interface AccessRoutesParts {
  access: Access
  claim: Claim
  /** Topic prefix without the slash at its end. */
  prefix: string
  /** For where an issuer sends browsers back to: the address of this hub, and pages of other names that may call. */
  publicUrl?: string | undefined
  allowedOrigins?: readonly string[]
}

/** Longer than any password that is accepted, so that a person learns why, and short enough to hash. */
const Secret = z.string().min(1).max(1024)
const Scope = z.enum(RIGHTS)
const PersonView = z.object({
  username: z.string(),
  roles: z.array(z.enum(ROLES)).readonly(),
  createdAt: z.string(),
  external: z.boolean().optional().describe('Signs in at an issuer, which says their roles'),
})
const IdentityView = z.object({
  id: z.string(),
  issuer: z.string(),
  subject: z.string(),
  username: z.string().optional().describe('Left out: removed here, and not let in'),
  createdAt: z.string(),
})
const KeyView = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  scopes: z.array(Scope).readonly(),
  createdAt: z.string(),
  expiresAt: z.string().optional(),
})
const Done = z.null().describe('Done')
const named = z.object({ name: Username })

const retryAfterOf = (error: unknown): number | undefined => {
  const seconds =
    error instanceof Recoverable && error.code === 'RATE_LIMITED' ? error.details['retryAfter'] : undefined
  return typeof seconds === 'number' ? seconds : undefined
}

/** The routes of access. `POST /token` takes a form or JSON. */
export const accessRoutes =
  ({ access, claim, prefix, publicUrl, allowedOrigins = [] }: AccessRoutesParts): Routes =>
  (app) => {
    signInRoutes(app, access.signIn, { publicUrl, allowedOrigins })
    signingKeyRoutes(app, access)
    app.route({
      method: 'POST',
      url: '/token',
      config: { may: 'public' },
      schema: {
        tags: ['access'],
        summary: 'OAuth2 password grant: a token for a user name and a password',
        body: z.object({
          grant_type: z.literal('password').default('password'),
          username: z.string().min(1).max(64),
          password: Secret,
        }),
        response: {
          200: z.object({ access_token: z.string(), token_type: z.literal('bearer'), expires_in: z.number() }),
        },
      },
      handler: async (request, reply) => {
        const { username, password } = request.body
        try {
          const { token, expiresIn } = await access.login({ username, password, address: request.ip })
          // RFC 6749, 5.1.
          void reply.header('Cache-Control', 'no-store')
          return { access_token: token, token_type: 'bearer' as const, expires_in: expiresIn }
        } catch (error) {
          const seconds = retryAfterOf(error)
          if (seconds !== undefined) void reply.header('Retry-After', seconds)
          throw error
        }
      },
    })

    app.route({
      method: 'GET',
      url: '/api/me',
      config: { may: 'self.read' },
      schema: {
        tags: ['access'],
        summary: 'Who I am and what I may',
        response: {
          200: z.object({
            kind: z.string(),
            id: z.string(),
            origin: z.string(),
            clientId: z.string().optional().describe('MQTT client id; a suffix after - may be added'),
            roles: z.array(z.enum(ROLES)).readonly(),
            rights: z.array(Scope),
            prefix: z.string().describe('Topic prefix, without the slash at its end'),
          }),
        },
      },
      handler: async ({ principal }) => ({
        kind: principal.kind,
        id: principal.id,
        prefix,
        origin: originOf(principal),
        ...(principal.clientId === undefined ? {} : { clientId: principal.clientId }),
        roles: principal.roles,
        rights: rightsOf(principal),
      }),
    })

    app.route({
      method: 'POST',
      url: '/api/me/password',
      config: { may: 'self.manage' },
      schema: {
        tags: ['access'],
        summary: 'Change my password; every token of mine is void after it',
        body: z.strictObject({ current: Secret, password: Secret }),
        response: { 204: Done },
      },
      handler: async (request, reply) => {
        const { principal, ip, body } = request
        await access.login({ username: principal.id, password: body.current, address: ip })
        await access.setPassword(principal.id, body.password, originOf(principal))
        return reply.code(204).send(null)
      },
    })

    app.route({
      method: 'POST',
      url: '/api/me/token',
      config: { may: 'self.read' },
      schema: {
        tags: ['access'],
        summary: 'A new token for the one I have, before it ends',
        response: {
          200: z.object({ access_token: z.string(), token_type: z.literal('bearer'), expires_in: z.number() }),
        },
      },
      handler: async (request, reply) => {
        const { token, expiresIn } = await access.renew(bearerOf(request))
        void reply.header('Cache-Control', 'no-store')
        return { access_token: token, token_type: 'bearer' as const, expires_in: expiresIn }
      },
    })

    people(app, access)
    identities(app, access)
    keys(app, access)

    app.route({
      method: 'GET',
      url: '/api/claim',
      config: { may: 'public' },
      schema: {
        tags: ['access'],
        summary: 'Whether somebody has claimed this hub, and whether it can be claimed now',
        response: { 200: z.object({ claimed: z.boolean(), open: z.boolean() }) },
      },
      handler: async () => ({ claimed: access.claimed, open: claim.open }),
    })

    app.route({
      method: 'POST',
      url: '/api/claim',
      config: { may: 'public' },
      schema: {
        tags: ['access'],
        summary: 'Become the first admin, with the code the hub printed',
        body: z.strictObject({
          code: z.string().min(1).max(64),
          username: Username,
          password: Secret,
          openToNetwork: z.boolean().default(false).describe('Listen on the network, not on this computer alone'),
        }),
        response: { 201: PersonView },
      },
      handler: async (request, reply) => {
        const person = await claim.claim({ ...request.body, address: request.ip })
        return reply.code(201).send(person)
      },
    })
  }

const people = (app: Parameters<Routes>[0], access: Access): void => {
  app.route({
    method: 'GET',
    url: '/api/people',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: 'Everybody who may log in',
      response: { 200: z.object({ items: z.array(PersonView) }) },
    },
    handler: async () => ({ items: await access.people() }),
  })

  app.route({
    method: 'POST',
    url: '/api/people',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: 'Let somebody in',
      body: z.strictObject({ username: Username, password: Secret, roles: z.array(z.enum(ROLES)).min(1) }),
      response: { 201: PersonView },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await access.addPerson(request.body, originOf(request.principal))),
  })

  app.route({
    method: 'DELETE',
    url: '/api/people/:name',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: 'Let somebody in no longer: tokens, keys and connections end',
      params: named,
      response: { 204: Done },
    },
    handler: async (request, reply) => {
      await access.removePerson(request.params.name, originOf(request.principal))
      return reply.code(204).send(null)
    },
  })

  app.route({
    method: 'POST',
    url: '/api/people/:name/password',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: "Set somebody's password; their tokens are void after it",
      params: named,
      body: z.strictObject({ password: Secret }),
      response: { 204: Done },
    },
    handler: async (request, reply) => {
      await access.setPassword(request.params.name, request.body.password, originOf(request.principal))
      return reply.code(204).send(null)
    },
  })
}

const identities = (app: Parameters<Routes>[0], access: Access): void => {
  app.route({
    method: 'PUT',
    url: '/api/people/:name/roles',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: "Change somebody's roles; their tokens and connections end",
      params: named,
      body: z.strictObject({ roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length) }),
      response: { 200: PersonView },
    },
    handler: async ({ params, body, principal }) => access.setRoles(params.name, body.roles, originOf(principal)),
  })

  app.route({
    method: 'GET',
    url: '/api/identities',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: 'Who signs in at an issuer, and who that is here',
      response: { 200: z.object({ items: z.array(IdentityView) }) },
    },
    handler: async () => ({ items: await access.identities() }),
  })

  app.route({
    method: 'POST',
    url: '/api/people/:name/identities',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: 'Let somebody with a password here sign in at an issuer, too',
      params: named,
      body: z.strictObject({
        issuer: z.string().min(1).max(10).describe('Its id in the configuration'),
        subject: z.string().min(1).max(255).describe('`sub` of its tokens'),
      }),
      response: { 201: IdentityView },
    },
    handler: async ({ params, body, principal }, reply) =>
      reply.code(201).send(await access.link(params.name, body, originOf(principal))),
  })

  app.route({
    method: 'DELETE',
    url: '/api/identities/:id',
    config: { may: 'people.manage' },
    schema: {
      tags: ['access'],
      summary: 'Forget an identity; who was removed here is a stranger again, and may be let in by the issuer',
      params: z.object({ id: z.string().regex(/^[0-9a-f]{12}$/) }),
      response: { 204: Done },
    },
    handler: async ({ params, principal }, reply) => {
      await access.unlink(params.id, originOf(principal))
      return reply.code(204).send(null)
    },
  })
}

const keys = (app: Parameters<Routes>[0], access: Access): void => {
  app.route({
    method: 'GET',
    url: '/api/keys',
    config: { may: 'keys.own' },
    schema: {
      tags: ['access'],
      summary: 'My API keys',
      response: { 200: z.object({ items: z.array(KeyView) }) },
    },
    handler: async ({ principal }) => ({ items: await access.keys(principal.id) }),
  })

  app.route({
    method: 'POST',
    url: '/api/keys',
    config: { may: 'keys.own' },
    schema: {
      tags: ['access'],
      summary: 'A new API key with some of my rights; the key is shown this once',
      body: z.strictObject({
        name: z.string().trim().min(1).max(80),
        scopes: z.array(Scope).min(1),
        days: z.number().int().min(1).max(3650).optional().describe('Its life; without it the key does not expire'),
      }),
      response: { 201: KeyView.extend({ key: z.string() }) },
    },
    handler: async ({ principal, body }, reply) => {
      if (principal.scopes !== undefined) {
        throw new Forbidden('A key cannot make keys: log in with user name and password.')
      }
      const { name, scopes, days } = body
      const key = await access.issueKey(
        principal.id,
        { name, scopes, ...(days === undefined ? {} : { days }) },
        originOf(principal),
      )
      return reply.code(201).header('Cache-Control', 'no-store').send(key)
    },
  })

  app.route({
    method: 'DELETE',
    url: '/api/keys/:id',
    config: { may: 'keys.own' },
    schema: {
      tags: ['access'],
      summary: 'Revoke a key of mine; connections made with it end',
      params: z.object({ id: z.string().min(1).max(64) }),
      response: { 204: Done },
    },
    handler: async ({ principal, params }, reply) => {
      await access.revokeKey(principal.id, params.id, originOf(principal))
      return reply.code(204).send(null)
    },
  })
}
