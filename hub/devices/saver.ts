// Writes of the registry to its tables: coalesced per row, one transaction at a time, tried again with a growing pause.
import type { Kysely } from 'kysely'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import type { Tables } from '../store/store.ts'
import type { DeviceNamesTable, DevicesTable } from './tables.ts'

const SOON_MS = 50
const LONGEST_PAUSE_MS = 30_000
const CHUNK = 500

export interface Saver {
  /** The row as it now is; `undefined` deletes it. */
  device(id: string, row: DevicesTable | undefined): void
  name(row: DeviceNamesTable): void
  /** Resolves when everything given so far is written; rejects when the next try fails. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** Keeps at most one pending row per id, so its queue is bounded by the number of devices and names. */
export const openSaver = (db: Kysely<Tables>, health: Pick<Health, 'set'>): Saver => {
  let devices = new Map<string, DevicesTable | undefined>()
  let names = new Map<string, DeviceNamesTable>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let pause = SOON_MS
  let closed = false

  const write = async (): Promise<void> => {
    const [rows, ids] = [devices, names]
    devices = new Map()
    names = new Map()
    try {
      await db.transaction().execute(async (trx) => {
        const gone = [...rows].flatMap(([id, row]) => (row === undefined ? [id] : []))
        const kept = [...rows.values()].filter((row) => row !== undefined)
        for (let i = 0; i < gone.length; i += CHUNK) {
          await trx
            .deleteFrom('devices')
            .where('id', 'in', gone.slice(i, i + CHUNK))
            .execute()
        }
        for (let i = 0; i < kept.length; i += CHUNK) {
          await trx
            .insertInto('devices')
            .values(kept.slice(i, i + CHUNK))
            .onConflict((on) =>
              on.column('id').doUpdateSet((eb) => ({
                owner: eb.ref('excluded.owner'),
                kind: eb.ref('excluded.kind'),
                name: eb.ref('excluded.name'),
                last_seen: eb.ref('excluded.last_seen'),
              })),
            )
            .execute()
        }
        const named = [...ids.values()]
        for (let i = 0; i < named.length; i += CHUNK) {
          await trx
            .insertInto('device_names')
            .values(named.slice(i, i + CHUNK))
            .onConflict((on) => on.columns(['by', 'key']).doNothing())
            .execute()
        }
      })
      pause = SOON_MS
      health.set('devices', 'healthy')
    } catch (error) {
      for (const [id, row] of rows) if (!devices.has(id)) devices.set(id, row)
      for (const [key, row] of ids) names.set(key, row)
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
      health.set(
        'devices',
        'degraded',
        `The registry of devices cannot be written (${reasonOf(error)}); owners of new devices are lost if the hub stops now. Check the database and its disk.`,
      )
      throw error
    }
  }

  const run = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing ??= write().finally(() => {
      writing = undefined
      if (devices.size + names.size > 0) later()
    })
    return writing
  }

  const later = (): void => {
    if (timer !== undefined || writing !== undefined || closed) return
    timer = setTimeout(() => void run().catch(() => {}), pause)
  }

  const flush = async (): Promise<void> => {
    await writing?.catch(() => {})
    while (devices.size + names.size > 0) await run()
  }

  return {
    device(id, row) {
      devices.set(id, row)
      later()
    },
    name(row) {
      names.set(`${row.by}\0${row.key}`, row)
      later()
    },
    flush,
    async close() {
      closed = true
      clearTimeout(timer)
      await flush()
    },
  }
}
