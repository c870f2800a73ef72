// The part of the hub that is the journal: opened, kept within its bounds, told of starts and stops.
import { join } from 'node:path'
import project from '../../package.json' with { type: 'json' }
import type { Base } from '../base.ts'
import type { Journal } from './entry.ts'
import { openJournal } from './journal.ts'
import { keepWithin, wordsOf } from './keep.ts'

/** Days are small: charts of years need them. */
const DAYS_OF_DAYS = 3650

export const journalPart = async ({ config, clock, health, ready, later }: Base): Promise<Journal> => {
  const { minuteDays, hourDays, chartsMiB } = config.file.journal
  const journal = await openJournal(join(config.DATA_DIR, 'journal'), {
    durability: config.DURABILITY,
    clock,
    snapshot: () => later.bus?.snapshot() ?? [],
    series: {
      file: join(config.DATA_DIR, 'series.sqlite'),
      prefix: config.TOPIC_PREFIX,
      clock,
      keep: { days: { minute: minuteDays, hour: hourDays, day: Math.max(DAYS_OF_DAYS, hourDays) }, mostMiB: chartsMiB },
      tell: (type, message) =>
        health.report({ source: 'journal', type, severity: 'warning', category: 'resource', message }),
    },
    ...wordsOf(health),
  })
  later.journal = journal
  clock.resume(journal.lastAt)
  ready('journal')
  return journal
}

/** Notes the start and the stop of the hub, and deletes old segments between them. */
export const retentionPart = ({ config, clock, log, health, journal }: Base & { journal: Journal }) => {
  journal.note('hub-start', { version: project.version, node: process.version })
  const end = keepWithin(journal, config.file.journal, { clock, log, health })
  return {
    close() {
      end()
      journal.note('hub-stop', {})
    },
  }
}
