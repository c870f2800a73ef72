// The past of a device's values over HTTP: points for one chart.
import { z } from 'zod'
import { iso } from '../../clock.ts'
import { Invalid, Recoverable } from '../../errors.ts'
import type { Routes } from '../../http/app.ts'
import { DeviceId } from '../../topics/core.ts'
import { timeOf } from '../times.ts'
import type { None } from './ask.ts'
import { SPAN_NAMES } from './bucket.ts'
import type { Series } from './open.ts'
import { FIELD_LENGTH } from './readings.ts'

const POINTS = { usual: 500, most: 1000 }
/** The longest range, in ms. */
const LONGEST = 10 * 366 * 86_400_000

const Time = z.string().min(1).max(40)
const Query = z.object({
  field: z.string().min(1).max(FIELD_LENGTH).describe('A top-level field of its state or telemetry'),
  from: Time.default('1d').describe('A time in ISO 8601, or a length before now: 90s, 10m, 2h, 3d'),
  to: Time.default('now').describe('The same; not included'),
  points: z.coerce.number().int().min(2).max(POINTS.most).default(POINTS.usual).describe('At most so many points'),
})

const Answer = z.object({
  device: z.string(),
  field: z.string(),
  kind: z.enum(['number', 'switch']).describe('A switch has only been true (1) or false (0)'),
  from: z.string().describe('ISO 8601 UTC'),
  to: z.string(),
  resolution: z.enum(SPAN_NAMES).describe('What the points are made of'),
  seconds: z.number().int().describe('How long a point is'),
  upTo: z.object({
    seq: z.number().describe('The newest entry of the journal that is in it'),
    at: z.string().nullable().describe('When that was; null for never'),
  }),
  behind: z.boolean().describe('The journal has more than was rolled up so far: ask again in a while'),
  points: z
    .array(
      z.object({
        at: z.string().describe('Its begin'),
        min: z.number(),
        max: z.number(),
        mean: z.number().describe('Of the readings; of a switch the share of the time it was on'),
        last: z.number(),
        n: z.number().int().describe('How many readings'),
      }),
    )
    .max(POINTS.most)
    .describe('Oldest first; where a number has no reading there is no point'),
})

/** The route of charts. It takes the right to read the journal: months of when a machine ran tell about the people who ran it, more than what it does now. */
export const seriesRoutes =
  ({ series }: { series: Pick<Series, 'past' | 'now'> }): Routes =>
  (app) => {
    app.get(
      '/api/devices/:id/series',
      {
        config: { may: 'journal.read' },
        schema: {
          summary: 'The past of one value of a device, for a chart',
          tags: ['devices'],
          params: z.object({ id: DeviceId }),
          querystring: Query,
          response: { 200: Answer },
        },
      },
      async (request) => {
        const { id: device } = request.params
        const { field, from: since, to, points } = request.query
        const now = series.now()
        const [from, until] = [Math.floor(timeOf('from', since, now)), Math.floor(timeOf('to', to, now))]
        if (from < 0 || from >= until) throw new Invalid('from', since, `must be before to (${to}), and after 1970`)
        if (until - from > LONGEST) throw new Invalid('from', since, 'must not lie more than ten years before to')
        const past = await series.past({ device, field, from, until, points })
        if ('none' in past) throw missing(device, field, past)
        return {
          device,
          field,
          kind: past.isSwitch ? ('switch' as const) : ('number' as const),
          from: iso(from),
          to: iso(until),
          resolution: past.span,
          seconds: past.step / 1000,
          upTo: { seq: past.upTo.seq, at: past.upTo.at === 0 ? null : iso(past.upTo.at) },
          behind: past.isBehind,
          points: past.points.map((point) => ({ ...point, at: iso(point.at) })),
        }
      },
    )
  }

const missing = (device: string, field: string, { none, near, has }: None): Recoverable => {
  const meant = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `'${name}'`).join(' or ')}?`
  if (none === 'personal')
    return new Recoverable(
      'NOT_FOUND',
      `'${field}' of '${device}' is about people, whose past is not rolled up. The journal has it for as long as it keeps its entries.`,
      { field: 'field', value: field },
    )
  if (none === 'device')
    return new Recoverable('NOT_FOUND', `No value of a device '${device}' was recorded.${meant}`, {
      field: 'id',
      value: device,
      near,
    })
  return new Recoverable(
    'NOT_FOUND',
    `'${device}' has no past of '${field}'.${meant} It has: ${has.join(', ') || 'nothing'}.`,
    { field: 'field', value: field, near, has },
  )
}
