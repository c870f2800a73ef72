// The replays people asked the hub for: each in a process of its own, a few at a time, kept until they are forgotten.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { may } from '../../access/policy.ts'
import { originOf, type Principal } from '../../bus/principal.ts'
import type { Clock } from '../../clock.ts'
import { Forbidden, Invalid, Missing, Recoverable, reasonOf } from '../../errors.ts'
import type { Log } from '../../health/report.ts'
import { findFlows } from '../find-flows.ts'
import { type ReplayLimits, REPLAY_LIMITS, ReplayCancelled, replayInProcess } from './process.ts'
import type { Order } from './protocol.ts'
import { Report } from './report.ts'
import { timeOf } from '../../journal/times.ts'

export const ReplayView = z.object({
  id: z.string(),
  flow: z.string(),
  state: z.enum(['running', 'done', 'cancelled', 'failed']),
  progress: z.number().describe('0 to 1'),
  messages: z.number().describe('Messages of the range heard so far'),
  error: z.string().optional(),
  report: Report.optional(),
})
export type ReplayView = z.output<typeof ReplayView>

export interface ReplayAsk {
  flow: string
  /** ISO 8601, or words such as `2h` and `yesterday`. */
  since: string
  until: string
  /** Instead of the recorded ones. */
  params?: Record<string, unknown> | undefined
}

export interface Replays {
  /** Begins one. Rejects with Forbidden, Invalid, Missing, or RATE_LIMITED when enough run. */
  start(who: Principal, ask: ReplayAsk): Promise<string>
  /** How far it is. Throws Missing when there is none, or it is somebody else's. */
  get(who: Principal, id: string): ReplayView
  /** Ends it, or forgets it. Throws Missing. */
  drop(who: Principal, id: string): void
  /** Ends all. */
  close(): Promise<void>
}

export interface ReplaysParts {
  flowsDir: string
  /** What every replay here needs to know. */
  places: Pick<Order, 'journalDir' | 'prefix' | 'topicFiles' | 'except' | 'site'>
  clock: Pick<Clock, 'now'>
  log: Log
  limits?: ReplayLimits
  mostRunning?: number
  mostKept?: number
}

const MOST_RUNNING = 2
const MOST_KEPT = 20
const LOAD_MS = 5000
const LONGEST_RANGE_MS = 366 * 86_400_000

interface Kept {
  readonly owner: string
  readonly view: ReplayView
  readonly abort: AbortController
  ended: Promise<void>
}

export const openReplays = (parts: ReplaysParts): Replays => {
  const { clock, log, limits = REPLAY_LIMITS, mostRunning = MOST_RUNNING, mostKept = MOST_KEPT } = parts
  const kept = new Map<string, Kept>()
  let closed = false

  const running = (): number => [...kept.values()].filter(({ view }) => view.state === 'running').length

  /** Somebody else's is as if it were not there. */
  const find = (who: Principal, id: string): Kept => {
    allow(who)
    const found = kept.get(id)
    if (found !== undefined && (found.owner === originOf(who) || may(who, 'people.manage'))) return found
    throw new Missing(`There is no replay '${id}': it was forgotten, or the hub has been started again.`)
  }

  const forgetOldest = (): void => {
    for (const [id, { view }] of kept) {
      if (kept.size < mostKept) return
      if (view.state !== 'running') kept.delete(id)
    }
  }

  const run = async ({ view, abort }: Kept, order: Order): Promise<void> => {
    try {
      view.report = await replayInProcess(
        order,
        {
          signal: abort.signal,
          progress(part, messages) {
            view.progress = part
            view.messages = messages
          },
        },
        limits,
      )
      view.messages = view.report.messages
      view.progress = 1
      view.state = 'done'
    } catch (error) {
      view.state = error instanceof ReplayCancelled ? 'cancelled' : 'failed'
      view.error = reasonOf(error)
    }
    log.info('replay ended', { flow: view.flow, state: view.state, messages: view.messages })
  }

  return {
    async start(who, { flow, since: from, until: to, params }) {
      allow(who)
      const now = clock.now()
      const since = timeOf('since', from, now)
      const until = timeOf('until', to, now)
      if (until <= since) throw new Invalid('until', to, 'must be later than since')
      if (until - since > LONGEST_RANGE_MS) throw new Invalid('since', from, 'must be at most a year before until')
      const file = (await findFlows(parts.flowsDir)).find(({ id }) => id === flow)
      if (file === undefined) throw new Missing(`There is no flow '${flow}'.`)
      if (closed) throw new Recoverable('UNAVAILABLE', 'The hub stops.')
      if (running() >= mostRunning)
        throw new Recoverable(
          'RATE_LIMITED',
          `${mostRunning} replays run already: wait until one has ended, or cancel one (DELETE /api/replays/{id}).`,
          { retryAfter: 5 },
        )
      forgetOldest()
      const id = randomUUID()
      const one: Kept = {
        owner: originOf(who),
        view: { id, flow, state: 'running', progress: 0, messages: 0 },
        abort: new AbortController(),
        ended: Promise.resolve(),
      }
      kept.set(id, one)
      one.ended = run(one, {
        ...parts.places,
        flow,
        now: { file: file.file, version: file.version },
        against: 'recorded',
        since,
        until,
        ...(params === undefined ? {} : { params }),
        tellOutputs: false,
        loadMs: LOAD_MS,
      })
      return id
    },
    get: (who, id) => find(who, id).view,
    drop(who, id) {
      const one = find(who, id)
      if (one.view.state === 'running') one.abort.abort()
      else kept.delete(id)
    },
    async close() {
      closed = true
      for (const { abort } of kept.values()) abort.abort()
      await Promise.all([...kept.values()].map(({ ended }) => ended))
    },
  }
}

/** Reading the journal through a flow takes both rights. */
const allow = (who: Principal): void => {
  for (const right of ['journal.read', 'flows.read'] as const)
    if (!may(who, right)) throw new Forbidden(`You may not do this: it takes the right '${right}'.`, { right })
}
