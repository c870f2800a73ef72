// Error events kept for a while, on both databases.
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Store } from '../store/store.ts'
import { migrations as settings } from '../store/tables.ts'
import { eachStore, silent } from '../testing/stores.ts'
import { openErrorStore } from './errors-store.ts'
import type { ErrorEventValue } from './health.ts'
import { migrations } from './tables.ts'

const START = Date.UTC(2026, 10, 1)
const HOUR = 3_600_000
let made = 0
const event = (at: number, more: Partial<ErrorEventValue> = {}): ErrorEventValue => ({
  id: `e${++made}`,
  timestamp: new Date(at).toISOString(),
  source: 'broker',
  type: 'Refused',
  severity: 'error',
  category: 'network',
  message: 'no',
  details: { topic: 'a/b', deep: { n: 1 } },
  retry_count: 0,
  ...more,
})
const opened = (store: Pick<Store, 'db'>, more: { max?: number; retainDays?: number } = {}) => {
  const time = { now: START }
  return { time, errors: openErrorStore({ store, clock: { now: () => time.now }, log: silent, ...more }) }
}

eachStore('error events', (open) => {
  const openHere = () => open({ migrations: { ...settings, ...migrations } })

  test('come back as they were, newest first, by time, severity and source', async () => {
    const { errors, time } = opened(await openHere())
    const full = event(START + 2, { stack: 'at a', correlation_id: 'c-1', retry_count: 3 })
    errors.add(event(START - 5 * HOUR))
    errors.add(full)
    errors.add(event(START + 1, { severity: 'critical', source: 'gate' }))
    time.now = START + 10
    const all = await errors.find({ hours: 24, limit: 100 })
    expect(all).toHaveLength(3)
    expect(all[0]).toEqual(full)
    expect(await errors.find({ hours: 1, limit: 100 })).toHaveLength(2)
    expect(await errors.find({ hours: 24, severity: 'critical', limit: 100 })).toMatchObject([{ source: 'gate' }])
    expect(await errors.find({ hours: 24, source: 'broker', limit: 1 })).toEqual([full])
    await errors.close()
  })

  test('are forgotten after their days, and beyond their number the oldest first', async () => {
    const { errors, time } = opened(await openHere(), { max: 10, retainDays: 7 })
    errors.add(event(START - 8 * 24 * HOUR, { id: 'old' }))
    for (let n = 0; n < 25; n++) errors.add(event(START + n, { id: `n${n}` }))
    await errors.flush()
    time.now += HOUR
    const kept = await errors.find({ hours: 24 * 30, limit: 1000 })
    expect(kept.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, n) => `n${24 - n}`))
    await errors.close()
  })

  test('that cannot be written wait, bounded, and are written when it works again', async () => {
    const store = await openHere()
    const { errors, time } = opened(store)
    await sql`alter table errors rename to gone`.execute(store.db)
    for (let n = 0; n < 2_100; n++) errors.add(event(START + n))
    await errors.flush()
    expect(errors.dropped()).toBe(100)
    await sql`alter table gone rename to errors`.execute(store.db)
    time.now += HOUR
    await errors.flush()
    expect(await errors.find({ hours: 24, limit: 1000 })).toHaveLength(1000)
    await errors.close()
  })
})
