// What a plugin must not forget: JSON values by key, its own, bounded.
import type { Kysely } from 'kysely'
import { Invalid, Recoverable } from '../errors.ts'
import type { Tables } from '../store/store.ts'
import type { Memory } from './plugin.ts'
import type {} from './tables.ts'

const VALUE_BYTES = 2 ** 20
const PLUGIN_BYTES = 32 * 2 ** 20

export const openMemory = (db: Kysely<Tables>, plugin: string): Memory => {
  const mine = () => db.selectFrom('plugin_memory').where('plugin', '=', plugin)
  return {
    async get(key, schema) {
      const row = await mine().select('value').where('key', '=', key).executeTakeFirst()
      const parsed = row === undefined ? undefined : schema.safeParse(JSON.parse(row.value))
      return parsed?.success === true ? parsed.data : undefined
    },
    async set(key, value) {
      const json = JSON.stringify(value)
      const bytes = Buffer.byteLength(json)
      if (bytes > VALUE_BYTES) throw new Invalid(key, bytes, `must be at most ${VALUE_BYTES} bytes of JSON`)
      const { used } = await mine()
        .where('key', '!=', key)
        .select(({ fn }) => fn.sum<number | string | null>(fn('length', ['value'])).as('used'))
        .executeTakeFirstOrThrow()
      if (Number(used ?? 0) + bytes > PLUGIN_BYTES)
        throw new Recoverable(
          'TOO_LARGE',
          `Plugin '${plugin}' remembers ${PLUGIN_BYTES} bytes already: it must remove something.`,
        )
      await db
        .insertInto('plugin_memory')
        .values({ plugin, key, value: json })
        .onConflict((conflict) => conflict.columns(['plugin', 'key']).doUpdateSet({ value: json }))
        .execute()
    },
    async remove(key) {
      await db.deleteFrom('plugin_memory').where('plugin', '=', plugin).where('key', '=', key).execute()
    },
    async keys(prefix) {
      const rows = await mine()
        .select('key')
        .where('key', '>=', prefix)
        .where('key', '<', `${prefix}\u{10ffff}`)
        .orderBy('key')
        .execute()
      return rows.map(({ key }) => key)
    },
  }
}
