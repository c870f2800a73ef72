// What the session store tells of itself, as health and on the error bus.
import type { Health } from '../../health/report.ts'

/** Health of the part `sessions`, and one error event per gap in a client's queue. */
export const sessionWords = (health: Pick<Health, 'set' | 'report' | 'metrics'>) => ({
  onBroken: (sentence: string): void => health.set('sessions', 'unhealthy', sentence),
  onHealed: (): void => health.set('sessions', 'healthy'),
  onDropped: (clientId: string, count: number, reason: string): void => {
    health.metrics.count('queue_dropped_total', 'Messages dropped from queues of clients that are offline', {}, count)
    health.report({
      source: 'broker',
      type: 'QueueDropped',
      severity: 'warning',
      category: 'resource',
      message: `${count} messages for ${clientId} were dropped: ${reason}`,
      details: { clientId, count, reason },
    })
  },
})
