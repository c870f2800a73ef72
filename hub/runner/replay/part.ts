// The part of the hub that replays: what the API needs to run a flow against its record.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Base } from '../../base.ts'
import { siteOf } from '../../config.ts'
import { REPLAY_LIMITS } from './process.ts'
import { openReplays, type Replays } from './replays.ts'

interface Above extends Base {
  /** The plugins that were found, with the tables of topics they bring. */
  found: { topicTables: readonly { plugin: string }[] }
}

export const replaysPart = ({ config, clock, log, found }: Above): Replays =>
  openReplays({
    flowsDir: config.FLOWS_DIR,
    places: {
      journalDir: join(config.DATA_DIR, 'journal'),
      prefix: config.TOPIC_PREFIX,
      topicFiles: found.topicTables
        .map(({ plugin }) => join(config.PLUGINS_DIR, plugin, 'topics.ts'))
        .filter((file) => existsSync(file)),
      except: config.file.journal.except,
      site: siteOf(config),
    },
    clock,
    log: log.of('replays'),
    limits: { ...REPLAY_LIMITS, stuckMs: config.file.flows.stuckSeconds * 1000 },
  })
