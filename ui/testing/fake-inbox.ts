// The inbox and the errors of the fake hub: what people should know of, told on the topic and marked as seen.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Refuse } from './fake-hub.ts'

export interface FakeNotification {
  id: string
  key: string
  source: string
  severity: string
  title: string
  text: string
  link?: string
  at: string
  updatedAt: string
  count: number
  status: string
  seenBy: string[]
}

interface Options {
  app: FastifyInstance
  error: Refuse
  /** Who is signed in, as `person:ada`. */
  person: () => string
  tell: (topic: string, payload: unknown) => void
  /** Says something that is not retained. */
  say: (topic: string, payload: unknown) => void
}

export const fakeInbox = ({ app, error, person, tell, say }: Options) => {
  let items: FakeNotification[] = []
  const errors: object[] = []
  const state = { runs: true, reads: 0 }
  const publish = (): void => tell('notify/inbox', { items })
  const put = (one: FakeNotification): void => {
    items = [one, ...items.filter(({ id }) => id !== one.id)].slice(0, 100)
    publish()
  }
  const add = (fields: Partial<FakeNotification> = {}): FakeNotification => {
    const now = new Date().toISOString()
    const one: FakeNotification = {
      id: randomUUID(),
      key: randomUUID(),
      source: 'error',
      severity: 'error',
      title: 'PeerAway in plugin:printers',
      text: 'The printer prusa does not answer. Check that it is on and that its address in peers.yaml is right.',
      link: '/errors',
      at: now,
      updatedAt: now,
      count: 1,
      status: 'open',
      seenBy: [],
      ...fields,
    }
    put(one)
    return one
  }
  const see = (one: FakeNotification): FakeNotification => ({ ...one, seenBy: [...new Set([...one.seenBy, person()])] })
  /** An error event, live and for who reads it later. */
  const fail = (type: string, message: string, severity = 'error'): void => {
    const event = {
      id: randomUUID(),
      timestamp: new Date().toISOString(),
      source: 'plugin:printers',
      type,
      severity,
      category: 'network',
      message,
      details: {},
      retry_count: 0,
    }
    errors.unshift(event)
    say(`errors/${severity}/printers`, event)
  }

  app.get('/api/notifications', async (_request, reply) => {
    state.reads += 1
    return state.runs
      ? { items }
      : error(reply, 503, 'UNAVAILABLE', 'Notifications do not run: GET /api/plugins says why.')
  })
  app.post('/api/notifications/seen', async () => {
    const seen = items.filter(({ seenBy }) => !seenBy.includes(person())).length
    items = items.map(see)
    publish()
    return { seen }
  })
  app.post<{ Params: { id: string } }>('/api/notifications/:id/seen', async ({ params }, reply) => {
    const found = items.find(({ id }) => id === params.id)
    if (!found) return error(reply, 404, 'NOT_FOUND', `There is no notification '${params.id}' any more.`)
    const next = see(found)
    items = items.map((one) => (one === found ? next : one))
    publish()
    return next
  })
  app.get<{ Querystring: { limit?: string } }>('/api/errors', async ({ query }) => ({
    items: errors.slice(0, Number(query.limit ?? 100)),
  }))
  /** The plugin starts: it tells what it has. */
  const begin = (): void => publish()
  return { state, add, put, fail, begin, list: () => items }
}
