// What `npm run doctor` looks at, from the configuration: whether or not a hub runs at the moment.
import { globSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { requirePatchedAedes } from '../broker/patched.ts'
import { wallClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { reasonOf } from '../errors.ts'
import { brokerReached } from './broker-check.ts'
import {
  brokerPatched,
  clockSane,
  dataFolder,
  hubAnswers,
  nodeVersion,
  otherBroker,
  portFree,
  uiBuilt,
} from './checks.ts'
import { type Check, doctor } from './doctor.ts'

/** Prints every check with a hint; resolves to the exit code. */
export const inspect = (config: Config): Promise<number> => {
  const bind = config.BIND ?? '127.0.0.1'
  const ours = () => hubAnswers(config.HTTP_PORT)
  const ports = (['HTTP_PORT', 'HTTPS_PORT', 'MQTT_PORT', 'MQTTS_PORT'] as const).map((variable): Check =>
    portFree({ variable, port: config[variable], bind }, ours),
  )
  const { BROKER_CA_FILE: caFile, OFFLINE_MODE: offline } = config
  const others = (['BROKER_URL', 'BRIDGE_URL'] as const).flatMap((variable) => {
    const url = config[variable]
    return url === undefined ? [] : [brokerReached({ variable, url, caFile, offline })]
  })
  return doctor([
    nodeVersion(process.version),
    dataFolder(config.DATA_DIR),
    ...ports,
    otherBroker(config.MQTT_PORT),
    ...others,
    uiBuilt(resolve(import.meta.dirname, '../../ui/dist')),
    brokerPatched(() => patchProblems()),
    clockSane(wallClock().now, () => newestIn(config.DATA_DIR)),
  ])
}

const patchProblems = (): string[] => {
  try {
    requirePatchedAedes()
    return []
  } catch (error) {
    return [reasonOf(error)]
  }
}

/** When anything of the data folder was last written, in ms; 0 when it holds nothing. */
const newestIn = (folder: string): number =>
  globSync('**/*', { cwd: folder }).reduce((latest, name) => Math.max(latest, statSync(join(folder, name)).mtimeMs), 0)
