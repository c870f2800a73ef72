// The roll-ups of a fake hub, computed from its journal each time: for tests of the web app.
import { isRecord } from '../api/read.ts'

interface Entry {
  at: string
  topic: string
  payload: unknown
}

const LENGTHS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const MINUTE = 60_000

const numberOf = (raw: unknown): number | undefined => {
  const value = isRecord(raw) ? raw['value'] : raw
  return typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : undefined
}

/** What the hub answers to `/api/devices/:id/series`; undefined where it would say 404. */
export const fakeSeries = (
  journal: readonly Entry[],
  device: string,
  query: Readonly<Record<string, string | undefined>>,
  now = Date.now(),
): object | undefined => {
  const { field = '', from: since = '1d', points: most = '500' } = query
  const [, length = '1', unit = 'd'] = /^(\d+)([smhd])$/.exec(since) ?? []
  const from = now - Number(length) * (LENGTHS[unit] ?? 0)
  const step = Math.max(1, Math.ceil((now - from) / (Number(most) - 1) / MINUTE)) * MINUTE
  const said = journal.flatMap(({ at, topic, payload }) => {
    const raw = isRecord(payload) ? payload[field] : undefined
    const value = numberOf(raw)
    const isIts = /\/(state|telemetry)$/.test(topic) && topic.split('/').at(-2) === device
    return isIts && value !== undefined ? [{ at: Date.parse(at), value, isSwitch: typeof raw === 'boolean' }] : []
  })
  if (said.length === 0) return undefined
  const buckets = Map.groupBy(
    said.filter(({ at }) => at >= Math.floor(from / step) * step && at <= now),
    ({ at }) => Math.floor(at / step) * step,
  )
  return {
    device,
    field,
    kind: said.every(({ isSwitch }) => isSwitch) ? 'switch' : 'number',
    from: new Date(from).toISOString(),
    to: new Date(now).toISOString(),
    resolution: 'minute',
    seconds: step / 1000,
    upTo: { seq: journal.length, at: new Date(said.at(-1)?.at ?? 0).toISOString() },
    behind: false,
    points: [...buckets]
      .sort(([a], [b]) => a - b)
      .map(([at, all]) => {
        const values = all.map(({ value }) => value)
        return {
          at: new Date(at).toISOString(),
          min: Math.min(...values),
          max: Math.max(...values),
          mean: values.reduce((a, b) => a + b, 0) / values.length,
          last: values.at(-1),
          n: values.length,
        }
      }),
  }
}
