// Health: one word per part, told on change; and the error bus, which never throws, never floods and falls back to the log.
import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import { type Clock, iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import { type ErrorEvent, SEVERITIES } from '../topics/core.ts'
import { openFlood } from './flood.ts'
import { openMetrics } from './metrics.ts'
import { redact, redactText } from './redact.ts'
import type { ErrorReport, Health, HealthWord, Log, Metrics } from './report.ts'

export type ErrorEventValue = z.output<typeof ErrorEvent>

/** Sends an error event on its way; `severity` and `source` are the levels of its topic. May throw: the event is then logged. */
export type PublishError = (event: ErrorEventValue, at: { severity: string; source: string }) => void

export interface OpenHealth extends Health {
  /** From here on reports go to the error bus as well as to the log. */
  connect(publish: PublishError): void
  /** Sums up what is still throttled and stops the timers. */
  close(): void
}

export interface HealthOptions {
  clock: Pick<Clock, 'now'>
  log: Log
  metrics?: Metrics
  /** More than `count` equal reports (same source and type) within `windowMs` are counted and summed up once (EB-4). */
  flood?: { count: number; windowMs: number }
}

const WORST_FIRST: readonly HealthWord[] = ['unhealthy', 'degraded', 'unknown', 'healthy']
const MAX_PARTS = 1_000
const MAX_MESSAGE = 2_000
const MAX_STACK = 8_000
/** Older clients say low, medium, high (EB-1). */
const LEGACY_SEVERITY: Record<string, ErrorEventValue['severity']> = { low: 'info', medium: 'warning', high: 'error' }

/** A source name as a topic level: nothing a broker reads as a separator or wildcard. */
export const topicLevel = (source: string): string =>
  source
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.:-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 64) || 'unknown'

/** Opens health. Works from the first line of the start on; `connect` it to the bus when there is one. */
export const openHealth = (options: HealthOptions): OpenHealth => {
  const { clock, log } = options
  const metrics = options.metrics ?? openMetrics()
  const parts = new Map<string, { status: HealthWord; what?: string; since: number }>()
  let publish: PublishError | undefined
  let publishing = false

  const emit = (event: ErrorEventValue): void => {
    writeLine(log, event)
    metrics.count('errors_total', 'Error events, throttled ones left out', {
      severity: event.severity,
      category: event.category,
    })
    if (publish === undefined || publishing) return
    publishing = true
    try {
      publish(event, { severity: event.severity, source: topicLevel(event.source) })
    } catch (error) {
      log.error('error.unpublished', { id: event.id, reason: reasonOf(error) })
    } finally {
      publishing = false
    }
  }

  const flood = openFlood({
    count: options.flood?.count ?? 10,
    windowMs: options.flood?.windowMs ?? 60_000,
    now: () => clock.now(),
    summary: ({ source, type, throttled, last, windowMs }) =>
      emit(
        eventOf(
          {
            source,
            type: 'FloodSummary',
            severity: 'warning',
            category: 'system',
            message: `${throttled} more ${type} from ${source} in ${Math.round(windowMs / 1000)} s; the last: ${last}`,
            details: { type, throttled, windowSeconds: windowMs / 1000 },
          },
          clock.now(),
        ),
      ),
  })

  metrics.gauge('part_health', 'Health of each part: 1 for the word it has', () =>
    [...parts].map(([part, { status }]) => ({ labels: { part, status }, value: 1 })),
  )

  return {
    metrics,
    set: (part, word, what) => {
      const before = parts.get(part)
      if (before?.status === word && before.what === what) return
      if (before === undefined && parts.size >= MAX_PARTS) {
        log.warn('health.full', { part, limit: MAX_PARTS })
        return
      }
      const since = before?.status === word ? before.since : clock.now()
      parts.set(part, { status: word, since, ...(what === undefined ? {} : { what: redactText(what, MAX_MESSAGE) }) })
      if (before?.status === word) return
      log[word === 'healthy' ? 'info' : 'warn']('health', { of: part, status: word, before: before?.status, what })
    },
    drop: (part) => {
      if (parts.delete(part)) log.info('health.dropped', { of: part })
    },
    parts: () => [...parts].map(([part, state]) => ({ part, ...state })),
    status: () => {
      const words = new Set([...parts.values()].map(({ status }) => status))
      return WORST_FIRST.find((word) => words.has(word)) ?? 'unknown'
    },
    report: (error) => {
      try {
        const event = eventOf(error, clock.now())
        if (flood.passes(event.source, event.type, event.message)) emit(event)
        else
          metrics.count('errors_throttled_total', 'Error events held back as a flood', {
            source: topicLevel(event.source),
          })
      } catch (failure) {
        lastResort(log, failure)
      }
    },
    connect: (to) => {
      publish = to
    },
    close: () => {
      flood.close()
      publish = undefined
    },
  }
}

const eventOf = (error: ErrorReport, now: number): ErrorEventValue => {
  const severity = String(error.severity ?? 'error').toLowerCase()
  const details = redact(error.details ?? {})
  return {
    id: randomUUID(),
    timestamp: iso(now),
    source: String(error.source).slice(0, 200) || 'unknown',
    type: String(error.type).slice(0, 200) || 'Error',
    severity: SEVERITIES.find((known) => known === severity) ?? LEGACY_SEVERITY[severity] ?? 'error',
    category: error.category ?? 'system',
    message: redactText(String(error.message), MAX_MESSAGE),
    details: typeof details === 'object' && details !== null ? { ...details } : { value: details },
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack, MAX_STACK) }),
    ...(error.correlation_id === undefined ? {} : { correlation_id: error.correlation_id.slice(0, 128) }),
    retry_count: Number.isInteger(error.retry_count) ? Math.max(0, error.retry_count ?? 0) : 0,
  }
}

const writeLine = (log: Log, event: ErrorEventValue): void => {
  const { correlation_id, timestamp: _, severity, ...rest } = event
  const level = severity === 'debug' || severity === 'info' ? severity : severity === 'warning' ? 'warn' : 'error'
  log[level]('error', { ...rest, severity, ...(correlation_id === undefined ? {} : { correlation: correlation_id }) })
}

const lastResort = (log: Log, failure: unknown): void => {
  try {
    log.error('error.unreportable', { reason: reasonOf(failure) })
  } catch {
    // Nothing is left to tell it to; the caller must not suffer for it.
  }
}
