// The routes of flows: what runs, what it hears and says, and letting a quarantined one run again.
import { z } from 'zod'
import type { Routes } from '../http/app.ts'
import type { Runner } from './runner.ts'

const View = z.object({
  id: z.string(),
  status: z.enum(['starting', 'running', 'restarting', 'quarantined', 'failed to load', 'ended']),
  about: z.string().describe('What it does, from the first comment line of its file'),
  inputs: z.array(z.string()).describe('MQTT filters of what it hears'),
  outputs: z.array(z.string()).describe('Topics it has published on since the hub started'),
  in: z.number().int(),
  out: z.number().int(),
  dropped: z.number().int().describe('Messages it did not get because it was too slow'),
  restarts: z.number().int(),
  version: z.string().describe('Of the content of its file'),
  startedAt: z.string().optional(),
  error: z.object({ message: z.string(), stack: z.string().optional(), at: z.string() }).optional(),
})

export const flowRoutes =
  ({ runner }: { runner: Runner }): Routes =>
  (app) => {
    app.get(
      '/api/flows',
      {
        config: { may: 'flows.read' },
        schema: {
          tags: ['flows'],
          summary: 'Flows with their state and counters',
          response: { 200: z.object({ items: z.array(View) }) },
        },
      },
      () => ({ items: runner.flows() }),
    )
    app.post(
      '/api/flows/:id/release',
      {
        config: { may: 'devices.manage' },
        schema: {
          tags: ['flows'],
          summary: 'Lets a flow that is quarantined, has ended or did not load run again',
          params: z.object({ id: z.string().min(1).max(200) }),
          response: { 200: View },
        },
      },
      async (request) => {
        const { id } = request.params
        await runner.release(id)
        const flow = runner.flows().find((each) => each.id === id)
        return flow ?? Promise.reject(new Error(`flow ${id} went away while it was released`))
      },
    )
  }
