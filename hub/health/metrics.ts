// Metrics in Prometheus text: counters, gauges and histograms by name, with bounded label sets, in a registry of the hub's own.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from './report.ts'

const PREFIX = 'millrace_'
/** Combinations of labels per metric; further ones are counted together under this value. */
const MAX_SERIES = 200
const OVERFLOW = 'overflow'
const MAX_LABEL = 120
const BUCKETS_SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface OpenMetrics extends Metrics {
  contentType: string
  /** Forgets everything and stops observing the process. */
  close(): void
}

interface Reading {
  help: string
  read: Parameters<Metrics['gauge']>[2]
}

interface Family<M> {
  metric: M
  labelNames: readonly string[]
  series: Set<string>
}

/**
 * Opens the registry, with the process's own metrics (memory, CPU, event-loop lag) unless `process` is false.
 * Names get the prefix `millrace_` when they lack it. The first use of a name fixes its labels: later ones may not add any
 * (they are left out), and what is missing is ''. Never throws: a wrong use is counted in `millrace_metric_misuse_total`.
 */
export const openMetrics = (options: { process?: boolean } = {}): OpenMetrics => {
  const registry = new Registry()
  if (options.process !== false) collectDefaultMetrics({ register: registry, prefix: PREFIX })
  const counters = new Map<string, Family<Counter>>()
  const histograms = new Map<string, Family<Histogram>>()
  const gauges = new Map<string, Reading>()
  const misuse = new Counter({
    name: `${PREFIX}metric_misuse_total`,
    help: 'Calls of the metrics registry that could not be counted',
    registers: [registry],
  })

  const family = <M extends Counter | Histogram>(
    all: Map<string, Family<M>>,
    name: string,
    labels: Record<string, string>,
    make: (name: string, labelNames: string[]) => M,
  ): Family<M> => {
    const known = all.get(name)
    if (known) return known
    const labelNames = Object.keys(labels)
    const made: Family<M> = { metric: make(fullName(name), labelNames), labelNames, series: new Set() }
    all.set(name, made)
    return made
  }

  const safely = (work: () => void): void => {
    try {
      work()
    } catch {
      misuse.inc()
    }
  }

  return {
    contentType: registry.contentType,
    count: (name, help, labels = {}, by = 1) =>
      safely(() => {
        const { metric, labelNames, series } = family(
          counters,
          name,
          labels,
          (full, names) => new Counter({ name: full, help, labelNames: names, registers: [registry] }),
        )
        metric.inc(bounded(labels, labelNames, series), by)
      }),
    observe: (name, help, seconds, labels = {}) =>
      safely(() => {
        const { metric, labelNames, series } = family(
          histograms,
          name,
          labels,
          (full, names) =>
            new Histogram({ name: full, help, labelNames: names, buckets: BUCKETS_SECONDS, registers: [registry] }),
        )
        metric.observe(bounded(labels, labelNames, series), seconds)
      }),
    gauge: (name, help, read) =>
      safely(() => {
        if (counters.has(name) || histograms.has(name)) throw new TypeError(`${name} is not a gauge`)
        gauges.set(name, { help, read })
      }),
    text: async () => {
      const now = new Registry()
      for (const [name, gauge] of gauges) safely(() => readGauge(now, fullName(name), gauge))
      const [kept, read] = await Promise.all([registry.metrics(), now.metrics()])
      return (
        [kept, read]
          .map((text) => text.trimEnd())
          .filter(Boolean)
          .join('\n\n') + '\n'
      )
    },
    close: () => registry.clear(),
  }
}

/** A gauge lives for one scrape: its labels are known only once it has been read. */
const readGauge = (registry: Registry, name: string, { help, read }: Reading): void => {
  const values = read()
  const rows = typeof values === 'number' ? [{ labels: {}, value: values }] : values
  const labelNames = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))]
  const metric = new Gauge({ name, help, labelNames, registers: [registry] })
  const series = new Set<string>()
  if (rows.length === 0) metric.reset()
  for (const { labels, value } of rows) {
    const before = series.size
    const fitting = bounded(labels, labelNames, series)
    if (series.size > before || labelNames.length === 0) metric.set(fitting, value)
    else metric.inc(fitting, value)
  }
}

const bounded = (
  labels: Record<string, string>,
  names: readonly string[],
  series: Set<string>,
): Record<string, string> => {
  const fitting = Object.fromEntries(names.map((name) => [name, (labels[name] ?? '').slice(0, MAX_LABEL)]))
  const key = JSON.stringify(fitting)
  if (series.has(key)) return fitting
  if (series.size >= MAX_SERIES && names.length > 0) return Object.fromEntries(names.map((name) => [name, OVERFLOW]))
  series.add(key)
  return fitting
}

const fullName = (name: string): string => {
  const clean = name.replaceAll(/[^a-zA-Z0-9_]/g, '_')
  return clean.startsWith(PREFIX) ? clean : `${PREFIX}${clean}`
}
