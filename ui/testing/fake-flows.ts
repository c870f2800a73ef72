// The routes of one flow in the fake hub: its detail, its params, letting it run again; and the plugins.
import type { FastifyInstance } from 'fastify'
import type { Entry, Refuse } from './fake-hub.ts'
import { sources } from './flow-sources.ts'
import type { FakeFlow } from './flows.ts'

interface Options {
  app: FastifyInstance
  running: FakeFlow[]
  journal: readonly Entry[]
  error: Refuse
  prefix: string
  /** The list of flows is told anew. */
  changed: () => void
}

const sourceOf = (id: string): string =>
  sources[id] ?? `// Rule ${id}.\nexport default flow((from) => from('devices/{device}/state'))\n`

export const flowRoutes = ({ app, running, journal, error, prefix, changed }: Options): void => {
  const find = (id: string): FakeFlow | undefined => running.find((flow) => flow.id === id)
  const gone = (id: string): string => `There is no flow ${id}.`

  app.get('/api/flows', async () => ({ items: running, process: { restarts: 0 } }))
  app.get('/api/plugins', async () => ({
    items: [
      {
        id: 'workshop-sim',
        title: 'Workshop simulator',
        status: 'running',
        handles: [`${prefix}/devices/+/cmd`],
        publishes: [`${prefix}/devices/+/state`, `${prefix}/devices/+/telemetry`],
        restarts: 0,
      },
    ],
  }))
  app.get<{ Params: { id: string } }>('/api/flows/:id', async ({ params }, reply) => {
    const flow = find(params.id)
    if (!flow) return error(reply, 404, 'NOT_FOUND', gone(params.id))
    const recent = (topics: readonly string[]): Entry[] =>
      journal.filter(({ topic }) => topics.some((one) => topic === `${prefix}/${one}`)).slice(-20)
    return {
      ...flow,
      source: sourceOf(flow.id),
      kept:
        flow.id === 'dust-starts-extractor'
          ? [
              { key: 'hours', value: 214.5 },
              { key: 'device=dust/starts', value: 12 },
            ]
          : [],
      runSince: flow.startedAt,
      recentIn: recent(flow.inputs),
      recentOut: recent(flow.outputs),
    }
  })
  app.put<{ Params: { id: string }; Body: Record<string, unknown> }>(
    '/api/flows/:id/params',
    async ({ params, body }, reply) => {
      const flow = find(params.id)
      if (!flow?.params) return error(reply, 404, 'NOT_FOUND', gone(params.id))
      if (Number(body['below']) >= Number(body['above']))
        return error(reply, 400, 'VALIDATION_ERROR', 'below: must be less than above', {
          field: 'below',
          value: body['below'],
          constraint: 'must be less than above',
        })
      flow.params = { ...flow.params, values: body }
      flow.version = `${flow.version}`
      changed()
      return flow
    },
  )
  app.post<{ Params: { id: string } }>('/api/flows/:id/release', async ({ params }, reply) => {
    const flow = find(params.id)
    if (!flow) return error(reply, 404, 'NOT_FOUND', gone(params.id))
    flow.status = 'running'
    delete flow.error
    changed()
    return flow
  })
}
