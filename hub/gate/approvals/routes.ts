// Routes of approvals: asking for what may hurt somebody, the answers of people, the release after a stop.
import { z } from 'zod'
import { Missing } from '../../errors.ts'
import type { Routes } from '../../http/app.ts'
import { Approval, DeviceId, Request } from '../../topics/core.ts'
import { accepted, timeOf } from '../answers.ts'
import { Asked, askedView } from '../asked.ts'
import type { GateRoutesParts } from '../routes.ts'
import { DECISIONS } from './book.ts'
import { eventRoutes } from './event-routes.ts'
import { keyRoutes } from './key-routes.ts'
import { Signature } from './signatures.ts'

const { intent, payload, correlationId, id, reason, expiresAt, conversationId } = Request.shape

const Listed = Approval.extend({
  requesterMayApprove: z.boolean().describe('Whether whoever asked may be one of those who say yes'),
  decidedAt: z.string().optional(),
  decidedBy: z.string().optional(),
  why: z.string().optional(),
})
const Command = z.object({
  commandId: z.string().optional(),
  status: z.string().optional(),
  http: z.number().optional(),
  reason: z.string().optional(),
  released: z.boolean().optional(),
})

export const safetyRoutes =
  ({ gate, store }: GateRoutesParts): Routes =>
  (app) => {
    eventRoutes({ store })(app)
    keyRoutes({ gate })(app)

    app.get(
      '/api/safety',
      {
        config: { may: 'health.read' },
        schema: {
          summary: 'Whether the shop is stopped, the policy that counts, and how many approvals are open',
          tags: ['safety'],
          response: {
            200: z.object({
              latched: z.object({ stop: z.string(), by: z.string(), reason: z.string(), at: z.string() }).optional(),
              policy: z.object({
                version: z.string(),
                file: z.string(),
                closed: z.boolean(),
                wrong: z.string().optional(),
              }),
              approvals: z.number(),
            }),
          },
        },
      },
      async () => gate.safety.status(),
    )

    app.get(
      '/api/remote/status',
      {
        config: { may: 'self.read' },
        schema: {
          summary: 'Whether the hub takes this session for one from outside: what needs an approval is refused to it',
          tags: ['safety'],
          response: {
            200: z.object({
              remote: z.boolean(),
              address: z.string(),
              why: z.string().optional(),
              hazards: z.enum(['refuse', 'allow']).describe('What the policy says of hazards from outside'),
            }),
          },
        },
      },
      async (request) => gate.safety.remote(request.principal),
    )

    app.post(
      '/api/safety/hazards',
      {
        config: { may: 'devices.request' },
        schema: {
          summary: 'Ask for something that may hurt somebody, with a signature where the policy wants one',
          description: 'The same as POST /api/device/:id/command. 202 awaiting_confirmation names the approval.',
          tags: ['safety'],
          body: z.strictObject({
            device: DeviceId,
            intent,
            payload,
            correlationId,
            conversationId,
            id,
            reason,
            expiresAt,
            signature: Signature.optional(),
          }),
          response: { 202: Asked },
        },
      },
      async (request, reply) => {
        const { device, signature, ...body } = request.body
        const wish = { ...body, correlationId: body.correlationId ?? request.correlation.slice(0, 128) }
        return reply.code(202).send(askedView(accepted(await gate.ask(request.principal, device, wish, signature))))
      },
    )

    app.post(
      '/api/safety/hazards/approve',
      {
        config: { may: 'hazards.approve', unlimited: true },
        schema: {
          summary: 'Answer an approval: yes, no, or cancel',
          description:
            '`digest` is that of the approval as it was seen. The first yes takes the phrase. 403 no right, own request, said yes already, wrong phrase; 404 unknown; 409 another digest; 410 ended.',
          tags: ['safety'],
          body: z.strictObject({
            id: z.string().min(1).max(128),
            decision: z.enum(DECISIONS),
            phrase: z.string().max(200).optional(),
            digest: z.string().min(1).max(128),
          }),
          response: { 200: z.object({ approval: Approval, command: Command.optional() }) },
        },
      },
      async (request) => {
        const { approval, command } = await gate.safety.answer(request.principal, request.body)
        return { approval, ...(command === undefined ? {} : { command: Command.parse(command) }) }
      },
    )

    app.post(
      '/api/safety/hazards/cancel',
      {
        config: { may: 'devices.request', unlimited: true },
        schema: {
          summary: 'Take back what one asked for oneself',
          tags: ['safety'],
          body: z.strictObject({ id: z.string().min(1).max(128) }),
          response: { 200: z.object({ approval: Approval }) },
        },
      },
      async (request) => ({ approval: await gate.safety.takeBack(request.principal, request.body.id) }),
    )

    app.post(
      '/api/safety/resume',
      {
        config: { may: 'hazards.approve', unlimited: true },
        schema: {
          summary:
            'Release the shop after a stop: asks for the yes of two people with the role safety, unless the policy says otherwise',
          tags: ['safety'],
          body: z.strictObject({ reason: z.string().max(500).optional() }).nullish(),
          response: { 200: z.object({ released: z.boolean(), approval: Approval.optional() }) },
        },
      },
      async (request) =>
        gate.safety.resume(request.principal, (request.body?.reason ?? '').replace(/[\p{Cc}\p{Cs}]/gu, ' ')),
    )

    app.get(
      '/api/approvals',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'Open approvals, oldest first; with all=1 every one of the last 90 days, newest first',
          tags: ['safety'],
          querystring: z.strictObject({
            all: z.enum(['0', '1']).default('0'),
            limit: z.coerce.number().int().min(1).max(500).default(100),
            before: z.string().max(40).optional().describe('ISO 8601: asked before this, for the next page'),
          }),
          response: { 200: z.object({ items: z.array(Listed) }) },
        },
      },
      async (request) => {
        const { all, limit, before } = request.query
        return { items: await gate.safety.approvals({ all: all === '1', limit, before: timeOf('before', before) }) }
      },
    )

    app.get(
      '/api/approvals/:id',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'One approval, open or ended',
          tags: ['safety'],
          params: z.object({ id: z.string().min(1).max(128) }),
          response: { 200: Listed },
        },
      },
      async (request) => {
        const { id } = request.params
        const found = await gate.safety.approval(id)
        if (found === undefined)
          throw new Missing(`This hub has no approval '${id}'. GET /api/approvals lists the open ones.`)
        return found
      },
    )
  }
