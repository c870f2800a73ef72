// How the hub is: health words, liveness, readiness, metrics, and the errors of the last days.
import { z } from 'zod'
import { type Clock, iso } from '../clock.ts'
import { Recoverable } from '../errors.ts'
import type { ErrorStore } from '../health/errors-store.ts'
import type { Health } from '../health/report.ts'
import { ErrorEvent, SEVERITIES } from '../topics/core.ts'
import type { Routes } from './app.ts'

const WORDS = z.enum(['healthy', 'degraded', 'unhealthy', 'unknown'])
const HealthAnswer = z.object({
  status: WORDS,
  timestamp: z.iso.datetime(),
  version: z.string(),
  uptimeSeconds: z.number(),
  parts: z.array(z.object({ part: z.string(), status: WORDS, since: z.iso.datetime() })),
})
const ErrorsQuery = z.strictObject({
  hours: z.coerce
    .number()
    .positive()
    .max(24 * 366)
    .default(24)
    .describe('How far back'),
  severity: z
    .string()
    .transform((word) => word.toLowerCase())
    .pipe(z.enum(SEVERITIES))
    .optional()
    .describe('Only this severity'),
  source: z.string().min(1).max(200).optional().describe('Only this source'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('At most this many, newest first'),
})

export interface HealthRoutesParts {
  health: Pick<Health, 'status' | 'parts' | 'metrics'>
  clock: Pick<Clock, 'now'>
  version: string
  /** What is not ready yet, by name; empty when the hub can work. */
  notReady: () => readonly string[]
  errors: Pick<ErrorStore, 'find'>
}

const open = { may: 'public', unlimited: true } as const

/** GET /health, /healthz, /readyz, /metrics and /api/errors. What each part says about itself takes the right `health.read` (GET /api/health). */
export const healthRoutes = (parts: HealthRoutesParts): Routes => {
  const { health, clock, version, notReady, errors } = parts
  const started = performance.now()
  const summary = () => ({
    status: health.status(),
    timestamp: iso(clock.now()),
    version,
    uptimeSeconds: Math.round((performance.now() - started) / 100) / 10,
  })

  return (app) => {
    app.get(
      '/health',
      {
        config: open,
        schema: {
          tags: ['health'],
          summary: 'How the hub and each part is, in words',
          response: { 200: HealthAnswer },
        },
      },
      () => ({
        ...summary(),
        parts: health.parts().map(({ part, status, since }) => ({ part, status, since: iso(since) })),
      }),
    )

    app.get(
      '/api/health',
      {
        config: { may: 'health.read' },
        schema: {
          tags: ['health'],
          summary: 'The same with what to do about each part',
          response: {
            200: HealthAnswer.extend({
              parts: z.array(
                z.object({ part: z.string(), status: WORDS, since: z.iso.datetime(), what: z.string().optional() }),
              ),
            }),
          },
        },
      },
      () => ({ ...summary(), parts: health.parts().map((part) => ({ ...part, since: iso(part.since) })) }),
    )

    app.get(
      '/healthz',
      {
        config: open,
        schema: {
          tags: ['health'],
          summary: 'The process lives',
          response: { 200: z.object({ status: z.literal('ok'), hub: z.literal('millrace') }) },
        },
      },
      () => ({ status: 'ok' as const, hub: 'millrace' as const }),
    )

    app.get(
      '/readyz',
      {
        config: open,
        schema: {
          tags: ['health'],
          summary: 'Whether the hub can work now; 503 with the list of what is missing',
          response: { 200: z.object({ status: z.literal('ready') }) },
        },
      },
      () => {
        const waitingFor = notReady()
        if (waitingFor.length === 0) return { status: 'ready' as const }
        throw new Recoverable('UNAVAILABLE', `Not ready: ${waitingFor.join(', ')}.`, { waitingFor })
      },
    )

    app.get(
      '/metrics',
      {
        config: { may: 'metrics.read' },
        schema: { tags: ['health'], summary: 'Counters, gauges and histograms as Prometheus text' },
      },
      async (_, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await health.metrics.text()),
    )

    app.get(
      '/api/errors',
      {
        config: { may: 'errors.read' },
        schema: {
          tags: ['health'],
          summary: 'Error events of the last hours, newest first',
          querystring: ErrorsQuery,
          response: { 200: z.object({ items: z.array(ErrorEvent) }) },
        },
      },
      async (request) => {
        const { hours, severity, source, limit } = request.query
        return {
          items: await errors.find({
            hours,
            limit,
            ...(severity === undefined ? {} : { severity }),
            ...(source === undefined ? {} : { source }),
          }),
        }
      },
    )
  }
}
