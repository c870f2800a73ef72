// Health words and the error bus, as every part of the hub sees them.
import type { z } from 'zod'
import type { ErrorEvent } from '../topics/core.ts'

export type HealthWord = 'healthy' | 'degraded' | 'unhealthy' | 'unknown'

/** What a caller tells of an error; id, time and topic are added. Never throws. */
export type ErrorReport = Partial<Omit<z.output<typeof ErrorEvent>, 'id' | 'timestamp'>> &
  Pick<z.output<typeof ErrorEvent>, 'source' | 'type' | 'message'>

export interface Health {
  /** States how a part is; `what` says what to do when it is not healthy. Logged on change only. */
  set(part: string, word: HealthWord, what?: string): void
  drop(part: string): void
  parts(): { part: string; status: HealthWord; what?: string; since: number }[]
  /** The worst of all parts: unhealthy > degraded > unknown > healthy. */
  status(): HealthWord
  /** Publishes on `errors/<severity>/<source>`; floods are throttled and summed up; falls back to the log. Never throws. */
  report(error: ErrorReport): void
  metrics: Metrics
}

/** Counters, gauges and histograms by name; the label sets must be bounded. */
export interface Metrics {
  count(name: string, help: string, labels?: Record<string, string>, by?: number): void
  /** A gauge read at scrape. */
  gauge(name: string, help: string, read: () => number | { labels: Record<string, string>; value: number }[]): void
  /** Seconds. */
  observe(name: string, help: string, seconds: number, labels?: Record<string, string>): void
  text(): Promise<string>
}

/** A structured log: an event name and fields; secrets have a type that cannot be printed. */
export interface Log {
  debug(event: string, fields?: object): void
  info(event: string, fields?: object): void
  warn(event: string, fields?: object): void
  error(event: string, fields?: object): void
  /** The same log with a part's name in each line. */
  of(part: string): Log
}
