// The part of the hub that is the journal: opened, kept within its bounds, told of starts and stops.
import { join } from 'node:path'
import project from '../../package.json' with { type: 'json' }
import type { Base } from '../base.ts'
import { openJournal } from './journal.ts'
import { keepWithin, wordsOf } from './keep.ts'

export const journalPart = async ({ config, clock, log, health, waiting, later }: Base) => {
  const journal = await openJournal(join(config.DATA_DIR, 'journal'), {
    durability: config.DURABILITY,
    clock,
    snapshot: () => later.bus?.snapshot() ?? [],
    ...wordsOf(health),
  })
  later.journal = journal
  clock.resume(journal.lastAt)
  journal.note('hub-start', { version: project.version, node: process.version })
  const endTidying = keepWithin(journal, config.file.journal, { clock, log, health })
  waiting.delete('journal')
  return {
    ...journal,
    close: () => {
      endTidying()
      journal.note('hub-stop', {})
      return journal.close()
    },
  }
}
