// Rolls the journal up: reads it on from where it stood, puts each reading into its minute, hour and day, and keeps them and the place in one transaction.
import { kindAt, payloadAt, seqAt, stampAt, topicAt, topicBegins } from '../record.ts'
import { type Bucket, type Span, SPAN_NAMES, SPANS, withReading } from './bucket.ts'
import { type Bounds, follow } from './followed.ts'
import { isPersonalKind } from './personal.ts'
import { kindOf, readingsOf } from './readings.ts'
import type { Reached, Row, Series, Tables } from './tables.ts'
import { resumed, type SegmentEnd, walk } from './walk.ts'

export interface RollupOptions extends Bounds {
  /** The topic prefix. */
  prefix: string
  /** Names this run of the hub. */
  run: string
  /** The journal as it was opened by this run. */
  opened: readonly SegmentEnd[]
}

/** A series with the buckets it was put into last. */
interface Live extends Series {
  open: (Row | undefined)[]
}

export interface Rollup {
  /** Reads about `bytes` of the journal. Returns how many it read; 0 at the end. What it read is in memory until `flush`. */
  step(segments: readonly SegmentEnd[], bytes: number): number
  /** How many buckets wait for a flush. */
  readonly waiting: number
  /** Writes what waits. When that fails everything is as after the last flush, and the error is thrown. */
  flush(): void
  /** The newest entry that was read. */
  reached(): { seq: number; at: number }
  series(device: string): ReadonlyMap<string, Series> | undefined
  devices(): string[]
  isPersonal(device: string): boolean
  bucket(series: Series, span: Span, index: number): Bucket | undefined
  /** Devices that had no room for another series; '' stands for all together. */
  refused(): string[]
  /** Takes in what was deleted from the tables. */
  reload(): void
}

const STATE = '/state'
const TELEMETRY = '/telemetry'
const ABOUT = '/about'
const DAY = SPANS.day
const DEVICE = /^[a-z0-9][a-z0-9_]{0,62}$/
const MOST_PERSONAL = 20_000

/** Undefined when what is in the tables was made from another journal: they have to be made anew. */
export const openRollup = (tables: Tables, options: RollupOptions): Rollup | undefined => {
  const root = Buffer.from(`${options.prefix}/devices/`)
  let reached: Reached
  let followed: ReturnType<typeof follow<Live>>
  let personal: Set<string>
  /** What was touched since the last flush, by span, index and series. */
  let rows: Map<string, Row>
  let touched: Set<Live>
  let gone: Set<number>
  let erased: Set<number>
  let turned: Map<string, boolean>
  /** The newest stamp that is written: no bucket after it can be in the tables. */
  let writtenAt: number

  const forgetUnwritten = (): void => {
    writtenAt = reached.at
    rows = new Map()
    touched = new Set()
    gone = new Set()
    erased = new Set()
    turned = new Map()
  }
  const reload = (): boolean => {
    reached = tables.reached()
    const place = reached.run === options.run ? reached.place : resumed(reached.place, options.opened)
    if (place === undefined) return false
    reached = { ...reached, place, run: options.run }
    personal = new Set(tables.personal())
    followed = follow<Live>(
      tables.series().map((series) => ({ ...series, open: [] })),
      options,
      (series) => forget(series),
    )
    forgetUnwritten()
    return true
  }

  const forget = (series: Series): void => {
    gone.add(series.id)
    for (const [key, row] of rows) if (row.series === series.id) rows.delete(key)
    for (const live of touched) if (live.id === series.id) touched.delete(live)
  }

  const announced = (device: string, payload: Buffer): void => {
    const kind = kindOf(payload)
    if (kind === undefined) return
    const is = isPersonalKind(kind)
    if (is === personal.has(device) || (is && personal.size >= MOST_PERSONAL)) return
    turned.set(device, is)
    if (!is) return void personal.delete(device)
    personal.add(device)
    for (const series of followed.drop(device)) {
      forget(series)
      erased.add(series.id)
    }
  }

  const rowOf = (series: Live, k: number, span: Span, index: number): Row | undefined => {
    const open = series.open[k]
    if (open?.index === index) return open
    const key = `${span} ${index} ${series.id}`
    const before = rows.get(key)
    if (before !== undefined) return (series.open[k] = before)
    const bucket = index * SPANS[span] > writtenAt ? undefined : tables.find(span, index, series.id)
    if (bucket === undefined) return undefined
    const row = { span, index, series: series.id, bucket }
    rows.set(key, row)
    return (series.open[k] = row)
  }

  const read = (device: string, payload: Buffer, at: number): void => {
    const day = Math.floor(at / DAY)
    for (const { field, value, isSwitch } of readingsOf(payload)) {
      const series = followed.find(device, field, day, () => {
        const begun: Live = { id: reached.nextId++, device, field, isSwitch, day, open: [] }
        touched.add(begun)
        return begun
      })
      if (series === undefined) continue
      if (series.day < day || (series.isSwitch && !isSwitch)) {
        series.day = Math.max(series.day, day)
        series.isSwitch &&= isSwitch
        touched.add(series)
      }
      for (let k = 0; k < SPAN_NAMES.length; k++) {
        const span = SPAN_NAMES[k] ?? 'day'
        const index = Math.floor(at / SPANS[span])
        const inside = at - index * SPANS[span]
        const row = rowOf(series, k, span, index)
        if (row !== undefined) withReading(row.bucket, value, inside)
        else {
          const begun = { span, index, series: series.id, bucket: withReading(undefined, value, inside) }
          rows.set(`${span} ${index} ${series.id}`, begun)
          series.open[k] = begun
        }
      }
    }
  }

  const take = (bytes: Buffer, entry: number, isSnapshot: boolean): void => {
    const kind = kindAt(bytes, entry)
    if (kind === 'message') {
      reached.seq = Math.max(reached.seq, seqAt(bytes, entry))
      reached.at = Math.max(reached.at, stampAt(bytes, entry))
    } else if (!isSnapshot) return
    if (!topicBegins(bytes, entry, root)) return
    const topic = topicAt(bytes, entry)
    const slash = topic.indexOf('/', root.length)
    const device = topic.slice(root.length, slash)
    const leaf = topic.slice(slash)
    if (!DEVICE.test(device)) return
    if (leaf === ABOUT) return announced(device, payloadAt(bytes, entry))
    if (isSnapshot || (leaf !== STATE && leaf !== TELEMETRY) || personal.has(device)) return
    read(device, payloadAt(bytes, entry), stampAt(bytes, entry))
  }

  if (!reload()) return undefined
  return {
    step(segments, bytes) {
      const read = walk(reached.place, segments, bytes, take)
      reached.place = read.place
      return read.bytes
    },
    get waiting() {
      return rows.size
    },
    flush() {
      try {
        tables.write({ reached, rows: rows.values(), series: touched, gone, erased, personal: turned })
      } catch (error) {
        reload()
        throw error
      }
      for (const device of followed.devices())
        for (const series of followed.of(device)?.values() ?? []) series.open.length = 0
      forgetUnwritten()
    },
    reached: () => ({ seq: reached.seq, at: reached.at }),
    series: (device) => followed.of(device),
    devices: () => followed.devices(),
    isPersonal: (device) => personal.has(device),
    bucket: (series, span, index) =>
      rows.get(`${span} ${index} ${series.id}`)?.bucket ?? tables.find(span, index, series.id),
    refused: () => followed.refused(),
    reload: () => void reload(),
  }
}
