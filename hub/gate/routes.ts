// Routes of the gate: commands, the stop, and the audit.
import { z } from 'zod'
import { iso } from '../clock.ts'
import { Missing } from '../errors.ts'
import type { Routes } from '../http/app.ts'
import type { Store } from '../store/store.ts'
import { DeviceId, Request } from '../topics/core.ts'
import { accepted, timeOf } from './answers.ts'
import { Asked, askedView } from './asked.ts'
import { safetyRoutes } from './approvals/routes.ts'
import { Signature } from './approvals/signatures.ts'
import { detailOf } from './audit.ts'
import type { Gate } from './gate.ts'

const NO_SUBSTITUTE =
  'This is no substitute for a physical emergency stop: it reaches only devices that are connected and obey. Where something may hurt somebody, press the red button.'

const Command = z.object({
  commandId: z.string(),
  device: z.string(),
  intent: z.string(),
  payload: z.record(z.string(), z.unknown()),
  requestedBy: z.string(),
  correlationId: z.string(),
  issuedAt: z.string(),
  expiresAt: z.string(),
  status: z.string(),
  history: z.array(z.object({ at: z.string(), status: z.string(), detail: z.string().optional() })),
  result: z
    .object({
      id: z.string(),
      status: z.string(),
      intent: z.string(),
      reason: z.string().optional(),
      correlationId: z.string().optional(),
    })
    .optional(),
})

const AuditRow = z.object({
  n: z.number(),
  at: z.string(),
  event: z.string(),
  subject: z.string(),
  who: z.string(),
  device: z.string(),
  intent: z.string(),
  detail: z.record(z.string(), z.unknown()),
  hash: z.string(),
})

const Limit = (most: number, usual: number) => z.coerce.number().int().min(1).max(most).default(usual)
const { intent, payload, correlationId, id, reason, expiresAt, conversationId } = Request.shape

export interface GateRoutesParts {
  gate: Gate
  store: Pick<Store, 'db'>
}

