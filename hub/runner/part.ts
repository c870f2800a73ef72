// The part of the hub that is the runner: the flows in their own process, with the topics of every plugin.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Base } from '../base.ts'
import type { Bus } from '../bus/bus.ts'
import type { Journal } from '../journal/entry.ts'
import type { Found } from '../plugins/host.ts'
import { startRunner } from './run.ts'
import type { Runner } from './runner.ts'

interface Above extends Base {
  bus: Bus
  journal: Journal
  found: Found
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
}: Above): Promise<Runner> => {
  const runner = await startRunner({
    flowsDir: config.FLOWS_DIR,
    topicFiles: found.topicTables
      .map(({ plugin }) => join(config.PLUGINS_DIR, plugin, 'topics.ts'))
      .filter((file) => existsSync(file)),
    bus,
    journal,
    prefix: config.TOPIC_PREFIX,
    clock,
    log: log.of('runner'),
    health,
    limits: { heapMb: config.file.flows.heapMiB, stuckMs: config.file.flows.stuckSeconds * 1000 },
  })
  ready('flows')
  return runner
}
