// Routes of the broker: its clients with their queues, drops and last errors, and who may publish what.
import { z } from 'zod'
import { originOf } from '../bus/principal.ts'
import { isTopic } from '../bus/filters.ts'
import { iso } from '../clock.ts'
import { Invalid, Missing, Recoverable } from '../errors.ts'
import type { Log } from '../health/report.ts'
import type { Routes } from '../http/app.ts'
import type { Broker } from './broker.ts'
import { type ClientRow, clientRows, countRows, isAbout } from './client-rows.ts'
import { explainRight, type RightParts } from './right.ts'
import type { SessionStore } from './sessions/store.ts'

const ClientItem = z.object({
  clientId: z.string(),
  principal: z.string().describe('Such as device:dust; empty when nobody knows'),
  online: z.boolean().describe('false: a session whose client is not connected'),
  address: z.string().optional(),
  protocol: z
    .union([z.literal(3), z.literal(4), z.literal(5)])
    .optional()
    .describe('3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0'),
  connectedAt: z.string().optional().describe('ISO 8601 UTC'),
  subscriptions: z.number(),
  queued: z.number().describe('Messages that wait in its session'),
  queuedBytes: z.number(),
  dropped: z.number().describe('Messages it should have got and did not'),
  bufferedBytes: z.number().describe('Written to its connection and not taken yet'),
  lastError: z
    .object({ at: z.string().describe('ISO 8601 UTC'), what: z.string() })
    .optional()
    .describe('What was refused, malformed or cut last, since the start'),
  expiresAt: z.string().optional().describe('When the session ends unless its client comes back, ISO 8601 UTC'),
})

const Clients = z.object({
  items: z.array(ClientItem),
  total: z.number().describe('How many there are that fit, also beyond the limit'),
  counts: z
    .object({
      connected: z.number(),
      asleep: z.number().describe('Sessions whose client is not connected'),
      queued: z.number(),
      queuedBytes: z.number().describe('A message that waits for several clients counts for each'),
      dropped: z.number().describe('Since the start, of the clients that are listed; /metrics has those of all'),
      slowClientsCut: z.number().describe('Since the start'),
    })
    .describe('Of all clients, whatever the query asks for'),
})

const ClientId = z.string().min(1).max(128)
const params = z.object({ clientId: ClientId })
const Done = z.null().describe('Done')

export interface BrokerRoutesParts extends RightParts {
  broker: Pick<Broker, 'clients' | 'counters' | 'disconnect' | 'lastError'>
  sessions: Pick<SessionStore, 'views'>
  log: Pick<Log, 'info'>
}

export const brokerRoutes =
  ({ broker, sessions, log, ...right }: BrokerRoutesParts): Routes =>
  (app) => {
    const rows = (): ClientRow[] =>
      clientRows({
        clients: broker.clients(),
        sessions: sessions.views(),
        lastErrorOf: (clientId) => broker.lastError?.(clientId),
      })

    const disconnect = async (clientId: string, how: 'keep' | 'forget', by: string): Promise<void> => {
      if (broker.disconnect === undefined) {
        throw new Recoverable('UNAVAILABLE', 'Another broker holds the clients (BROKER_URL): disconnect them there.')
      }
      log.info(how === 'keep' ? 'mqtt-client-disconnected' : 'mqtt-session-purged', { clientId, by })
      await broker.disconnect(clientId, how)
    }

    app.get(
      '/api/broker/clients',
      {
        config: { may: 'broker.read' },
        schema: {
          summary: 'MQTT clients and sleeping sessions, those in trouble first',
          tags: ['broker'],
          querystring: z.strictObject({
            online: z.enum(['true', 'false']).optional().describe('Only connected ones, or only sleeping sessions'),
            text: z
              .string()
              .max(128)
              .optional()
              .describe('Only those with it in client id, principal, address or last error'),
            limit: z.coerce.number().int().min(1).max(1000).default(200),
          }),
          response: { 200: Clients },
        },
      },
      (request) => {
        const { online, text = '', limit } = request.query
        const all = rows()
        const fitting = all.filter(
          (row) => (online === undefined || row.online === (online === 'true')) && (text === '' || isAbout(row, text)),
        )
        const { slowClientsCut } = broker.counters()
        return {
          items: fitting.slice(0, limit).map(itemOf),
          total: fitting.length,
          counts: { ...countRows(all), slowClientsCut },
        }
      },
    )

    app.post(
      '/api/broker/clients/:clientId/disconnect',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'End a client’s connection; its session stays and its will is published. It may come back at once',
          tags: ['broker'],
          params,
          response: { 204: Done },
        },
      },
      async ({ params: { clientId }, principal }, reply) => {
        if (!broker.clients().some((client) => client.clientId === clientId)) {
          throw new Missing(`No client with the id ${clientId} is connected. GET /api/broker/clients lists them.`)
        }
        await disconnect(clientId, 'keep', originOf(principal))
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/api/broker/clients/:clientId/session',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'Purge a session: subscriptions, what waits and the will. Ends the connection too, if there is one',
          tags: ['broker'],
          params,
          response: { 204: Done },
        },
      },
      async ({ params: { clientId }, principal }, reply) => {
        if (!rows().some((row) => row.clientId === clientId)) {
          throw new Missing(`There is no session of ${clientId}. GET /api/broker/clients lists them.`)
        }
        await disconnect(clientId, 'forget', originOf(principal))
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/api/broker/right',
      {
        config: { may: 'broker.read' },
        schema: {
          summary: 'Whether somebody may publish a topic and by which rule, as the rights are now',
          tags: ['broker'],
          querystring: z.strictObject({
            origin: z.string().min(1).max(200).describe('Such as device:dust, person:ada, flow:fan or gate'),
            topic: z.string().min(1).max(1024).describe('The full topic, with the prefix'),
          }),
          response: {
            200: z.object({
              allowed: z.boolean(),
              why: z.string().describe('By the rights as they are now, which may differ from those at the time'),
            }),
          },
        },
      },
      (request) => {
        const { origin, topic } = request.query
        if (!isTopic(topic)) throw new Invalid('topic', topic, 'must be an MQTT topic without + and #')
        return explainRight(right, origin, topic)
      },
    )
  }

const itemOf = ({ connectedAt, expiresAt, lastError, ...row }: ClientRow): z.output<typeof ClientItem> => ({
  ...row,
  ...(connectedAt === undefined ? {} : { connectedAt: iso(connectedAt) }),
  ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
  ...(lastError === undefined ? {} : { lastError: { ...lastError, at: iso(lastError.at) } }),
})