export const gateRoutes =
  ({ gate, store }: GateRoutesParts): Routes =>
  (app) => {
    safetyRoutes({ gate, store })(app)

    app.post(
      '/api/device/:id/command',
      {
        config: { may: 'devices.request' },
        schema: {
          summary: 'Ask a device for something: 202 when it is on its way, or why not',
          description:
            '400 the payload does not fit; 403 no right, an interlock, a hazard; 404 unknown or offline; 409 busy, wrong state or id used before; 410 expired; 422 unknown intent; 503 nothing can be recorded.',
          tags: ['commands'],
          params: z.object({ id: DeviceId }),
          body: z.strictObject({
            intent,
            payload,
            correlationId,
            conversationId,
            id,
            reason,
            expiresAt,
            safetySignature: Signature.optional().describe('Where the policy wants one'),
          }),
          response: { 202: Asked },
        },
      },
      async (request, reply) => {
        const { safetySignature, ...body } = request.body
        const wish = { ...body, correlationId: body.correlationId ?? request.correlation.slice(0, 128) }
        const answer = accepted(await gate.ask(request.principal, request.params.id, wish, safetySignature))
        return reply.code(202).send(askedView(answer))
      },
    )

    app.get(
      '/api/commands/:commandId',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'A command with its history and result',
          tags: ['commands'],
          params: z.object({ commandId: z.string().min(1).max(128) }),
          response: { 200: Command },
        },
      },
      async (request) => {
        const command = await gate.command(request.params.commandId)
        if (command === undefined)
          throw new Missing(`There is no command '${request.params.commandId}'. GET /api/commands lists the newest.`)
        return command
      },
    )

    app.get(
      '/api/commands',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'Commands, newest first',
          tags: ['commands'],
          querystring: z.strictObject({ device: DeviceId.optional(), limit: Limit(1000, 100) }),
          response: { 200: z.object({ items: z.array(Command) }) },
        },
      },
      async (request) => {
        const { device, limit } = request.query
        return { items: await gate.commands({ ...(device === undefined ? {} : { device }), limit }) }
      },
    )

    app.post(
      '/api/safety/stop',
      {
        config: { may: 'safety.stop', unlimited: true },
        schema: {
          summary: 'Stop what moves: sends every device its safe intents',
          description: NO_SUBSTITUTE,
          tags: ['safety'],
          body: z.strictObject({ reason: z.string().max(500).optional() }).nullish(),
          response: {
            200: z.object({
              id: z.string(),
              devices: z.array(
                z.object({ device: z.string(), intents: z.array(z.string()), error: z.string().optional() }),
              ),
              note: z.string(),
            }),
          },
        },
      },
      async (request) => ({ ...(await gate.stop(request.principal, request.body?.reason ?? '')), note: NO_SUBSTITUTE }),
    )

    app.get(
      '/api/audit',
      {
        config: { may: 'audit.read' },
        schema: {
          summary: 'The audit, newest first',
          tags: ['audit'],
          querystring: z.strictObject({
            since: z.string().max(40).optional().describe('ISO 8601'),
            before: z.coerce.number().int().min(1).optional().describe('Rows before this number, for the next page'),
            limit: Limit(1000, 100),
            until: z.string().max(40).optional().describe('ISO 8601'),
            device: DeviceId.optional(),
            subject: z.string().min(1).max(128).optional().describe('Id of a command'),
            who: z.string().min(1).max(200).optional().describe('Origin of whoever did it, such as person:ada'),
            event: z
              .string()
              .min(1)
              .max(64)
              .optional()
              .describe('Name of an event, or its beginning with a * at the end: refused.*'),
          }),
          response: { 200: z.object({ items: z.array(AuditRow) }) },
        },
      },
      async (request) => {
        const { since, until, before, limit, device, subject, who, event } = request.query
        const [from, to] = [timeOf('since', since), timeOf('until', until)]
        let query = store.db.selectFrom('audit').selectAll().orderBy('n', 'desc').limit(limit)
        if (from !== undefined) query = query.where('at', '>=', from)
        if (to !== undefined) query = query.where('at', '<', to)
        if (who !== undefined) query = query.where('who', '=', who)
        if (event?.endsWith('*') === true)
          query = query.where('event', 'like', `${event.slice(0, -1).replace(/[%_\\]/g, '')}%`)
        else if (event !== undefined) query = query.where('event', '=', event)
        if (before !== undefined) query = query.where('n', '<', before)
        if (device !== undefined) query = query.where('device', '=', device)
        if (subject !== undefined) query = query.where('subject', '=', subject)
        const rows = await query.execute()
        return {
          items: rows.map(({ prev: _, ...row }) => ({
            ...row,
            n: Number(row.n),
            at: iso(Number(row.at)),
            detail: detailOf(row.detail),
          })),
        }
      },
    )

    app.get(
      '/api/audit/verify',
      {
        config: { may: 'audit.read' },
        schema: {
          summary: 'Walk the whole chain and name the first row that is not as it was written',
          tags: ['audit'],
          response: {
            200: z.object({
              rows: z.number(),
              ok: z.boolean(),
              heads: z.number().optional().describe('Signed heads that were looked at'),
              firstBad: z.object({ n: z.number(), why: z.string() }).optional(),
            }),
          },
        },
      },
      () => gate.verify(),
    )

    app.get(
      '/api/audit/head',
      {
        config: { may: 'audit.read' },
        schema: {
          summary: 'Where the chain ends, and the newest signed head that is kept outside the database',
          tags: ['audit'],
          response: {
            200: z.object({
              n: z.number(),
              hash: z.string(),
              anchored: z
                .object({
                  file: z.string(),
                  everyMinutes: z.number(),
                  key: z.string().describe('Fingerprint of the key that signs'),
                  newest: z
                    .object({
                      n: z.number(),
                      hash: z.string(),
                      at: z.string(),
                      key: z.string(),
                      signature: z.string(),
                    })
                    .optional()
                    .describe('Left out while none was written'),
                  wrong: z.string().optional().describe('Why the newest head does not count'),
                })
                .optional(),
            }),
          },
        },
      },
      () => gate.head(),
    )
  }
