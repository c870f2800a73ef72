// Replays in the fake hub: they take a moment, can be cancelled, fail, and differ when other params are tried.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Entry, Refuse } from './fake-hub.ts'
import type { FakeFlow } from './flows.ts'

interface Wish {
  flow: string
  since: string
  until: string
  params?: Record<string, unknown>
}

interface Run extends Wish {
  begun: number
}

const DECISIONS = 48
const MESSAGES = 18_400

/** What a flow that starts and stops something would have decided: with another limit some decisions fall away or change. */
const rowsOf = ({ since, until, params }: Wish, cause: number): object[] => {
  const [from, to] = [Date.parse(since), Date.parse(until)]
  const above = Number(params?.['above'] ?? 80)
  let beyond = false
  return Array.from({ length: DECISIONS }, (_, n) => {
    const at = new Date(from + ((n + 0.5 + Math.sin(n) / 4) / DECISIONS) * (to - from)).toISOString()
    const dust = 82 + ((n * 37) % 60)
    const payload = {
      intent: n % 2 === 0 ? 'switch.turn_on' : 'switch.turn_off',
      reason: 'dust',
      payload: { speed: 'high' },
    }
    const base = { at, seq: 40 + n, cause, topic: 'jarvis/devices/extractor/request', beyond }
    const differs = above !== 80 && n > 9 && dust < above + 40
    if (differs) beyond = true
    if (!differs) return { ...base, kind: 'same', then: payload, now: payload }
    if (n % 5 === 0) return { ...base, kind: 'only then', then: payload }
    if (n % 7 === 0) return { ...base, kind: 'unanswered then', now: { question: 'Start it anyway?' } }
    if (n % 3 === 0) return { ...base, kind: 'only now', now: payload }
    return {
      ...base,
      kind: 'changed',
      then: payload,
      now: { ...payload, reason: `dust over ${above}`, payload: { speed: 'low' } },
      changes: [{ field: '(time)', then: at, now: new Date(Date.parse(at) + 4000).toISOString() }],
    }
  })
}

export const fakeReplays = ({
  app,
  running,
  journal,
  error,
}: {
  app: FastifyInstance
  running: readonly FakeFlow[]
  journal: readonly Entry[]
  error: Refuse
}) => {
  const runs = new Map<string, Run>()
  const state = {
    /** How long a replay takes, in ms. */
    tookMs: 300,
    fails: undefined as string | undefined,
    why: undefined as string | undefined,
    wishes: [] as Wish[],
    runs,
  }
  app.post<{ Body: Wish }>('/api/replays', async ({ body }, reply) => {
    if (!running.some(({ id }) => id === body.flow))
      return error(reply, 404, 'NOT_FOUND', `There is no flow ${body.flow}.`)
    if (Number(body.params?.['above']) === 999)
      return error(reply, 400, 'VALIDATION_ERROR', 'params.above: too much', {
        field: 'params.above',
        constraint: 'more than this sensor can tell',
      })
    const id = randomUUID()
    runs.set(id, { ...body, begun: Date.now() })
    state.wishes.push(body)
    return reply.code(202).send({ id })
  })
  app.get<{ Params: { id: string } }>('/api/replays/:id', async ({ params }, reply) => {
    const run = runs.get(params.id)
    if (!run) return error(reply, 404, 'NOT_FOUND', 'There is no such replay.')
    const progress = Math.min(1, (Date.now() - run.begun) / state.tookMs)
    const base = { id: params.id, flow: run.flow, progress, messages: Math.round(progress * MESSAGES) }
    if (state.fails !== undefined) return { ...base, state: 'failed', error: state.fails }
    if (progress < 1) return { ...base, state: 'running' }
    const rows = rowsOf(run, journal.at(-1)?.seq ?? 0) as { kind: string; at: string; cause: number }[]
    const count = (...kinds: string[]): number => rows.filter(({ kind }) => kinds.includes(kind)).length
    const first = rows.find(({ kind }) => kind !== 'same')
    return {
      ...base,
      state: 'done',
      report: {
        flow: run.flow,
        version: '4f1c9a2e',
        since: run.since,
        until: run.until,
        exact: state.why === undefined,
        ...(state.why === undefined ? {} : { why: state.why }),
        messages: MESSAGES,
        tookMs: 412,
        thenCount: count('same', 'changed', 'only then'),
        nowCount: count('same', 'changed', 'only now', 'unanswered then'),
        same: count('same'),
        ...(first ? { firstDifference: { at: first.at, cause: first.cause } } : {}),
        rows,
        more: { same: 0, different: 0 },
        starts: [],
        notes: [],
      },
    }
  })
  app.delete<{ Params: { id: string } }>('/api/replays/:id', async ({ params }, reply) => {
    runs.delete(params.id)
    return reply.code(204).send()
  })
  return state
}
