// The routes of flows: what runs, what it hears and says, its params, and letting a quarantined one run again.
import { z } from 'zod'
import { originOf } from '../bus/principal.ts'
import type { Routes } from '../http/app.ts'
import type { Runner } from './runner.ts'

const Place = z.string().optional().describe('file.ts:line in the folder of flows')
const JsonObject = z.record(z.string(), z.unknown())

const Edge = z.object({
  topic: z.string(),
  filter: z.string(),
  latest: z.boolean().describe('Begins with the retained messages'),
  overload: z.union([z.literal('latest'), z.object({ dropOldest: z.number() })]),
  in: z.number().int(),
  dropped: z.number().int(),
  depth: z.number().int().describe('Messages that wait'),
  rate: z.number().describe('Messages per second, lately'),
})

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
  error: z
    .object({ message: z.string(), stack: z.string().optional(), at: z.string(), place: Place })
    .optional()
    .describe('The last one; it may run again since'),
  edges: z.array(Edge).describe('One for each from(…)'),
  rateIn: z.number(),
  rateOut: z.number(),
  delayMs: z
    .object({ p50: z.number(), p99: z.number() })
    .optional()
    .describe("From its output's logical time until the output was on the bus"),
  approximate: z
    .object({ why: z.string(), since: z.string() })
    .optional()
    .describe('What it remembers reaches back only so far'),
  slow: z.boolean().optional().describe('It uses more than its share of time and runs in its own lane'),
  params: z.object({ schema: JsonObject, values: JsonObject }).optional(),
  newer: z
    .object({
      version: z.string(),
      state: z.enum(['checking', 'rejected']),
      error: z.object({ message: z.string(), place: Place }).optional(),
    })
    .optional()
    .describe('A version on disk that does not run'),
})

const Process = z.object({
  pid: z.number().int().optional(),
  restarts: z.number().int(),
  sent: z.number().int().describe('Messages under way'),
  waiting: z.number().int(),
  rss: z.number().describe('Memory in bytes'),
  behind: z.number().int().describe('Messages that flows have to catch up with'),
})

const Said = { seq: z.number(), at: z.string(), topic: z.string(), payload: z.unknown() }
const Detail = View.extend({
  source: z.string(),
  kept: z.array(z.object({ key: z.string(), value: z.unknown() })),
  runSince: z.string().optional().describe('Its recorded start: from there on it can be brought back exactly'),
  recentIn: z.array(z.object(Said)).describe('The last 20, newest first'),
  recentOut: z.array(z.object({ ...Said, cause: z.number() })),
})

const ById = z.object({ id: z.string().min(1).max(200) })

export const flowRoutes =
  ({ runner }: { runner: Runner }): Routes =>
  (app) => {
    const seen = (id: string) =>
      runner.flows().find((flow) => flow.id === id) ?? Promise.reject(new Error(`flow ${id} went away meanwhile`))

    app.get(
      '/api/flows',
      {
        config: { may: 'flows.read' },
        schema: {
          tags: ['flows'],
          summary: 'Flows with their state and counters, and their process',
          response: { 200: z.object({ items: z.array(View), process: Process }) },
        },
      },
      () => ({ items: runner.flows().map(plain), process: runner.process() }),
    )
    app.get(
      '/api/flows/:id',
      {
        config: { may: 'flows.read' },
        schema: {
          tags: ['flows'],
          summary: 'One flow with its text, what it keeps and its last messages',
          params: ById,
          response: { 200: Detail },
        },
      },
      async (request) => plain(await runner.flow(request.params.id)),
    )
    app.put(
      '/api/flows/:id/params',
      {
        config: { may: 'flows.manage' },
        schema: {
          tags: ['flows'],
          summary: 'Other params for a flow, from the next message on; those left out have their defaults',
          params: ById,
          body: JsonObject,
          response: { 200: View },
        },
      },
      async (request) => {
        const { id } = request.params
        await runner.setParams(id, request.body, originOf(request.principal))
        return plain(await seen(id))
      },
    )
    app.post(
      '/api/flows/:id/release',
      {
        config: { may: 'flows.manage' },
        schema: {
          tags: ['flows'],
          summary: 'Lets a flow that is quarantined, has ended or did not load run again',
          params: ById,
          response: { 200: View },
        },
      },
      async (request) => {
        const { id } = request.params
        await runner.release(id)
        return plain(await seen(id))
      },
    )
  }

/** Schemas of params are plain JSON. */
const plain = <T extends { params?: { schema: object; values: Record<string, unknown> } }>({ params, ...rest }: T) => ({
  ...rest,
  ...(params === undefined ? {} : { params: { schema: { ...params.schema }, values: params.values } }),
})
