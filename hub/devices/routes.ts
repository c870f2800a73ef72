// Routes of devices and their credentials.
import { z } from 'zod'
import type { Access } from '../access/access.ts'
import { originOf } from '../bus/principal.ts'
import { iso } from '../clock.ts'
import { Missing } from '../errors.ts'
import type { Routes } from '../http/app.ts'
import { DeviceId } from '../topics/core.ts'
import type { Device, Devices } from './devices.ts'

const DeviceView = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.string(),
  area: z.string().optional(),
  online: z.boolean(),
  owner: z.string(),
  state: z.record(z.string(), z.unknown()),
  lastSeen: z.string().nullable().describe('ISO 8601; null for never'),
  intents: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .describe('JSON Schema of the payload of each intent'),
  safe: z.array(z.string()).describe('Intents that lead to the safe state'),
  maker: z.string().optional(),
  model: z.string().optional(),
  via: z.string().optional(),
})

const Credential = z.object({
  clientId: z.string(),
  device: z.string(),
  username: z.string(),
  topics: z.array(z.string()),
  createdAt: z.string(),
})

const Id = z.object({ id: DeviceId })

export interface DeviceRoutesParts {
  devices: Devices
  access: Pick<Access, 'credentials' | 'issueCredential' | 'revokeCredential'>
}

/** `/api/devices` and `/api/device-credentials`. */
export const deviceRoutes =
  ({ devices, access }: DeviceRoutesParts): Routes =>
  (app) => {
    app.get(
      '/api/devices',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'All devices, by id',
          tags: ['devices'],
          response: { 200: z.object({ items: z.array(DeviceView) }) },
        },
      },
      async () => ({ items: devices.list().map(viewOf) }),
    )

    app.get(
      '/api/devices/:id',
      {
        config: { may: 'devices.read' },
        schema: { summary: 'One device', tags: ['devices'], params: Id, response: { 200: DeviceView } },
      },
      async (request) => {
        const device = devices.get(request.params.id)
        if (device === undefined)
          throw new Missing(`There is no device '${request.params.id}'. GET /api/devices lists them.`)
        return viewOf(device)
      },
    )

    app.delete(
      '/api/devices/:id',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'Forget a device: its retained topics, its owner, and the credentials issued for it',
          tags: ['devices'],
          params: Id,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        const mine = (await access.credentials()).filter((credential) => credential.device === id)
        if (devices.get(id) === undefined && devices.ownerOf(id) === undefined && mine.length === 0) {
          throw new Missing(`There is no device '${id}'. GET /api/devices lists them.`)
        }
        // A credential left behind would bring the device back with its next message.
        for (const { clientId } of mine) await access.revokeCredential(clientId, originOf(request.principal))
        await devices.forget(id)
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/api/device-credentials',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'Issued device credentials, without secrets',
          tags: ['devices'],
          response: { 200: z.object({ items: z.array(Credential) }) },
        },
      },
      async () => ({ items: (await access.credentials()).map((one) => ({ ...one, topics: [...one.topics] })) }),
    )

    app.post(
      '/api/device-credentials',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'Issue a credential for a device, or new secrets for it (the old ones are revoked)',
          tags: ['devices'],
          body: z.strictObject({
            device: DeviceId,
            topics: z
              .array(z.string().min(1).max(512))
              .max(32)
              .optional()
              .describe('Further MQTT filters, prefix included'),
          }),
          response: {
            201: z.object({
              clientId: z.string(),
              username: z.string(),
              password: z.string().describe('Shown this once'),
            }),
          },
        },
      },
      async (request, reply) => {
        const { device, topics = [] } = request.body
        const by = originOf(request.principal)
        const { clientId, username, password } = await access.issueCredential(device, topics, by)
        return reply.code(201).send({ clientId, username, password })
      },
    )

    app.delete(
      '/api/device-credentials/:clientId',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'Revoke a credential: disconnects the device and forgets its session',
          tags: ['devices'],
          params: z.object({ clientId: z.string().min(1).max(128) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { clientId } = request.params
        if (!(await access.credentials()).some((credential) => credential.clientId === clientId)) {
          throw new Missing(`There is no credential '${clientId}'. GET /api/device-credentials lists them.`)
        }
        await access.revokeCredential(clientId, originOf(request.principal))
        return reply.code(204).send(null)
      },
    )
  }

const viewOf = (device: Device) => ({
  ...device,
  safe: [...device.safe],
  lastSeen: device.lastSeen === 0 ? null : iso(device.lastSeen),
})
