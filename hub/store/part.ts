// The part of the hub that is the store: the data folder held, the tables open, settings and error events in them.
import { join } from 'node:path'
import { z } from 'zod'
import type { Base } from '../base.ts'
import { openErrorStore } from '../health/errors-store.ts'
import { lockDataDir } from './lock.ts'
import { openStore } from './open.ts'
import { OPEN_TO_NETWORK, openSettings } from './settings.ts'
import type { Store } from './store.ts'

/** One hub at a time. */
export const folderPart = async ({ config }: Base) => {
  const lock = await lockDataDir(config.DATA_DIR)
  return { close: () => lock.release() }
}

export const storePart = ({ config, log, health }: Base): Promise<Store> =>
  openStore({
    url: config.DATABASE_URL,
    file: join(config.DATA_DIR, 'hub.sqlite'),
    log: log.of('store'),
    durability: config.DURABILITY,
    lost: (why) => health.set('store', 'unhealthy', `${why.message} Restart the hub.`),
  })

/** Settings a person made, and the address that follows from them: loopback until somebody opens the hub. */
export const settingsPart = async ({ config, store, ready }: Base & { store: Store }) => {
  const settings = openSettings(store)
  const open = await settings.get(OPEN_TO_NETWORK, z.boolean())
  ready('store')
  return { ...settings, bind: config.BIND ?? (open === true ? '0.0.0.0' : '127.0.0.1') }
}

export const errorsPart = ({ config, clock, log, store }: Base & { store: Store }) =>
  openErrorStore({ store, clock, log, retainDays: config.file.errors.days })
