// What a route answers to whoever asked for something and was not refused.
import { z } from 'zod'
import type { Answer } from './gate.ts'

export const Asked = z.object({
  commandId: z.string(),
  status: z.enum(['pending', 'dispatched', 'awaiting_confirmation', 'duplicate']),
  approval: z.string().optional().describe('While it awaits confirmation: GET /api/approvals/:id'),
  hazardEventId: z
    .string()
    .optional()
    .describe('The same id: what becomes of it is told on safety/events/<id>, and in GET /api/safety/events'),
})

/** An answer that was let through, as a body. */
export const askedView = ({ commandId, status, approval }: Answer): z.input<typeof Asked> => ({
  commandId,
  status: status === 'refused' ? 'pending' : status,
  ...(approval === undefined ? {} : { approval, hazardEventId: approval }),
})
