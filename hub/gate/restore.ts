// After a restart: what was sent keeps its deadline, what was decided is published, what waited is judged again, and nothing is sent twice.
import type { Kysely } from 'kysely'
import type { Clock } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import type { Tables } from '../store/store.ts'
import { Command as Cmd, Request, Result } from '../topics/core.ts'
import { isShallow } from '../topics/depth.ts'
import type { Bounds } from './bounds.ts'
import { type Command, readable, type Wish, wishOf } from './command.ts'
import type { Desk } from './desk.ts'

/** How far back the journal is searched for requests that never reached the table. */
const LOOK_BACK_MS = 60_000
const DAY_MS = 86_400_000
const MAX_READ = 50_000

export interface RestoreParts {
  db: Kysely<Tables>
  clock: Clock
  bounds: Bounds
  desk: Desk
  health: Pick<Health, 'report'>
  prefix: string
  journal: Pick<Journal, 'read'> | undefined
  /** Takes up one that people were asked about; false when nobody was. `isAnswered`: its result is in the journal. */
  held: (command: Command, isAnswered: boolean) => Promise<boolean>
  /** Judges a pending command once more. */
  again: (command: Command) => void
  /** Judges a request that was journalled but never taken up. */
  hear: (wish: Wish) => void
}

export const restore = async (parts: RestoreParts): Promise<void> => {
  const { db, clock, desk, bounds } = parts
  const now = clock.now()
  const sent = await db
    .selectFrom('commands')
    .select(['device', 'intent', (eb) => eb.fn.max('dispatched_at').as('at')])
    .where('dispatched_at', '>=', now - DAY_MS)
    .groupBy(['device', 'intent'])
    .execute()
  for (const { device, intent, at } of sent) desk.sentAt(device, intent, Number(at))

  const traces = await readTraces(parts, now)
  const rows = await db
    .selectFrom('commands')
    .selectAll()
    .where((eb) => eb.or([eb('result', 'is', null), eb('result_seq', '=', 0)]))
    .orderBy('received_at')
    .limit(2 * bounds.open)
    .execute()
  const pending: Command[] = []
  for (const command of readable(rows, (id, why) => unread(parts, id, why))) {
    const { id } = command.request
    if (command.result !== undefined) {
      desk.remember(command)
      if (!traces.results.has(id)) desk.republish(command)
    } else if (command.dispatchedAt > 0 || traces.commands.has(id)) {
      command.dispatchedAt ||= traces.commands.get(id) ?? now
      if (command.status === 'pending') command.status = 'dispatched'
      desk.resume(command)
    } else pending.push(command)
  }
  for (const command of pending)
    if (!(await parts.held(command, traces.results.has(command.request.id)))) parts.again(command)
  await takeUp(parts, traces)
}

const unread = ({ health }: RestoreParts, id: string, why: string): void =>
  health.report({
    source: 'gate',
    type: 'CommandUnreadable',
    severity: 'error',
    category: 'database',
    message: `The record of command '${id.slice(0, 128)}' is not as the gate writes it, so the command is left as it is: ${why.slice(0, 300)}`,
  })

interface Traces {
  requests: Entry[]
  /** Ids of commands in the journal, with the stamp they went out at. */
  commands: Map<string, number>
  results: Set<string>
}

/** What the journal knows of the last minute. Without a journal, or when it cannot be read, only the table counts. */
const readTraces = async ({ journal, prefix, health }: RestoreParts, now: number): Promise<Traces> => {
  const traces: Traces = { requests: [], commands: new Map(), results: new Set() }
  if (journal === undefined) return traces
  const read = (leaf: string) =>
    journal.read({
      since: now - LOOK_BACK_MS,
      topic: `${prefix}/devices/+/${leaf}`,
      kinds: ['message'],
      limit: MAX_READ,
    })
  try {
    traces.requests = await read('request')
    for (const { payload, at } of await read('cmd')) {
      const cmd = Cmd.safeParse(parsed(payload))
      if (cmd.success) traces.commands.set(cmd.data.id, at)
    }
    for (const { payload } of await read('result')) {
      const result = Result.safeParse(parsed(payload))
      if (result.success) traces.results.add(result.data.id)
    }
  } catch (error) {
    traces.requests = []
    health.report({
      source: 'gate',
      type: 'JournalUnread',
      severity: 'warning',
      category: 'system',
      message: `The gate could not read the journal of the last minute (${reasonOf(error)}); requests from just before the restart may have no result. Ask again where it matters.`,
    })
  }
  return traces
}

const takeUp = async ({ db, prefix, hear }: RestoreParts, { requests, commands, results }: Traces): Promise<void> => {
  if (requests.length === 0) return
  const known = new Set<number>()
  const first = requests.reduce((least, { seq }) => Math.min(least, seq), Infinity)
  for (const { request_seq } of await db
    .selectFrom('commands')
    .select('request_seq')
    .where('request_seq', '>=', first)
    .execute()) {
    known.add(Number(request_seq))
  }
  for (const entry of requests) {
    const value = parsed(entry.payload)
    const body = Request.safeParse(value)
    if (!isShallow(value) || !body.success || known.has(entry.seq)) continue
    const wish = wishOf(entry.topic.slice(prefix.length + 1).split('/')[1] ?? '', body.data, entry)
    const id = body.data.id ?? wish.id
    // A repeat of an id that has its result was answered by that run, or is answered by the first.
    if (!commands.has(id) && !results.has(id)) hear(wish)
  }
}

const parsed = (payload: Buffer): unknown => {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
}
