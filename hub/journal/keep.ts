// Keeps the journal within its bounds (once an hour the oldest segments go, by age and by size) and tells health how its disk is.
import type { Clock } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import type { Journal } from './entry.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Returns the function that ends it. `maxGiB` in binary gigabytes. */
export const keepWithin = (
  journal: Journal,
  { days, maxGiB }: { days: number; maxGiB: number },
  { clock, log, health }: { clock: Pick<Clock, 'now'>; log: Log; health: Pick<Health, 'report'> },
): (() => void) => {
  const tidy = async (): Promise<void> => {
    const gone = await journal.retain({ maxBytes: maxGiB * 2 ** 30, after: clock.now() - days * DAY_MS })
    if (gone > 0) log.info('journal-segments-deleted', { segments: gone, days, maxGiB })
  }
  const timer = setInterval(() => {
    tidy().catch((error: unknown) =>
      health.report({ source: 'journal', type: 'RetentionFailed', category: 'resource', message: reasonOf(error) }),
    )
  }, HOUR_MS)
  return () => clearInterval(timer)
}

/** What the journal tells of its disk, as health of the part `journal`. */
export const wordsOf = (health: Pick<Health, 'set' | 'report'>) => ({
  onBroken: (error: Error): void => health.set('journal', 'unhealthy', error.message),
  onHealed: (): void => health.set('journal', 'healthy'),
  onDamaged: (message: string): void =>
    health.report({ source: 'journal', type: 'JournalDamaged', severity: 'critical', category: 'system', message }),
})
