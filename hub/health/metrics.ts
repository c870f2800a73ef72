// Metrics in Prometheus text: counters, gauges and histograms by name, with bounded label sets, in a registry of the hub's own.
import type { Registry } from 'prom-client'
import type { Metrics } from './report.ts'

const PREFIX = 'millrace_'
/** Combinations of labels per metric; further ones are counted together under this value. */
const MAX_SERIES = 200
const OVERFLOW = 'overflow'
const MAX_LABEL = 120
const BUCKETS_SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** What a label may be called (Prometheus data model). */
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

export interface OpenMetrics extends Metrics {
  contentType: string
  /** Forgets everything and stops observing the process. */
  close(): void
}

type Labels = Record<string, string>

interface Reading {
  help: string
  read: Parameters<Metrics['gauge']>[2]
}

interface Spread {
  sum: number
  count: number
  /** How many fell into each bucket, the one without an end last. */
  buckets: number[]
}

interface Family<Value> {
  help: string
  labelNames: readonly string[]
  series: Map<string, { labels: Labels; value: Value }>
}

/**
 * Opens the registry. `text` adds the process's own metrics (memory, CPU, event-loop lag since the first `text`) unless `process` is false.
 * Names get the prefix `millrace_` when they lack it. The first use of a name fixes its labels: later ones may not add any
 * (they are left out), and what is missing is ''. Never throws: a wrong use is counted in `millrace_metric_misuse_total`.
 */
export const openMetrics = (options: { process?: boolean } = {}): OpenMetrics => {
  const counters = new Map<string, Family<number>>()
  const histograms = new Map<string, Family<Spread>>()
  const gauges = new Map<string, Reading>()
  let misuses = 0
  let own: Promise<Registry> | undefined

  const safely = (work: () => void): void => {
    try {
      work()
    } catch {
      misuses++
    }
  }

  return {
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    count: (name, help, labels = {}, by = 1) =>
      safely(() => {
        if (!(by >= 0)) throw new RangeError(`${name} only grows`)
        const row = rowOf(familyOf(counters, [histograms, gauges], name, help, labels), labels, () => 0)
        row.value += by
      }),
    observe: (name, help, seconds, labels = {}) =>
      safely(() => {
        if (!Number.isFinite(seconds)) throw new RangeError(`${name} is not a number of seconds`)
        const { value } = rowOf(familyOf(histograms, [counters, gauges], name, help, labels), labels, emptySpread)
        const bucket = BUCKETS_SECONDS.findIndex((most) => seconds <= most)
        const at = bucket < 0 ? BUCKETS_SECONDS.length : bucket
        value.buckets[at] = (value.buckets[at] ?? 0) + 1
        value.sum += seconds
        value.count++
      }),
    gauge: (name, help, read) =>
      safely(() => {
        if (counters.has(name) || histograms.has(name)) throw new TypeError(`${name} is not a gauge`)
        gauges.set(name, { help, read })
      }),
    text: async () => {
      const lines: string[] = []
      for (const [name, gauge] of gauges) safely(() => lines.push(...gaugeLines(fullName(name), gauge)))
      for (const [name, { help, series }] of counters) {
        lines.push(...head(fullName(name), help, 'counter'))
        for (const { labels, value } of series.values()) lines.push(line(fullName(name), labels, value))
      }
      for (const [name, family] of histograms) lines.push(...histogramLines(fullName(name), family))
      const misuse = `${PREFIX}metric_misuse_total`
      lines.push(...head(misuse, 'Calls of the metrics registry that could not be counted', 'counter'))
      lines.push(line(misuse, {}, misuses))
      const text = `${lines.join('\n')}\n`
      if (options.process === false) return text
      return `${text}\n${await (await (own ??= processMetrics())).metrics()}`
    },
    close: () => {
      for (const all of [counters, histograms, gauges]) all.clear()
      void own?.then((registry) => registry.clear())
    },
  }
}

/** What prom-client measures of a Node process. Loaded when somebody asks: a hub that nobody scrapes does without. */
const processMetrics = async (): Promise<Registry> => {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: PREFIX })
  return registry
}

const emptySpread = (): Spread => ({ sum: 0, count: 0, buckets: BUCKETS_SECONDS.map(() => 0).concat(0) })

const familyOf = <Value>(
  all: Map<string, Family<Value>>,
  others: readonly ReadonlyMap<string, unknown>[],
  name: string,
  help: string,
  labels: Labels,
): Family<Value> => {
  const known = all.get(name)
  if (known) return known
  if (others.some((other) => other.has(name))) throw new TypeError(`${name} is of another kind`)
  const labelNames = Object.keys(labels)
  const wrong = labelNames.find((label) => !LABEL_NAME.test(label))
  if (wrong !== undefined) throw new TypeError(`${wrong} cannot be a label`)
  const made: Family<Value> = { help, labelNames, series: new Map() }
  all.set(name, made)
  return made
}

const rowOf = <Value>(
  { labelNames, series }: Pick<Family<Value>, 'labelNames' | 'series'>,
  labels: Labels,
  empty: () => Value,
): { labels: Labels; value: Value } => {
  const fitting = Object.fromEntries(labelNames.map((name) => [name, (labels[name] ?? '').slice(0, MAX_LABEL)]))
  const known = series.get(JSON.stringify(fitting))
  if (known) return known
  const isFull = series.size >= MAX_SERIES && labelNames.length > 0
  const bounded = isFull ? Object.fromEntries(labelNames.map((name) => [name, OVERFLOW])) : fitting
  const key = JSON.stringify(bounded)
  const made = series.get(key) ?? { labels: bounded, value: empty() }
  series.set(key, made)
  return made
}

/** A gauge is read for each scrape: its labels are known only then. */
const gaugeLines = (name: string, { help, read }: Reading): string[] => {
  const values = read()
  const rows = typeof values === 'number' ? [{ labels: {}, value: values }] : values
  const labelNames = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))]
  const series: Family<number>['series'] = new Map()
  for (const { labels, value } of rows) rowOf({ labelNames, series }, labels, () => 0).value += value
  return [...head(name, help, 'gauge'), ...[...series.values()].map(({ labels, value }) => line(name, labels, value))]
}

const histogramLines = (name: string, { help, series }: Family<Spread>): string[] => [
  ...head(name, help, 'histogram'),
  ...[...series.values()].flatMap(({ labels, value: { sum, count, buckets } }) => {
    let below = 0
    return [
      ...[...BUCKETS_SECONDS, '+Inf'].map((most, i) =>
        line(`${name}_bucket`, { le: String(most), ...labels }, (below += buckets[i] ?? 0)),
      ),
      line(`${name}_sum`, labels, sum),
      line(`${name}_count`, labels, count),
    ]
  }),
]

const head = (name: string, help: string, type: string): string[] => [
  `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
  `# TYPE ${name} ${type}`,
]

const line = (name: string, labels: Labels, value: number): string => {
  const told = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  const number = Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  return `${name}${told.length === 0 ? '' : `{${told.join(',')}}`} ${number}`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')

const fullName = (name: string): string => {
  const clean = name.replaceAll(/[^a-zA-Z0-9_]/g, '_')
  return clean.startsWith(PREFIX) ? clean : `${PREFIX}${clean}`
}
