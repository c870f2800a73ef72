// What happened at the gate that people should know of, as a list.
import { z } from 'zod'
import { iso } from '../../clock.ts'
import type { Routes } from '../../http/app.ts'
import { timeOf } from '../answers.ts'
import { detailOf } from '../audit.ts'
import type { GateRoutesParts } from '../routes.ts'
import { REFUSALS, SAFETY_EVENTS } from '../told.ts'

const Event = z.object({
  id: z.number(),
  at: z.string(),
  type: z.string(),
  by: z.string(),
  subject: z.string(),
  device: z.string(),
  intent: z.string(),
  detail: z.record(z.string(), z.unknown()),
  hazardEventId: z.string().optional().describe('The approval it belongs to'),
})

export const eventRoutes =
  ({ store }: Pick<GateRoutesParts, 'store'>): Routes =>
  (app) => {
    app.get(
      '/api/safety/events',
      {
        config: { may: 'devices.read' },
        schema: {
          summary:
            'What happened at the gate that people should know of, newest first: approvals, stops, policies, hazards refused',
          tags: ['safety'],
          querystring: z.strictObject({
            since: z.string().max(40).optional().describe('ISO 8601'),
            before: z.coerce.number().int().min(1).optional().describe('Events before this id, for the next page'),
            limit: z.coerce.number().int().min(1).max(500).default(100),
          }),
          response: { 200: z.object({ items: z.array(Event) }) },
        },
      },
      async (request) => {
        const { before, limit } = request.query
        const since = timeOf('since', request.query.since)
        let query = store.db
          .selectFrom('audit')
          .selectAll()
          .where((eb) =>
            eb.or([...SAFETY_EVENTS.map((prefix) => eb('event', 'like', `${prefix}%`)), eb('event', 'in', REFUSALS)]),
          )
          .orderBy('n', 'desc')
          .limit(limit)
        if (since !== undefined) query = query.where('at', '>=', since)
        if (before !== undefined) query = query.where('n', '<', before)
        return {
          items: (await query.execute()).map(({ n, at, event, who, subject, device, intent, detail: text }) => {
            const detail = detailOf(text)
            const { approval } = detail
            return {
              id: Number(n),
              at: iso(Number(at)),
              type: event,
              by: who,
              subject,
              device,
              intent,
              detail,
              ...(typeof approval === 'string' ? { hazardEventId: approval } : {}),
            }
          }),
        }
      },
    )
  }
