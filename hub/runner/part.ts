// The part of the hub that is the runner: the flows in their own process, with the topics of every plugin.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Base } from '../base.ts'
import type { Bus } from '../bus/bus.ts'
import { type Config, siteOf } from '../config.ts'
import type { Journal } from '../journal/entry.ts'
import { openPast } from '../journal/past.ts'
import type { Found } from '../plugins/host.ts'
import { startRunner } from './run.ts'
import type { RunnerLimits } from './limits.ts'
import type { Runner } from './runner.ts'
import type { Settings } from '../store/settings.ts'

interface Above extends Base {
  bus: Bus
  journal: Journal
  found: Found
  settings: Settings
}

export const runnerPart = async ({
  config,
  clock,
  log,
  health,
  ready,
  bus,
  journal,
  found,
  settings,
}: Above): Promise<Runner> => {
  const runner = await startRunner({
    flowsDir: config.FLOWS_DIR,
    topicFiles: found.topicTables
      .map(({ plugin }) => join(config.PLUGINS_DIR, plugin, 'topics.ts'))
      .filter((file) => existsSync(file)),
    bus,
    journal,
    journalExcept: config.file.journal.except,
    retainedAt: (seq, fits) => openPast(join(config.DATA_DIR, 'journal')).retainedAt(seq, fits),
    settings,
    prefix: config.TOPIC_PREFIX,
    site: siteOf(config),
    clock,
    log: log.of('runner'),
    health,
    limits: limitsOf(config.file.flows),
  })
  ready('flows')
  return runner
}

const DAY_MS = 86_400_000

const limitsOf = (flows: Config['file']['flows']): Partial<RunnerLimits> => ({
  heapMb: flows.heapMiB,
  rssMb: flows.memoryMiB,
  turnMs: flows.turnMs,
  silentMs: flows.stuckSeconds * 1000,
  historyMessages: flows.historyMessages,
  historyMs: flows.historyDays * DAY_MS,
  loadsPerProcess: flows.reloadsPerProcess,
})
