// Routes of the keys that sign the hub's own tokens: list, rotate, revoke. Secrets are never shown.
import { z } from 'zod'
import { originOf } from '../bus/principal.ts'
import type { App } from '../http/app.ts'
import type { Access } from './access.ts'

const View = z.object({
  kid: z.string(),
  state: z.enum(['signs', 'verifies']),
  createdAt: z.string().optional(),
  retiredAt: z.string().optional(),
})

/** Registers them. */
export const signingKeyRoutes = (
  app: App,
  access: Pick<Access, 'signingKeys' | 'rotateKeys' | 'revokeSigningKey'>,
): void => {
  app.route({
    method: 'GET',
    url: '/api/signing-keys',
    config: { may: 'settings.manage' },
    schema: {
      tags: ['access'],
      summary: 'The keys that sign tokens: the one that signs, and the one before',
      response: { 200: z.object({ items: z.array(View) }) },
    },
    handler: async () => ({ items: access.signingKeys() }),
  })

  app.route({
    method: 'POST',
    url: '/api/signing-keys',
    config: { may: 'settings.manage' },
    schema: {
      tags: ['access'],
      summary: 'Rotate: a new key signs, tokens of the one before live on until they expire',
      response: { 201: View },
    },
    handler: async ({ principal }, reply) => reply.code(201).send(access.rotateKeys(originOf(principal))),
  })

  app.route({
    method: 'DELETE',
    url: '/api/signing-keys/:kid',
    config: { may: 'settings.manage' },
    schema: {
      tags: ['access'],
      summary: 'Revoke: tokens made with this key are void at once, and MQTT connections of people end',
      params: z.object({ kid: z.string().min(1).max(64) }),
      response: { 204: z.null().describe('Done') },
    },
    handler: async ({ principal, params }, reply) => {
      access.revokeSigningKey(params.kid, originOf(principal))
      return reply.code(204).send(null)
    },
  })
}
