// The journal over HTTP: pages of entries, and the chain of causes that leads to one.
import { z } from 'zod'
import { iso } from '../clock.ts'
import { Invalid, Missing } from '../errors.ts'
import type { Routes } from '../http/app.ts'
import type { Entry, Journal, Query } from './entry.ts'
import { isFilter, matches } from '../bus/filters.ts'
import { isShallow } from '../topics/depth.ts'
import { seriesRoutes } from './series/routes.ts'

/** An entry as the API shows it. */
export const JournalItem = z.object({
  seq: z.number().describe('Place in the hub’s order; never reused'),
  at: z.string().describe('When the hub took it, ISO 8601 UTC'),
  kind: z.enum(['message', 'retained', 'note']),
  topic: z.string().describe('Full MQTT topic; notes of the hub itself begin with !'),
  payload: z.unknown().describe('The decoded JSON, or { base64 } where it is none or is nested deeper than 32 levels'),
  origin: z.string().describe('The authenticated principal, such as device:dust'),
  cause: z.number().describe('seq of the message that led to this one; 0 when none is known'),
  correlation: z.string().describe('Correlation id; empty when none'),
  qos: z.number(),
  retain: z.boolean(),
  n: z.number().optional().describe('For outputs of flows: counted from the flow’s recorded start'),
})
export type JournalItem = z.output<typeof JournalItem>

const Page = z.object({
  topic: z
    .string()
    .max(1024)
    .optional()
    .describe('MQTT topic filter, with the prefix (jarvis/devices/+/cmd) or without it (devices/+/cmd)'),
  since: z.string().max(40).optional().describe('From here on: a seq, or a time in ISO 8601'),
  until: z.string().max(40).optional().describe('Up to here: a seq, or a time in ISO 8601'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Entries per page'),
  order: z.enum(['oldest', 'newest']).default('oldest').describe('Which come first'),
})

const Items = z.object({ items: z.array(JournalItem) })
const PageOfItems = Items.extend({
  next: z
    .number()
    .nullable()
    .describe('`since` of the next page (`until` when the newest come first); null at the end'),
})

/** Routes to read the journal. `prefix` is the topic prefix, which a filter may leave out. */
export const journalRoutes =
  ({ journal, prefix }: { journal: Pick<Journal, 'read' | 'get' | 'why' | 'series'>; prefix: string }): Routes =>
  (app) => {
    if (journal.series !== undefined) seriesRoutes({ series: journal.series })(app)

    app.get(
      '/api/journal',
      {
        config: { may: 'journal.read' },
        schema: {
          summary: 'Pages of the journal',
          tags: ['journal'],
          querystring: Page,
          response: { 200: PageOfItems },
        },
      },
      async (request) => {
        const { topic, since, until, limit, order } = request.query
        if (topic !== undefined && !isFilter(topic)) {
          throw new Invalid('topic', topic, 'must be an MQTT topic filter: + for one level, # only at the end')
        }
        const query: Query = {
          ...bound('since', since, 'fromSeq', 'since'),
          ...bound('until', until, 'toSeq', 'until'),
          ...(topic === undefined ? {} : { topic: withPrefix(topic, prefix) }),
          backwards: order === 'newest',
          limit: limit + 1,
        }
        const found = await journal.read(query)
        const entries = found.slice(0, limit)
        const next = found.length > limit ? (found[limit]?.seq ?? null) : null
        return { items: entries.map(itemOf), next }
      },
    )

    app.get(
      '/api/journal/:seq/why',
      {
        config: { may: 'journal.read' },
        schema: {
          summary: 'An entry and what led to it, newest first',
          tags: ['journal'],
          params: z.object({ seq: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
          response: { 200: Items },
        },
      },
      async (request) => {
        const { seq } = request.params
        const chain = await journal.why(seq)
        if (chain.length === 0) {
          throw new Missing(
            `There is no entry ${seq} in the journal: it was never written, or is older than the journal keeps.`,
          )
        }
        return { items: chain.map(itemOf) }
      },
    )
  }

const SEQ = /^\d{1,16}$/

/** A bound is a seq when it is digits only, otherwise a time. */
const bound = (
  field: string,
  text: string | undefined,
  bySeq: 'fromSeq' | 'toSeq',
  byTime: 'since' | 'until',
): Query => {
  if (text === undefined || text === '') return {}
  if (SEQ.test(text)) return { [bySeq]: Number(text) }
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new Invalid(field, text, 'must be a seq, or a time such as 2026-11-20T07:30:00Z')
  return { [byTime]: at }
}

/** First levels of topics that stand outside the prefix by nature, or cover it already. */
const HUB_TOPICS = ['devices', 'ctx', 'safety', 'approvals', 'errors', 'jobs', 'agents', 'hub', 'demo']

const withPrefix = (filter: string, prefix: string): string => {
  if (matches(`${prefix}/#`, filter)) return filter
  return HUB_TOPICS.some((first) => filter === first || filter.startsWith(`${first}/`)) ? `${prefix}/${filter}` : filter
}

const itemOf = (entry: Entry): JournalItem => ({
  seq: entry.seq,
  at: iso(entry.at),
  kind: entry.kind,
  topic: entry.topic,
  payload: payloadOf(entry.payload),
  origin: entry.origin,
  cause: entry.cause,
  correlation: entry.correlation,
  qos: entry.qos,
  retain: entry.retain,
  ...(entry.n === 0 ? {} : { n: entry.n }),
})

const payloadOf = (payload: Buffer): unknown => {
  try {
    const decoded: unknown = JSON.parse(payload.toString('utf8'))
    if (isShallow(decoded)) return decoded
  } catch {
    // No JSON: shown as bytes.
  }
  return { base64: payload.toString('base64') }
}
