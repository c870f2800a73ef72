// Settings a person made in the running hub, such as whether it listens on the network: JSON by key.
import type { z } from 'zod'
import { Invalid } from '../errors.ts'
import type { Store } from './store.ts'
import type {} from './tables.ts'

export interface Settings {
  /** The value, checked; undefined when it was never set. Throws Invalid when what is stored does not fit. */
  get<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined>
  set(key: string, value: unknown): Promise<void>
  remove(key: string): Promise<void>
}

/** Whether a person, when claiming the hub, chose that it listens on the network. A boolean. */
export const OPEN_TO_NETWORK = 'network.open'

export const openSettings = ({ db }: Pick<Store, 'db'>): Settings => ({
  async get(key, schema) {
    const row = await db.selectFrom('settings').select('value').where('key', '=', key).executeTakeFirst()
    if (row === undefined) return undefined
    const parsed = schema.safeParse(readJson(row.value))
    if (!parsed.success) throw new Invalid(`settings.${key}`, row.value, 'is not of the stored form: set it again')
    return parsed.data
  },
  async set(key, value) {
    const json = JSON.stringify(value)
    await db
      .insertInto('settings')
      .values({ key, value: json })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: json }))
      .execute()
  },
  async remove(key) {
    await db.deleteFrom('settings').where('key', '=', key).execute()
  },
})

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
