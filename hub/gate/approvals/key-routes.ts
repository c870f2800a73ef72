// What each intent takes, and the keys that sign requests.
import { z } from 'zod'
import { iso } from '../../clock.ts'
import type { Routes } from '../../http/app.ts'
import { DeviceId } from '../../topics/core.ts'
import { HAZARDS } from '../hazards.ts'
import { PRESENCES } from '../policy/schema.ts'
import type { GateRoutesParts } from '../routes.ts'
import { ALGORITHMS } from './signatures.ts'

const Key = z.object({
  id: z.string(),
  owner: z.string(),
  algorithm: z.enum(ALGORITHMS),
  createdAt: z.string(),
  secret: z.string().optional(),
})
export const keyRoutes =
  ({ gate }: Pick<GateRoutesParts, 'gate'>): Routes =>
  (app) => {
    app.get(
      '/api/safety/intents',
      {
        config: { may: 'devices.read' },
        schema: {
          summary:
            'What devices can do and what the policy wants for it: hazard, people who have to say yes, signature, presence, whether it is done at all',
          tags: ['safety'],
          querystring: z.strictObject({ device: DeviceId.optional() }),
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  device: z.string(),
                  intent: z.string(),
                  safe: z.boolean(),
                  enabled: z.boolean(),
                  hazard: z.enum(HAZARDS),
                  rule: z.string(),
                  confirmation: z.number(),
                  signature: z.boolean(),
                  presence: z.enum(PRESENCES),
                  zone: z.string().optional(),
                  ask: z.array(z.string()).optional(),
                  approve: z.array(z.string()).optional(),
                }),
              ),
            }),
          },
        },
      },
      async (request) => ({ items: gate.safety.intents(request.query.device) }),
    )

    app.get(
      '/api/safety/keys',
      {
        config: { may: 'keys.own' },
        schema: {
          summary: 'Signing keys that count: one’s own, or of a device',
          tags: ['safety'],
          querystring: z.strictObject({ device: DeviceId.optional() }),
          response: { 200: z.object({ items: z.array(Key) }) },
        },
      },
      async (request) => ({ items: (await gate.safety.keys(request.principal, request.query.device)).map(keyOf) }),
    )

    app.post(
      '/api/safety/keys',
      {
        config: { may: 'keys.own' },
        schema: {
          summary: 'A new signing key: of one’s own, or of a device. The newest two of each count',
          description: 'Ed25519: send `publicKey`. HMAC-SHA256: the secret is in the answer, this once.',
          tags: ['safety'],
          body: z.strictObject({
            algorithm: z.enum(ALGORITHMS),
            publicKey: z.string().max(1000).optional(),
            device: DeviceId.optional(),
          }),
          response: { 201: Key },
        },
      },
      async (request, reply) => {
        const { algorithm, publicKey, device } = request.body
        const key = await gate.safety.addKey(request.principal, {
          algorithm,
          ...(publicKey === undefined ? {} : { publicKey }),
          ...(device === undefined ? {} : { device }),
        })
        return reply.code(201).send(keyOf(key))
      },
    )

    app.delete(
      '/api/safety/keys/:id',
      {
        config: { may: 'keys.own' },
        schema: {
          summary: 'Remove a signing key',
          tags: ['safety'],
          params: z.object({ id: z.string().min(1).max(64) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await gate.safety.removeKey(request.principal, request.params.id)
        return reply.code(204).send(null)
      },
    )
  }

const keyOf = ({
  createdAt,
  ...key
}: {
  id: string
  owner: string
  algorithm: (typeof ALGORITHMS)[number]
  createdAt: number
  secret?: string
}) => ({ ...key, createdAt: iso(createdAt) })
