// Replays over HTTP: begin one, see how far it is and what it says, cancel or forget it.
import { z } from 'zod'
import type { Routes } from '../../http/app.ts'
import { type Replays, ReplayView } from './replays.ts'

const Time = z.string().min(1).max(40)
const Ask = z.strictObject({
  flow: z.string().min(1).max(200).describe('Id of a flow'),
  since: Time.describe('ISO 8601, or 2h, yesterday, today'),
  until: Time.default('now').describe('The same; now unless given'),
  params: z.record(z.string(), z.unknown()).optional().describe('Instead of the recorded params'),
})
const Named = z.object({ id: z.string().min(1).max(64) })

export const replayRoutes =
  ({ replays }: { replays: Pick<Replays, 'start' | 'get' | 'drop'> }): Routes =>
  (app) => {
    app.post(
      '/api/replays',
      {
        config: { may: 'journal.read' },
        schema: {
          tags: ['flows'],
          summary: 'Runs recorded messages through a flow as it is now',
          description:
            'Nothing is sent. Takes the right `flows.read` as well. At most two run at once; the last twenty are kept for whoever began them.',
          body: Ask,
          response: { 202: z.object({ id: z.string() }) },
        },
      },
      async (request, reply) => reply.code(202).send({ id: await replays.start(request.principal, request.body) }),
    )
    app.get(
      '/api/replays/:id',
      {
        config: { may: 'journal.read' },
        schema: {
          tags: ['flows'],
          summary: 'How far a replay is, and its report when it is done',
          params: Named,
          response: { 200: ReplayView },
        },
      },
      (request) => replays.get(request.principal, request.params.id),
    )
    app.delete(
      '/api/replays/:id',
      {
        config: { may: 'journal.read' },
        schema: {
          tags: ['flows'],
          summary: 'Cancels a replay that runs, forgets one that has ended',
          params: Named,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        replays.drop(request.principal, request.params.id)
        return reply.code(204).send(null)
      },
    )
  }
