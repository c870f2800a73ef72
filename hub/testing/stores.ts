// Runs a repository's tests on both databases, through the door the hub itself uses.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import type { Log } from '../health/report.ts'
import { openStore, type StoreOptions } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { type FakePostgres, startPostgres } from './postgres.fake.ts'

/** A log that says nothing. */
export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => silent }

/** Opens an empty store, or with `again` the last one as it was left. Closed after the test. */
export type OpenStore = (options?: { again?: boolean } & Partial<Omit<StoreOptions, 'url' | 'file'>>) => Promise<Store>

/** Describes `name` twice: on SQLite, and on PostgreSQL (PGlite spoken to by `pg`). */
export const eachStore = (name: string, tests: (open: OpenStore, dialect: Store['dialect']) => void): void => {
  describe(`${name}, on SQLite`, () => {
    let dir = ''
    const { keep } = closing()
    beforeAll(() => {
      dir = mkdtempSync(join(tmpdir(), 'millrace-store-'))
    })
    afterAll(() => rmSync(dir, { recursive: true, force: true }))
    let n = 0
    tests(async ({ again, ...options } = {}) => {
      if (!again) n++
      return keep(await openStore({ log: silent, ...options, file: join(dir, `${n}`, 'hub.db') }))
    }, 'sqlite')
  })
  describe(`${name}, on PostgreSQL`, () => {
    let server: FakePostgres
    const { keep } = closing()
    beforeAll(async () => {
      server = await startPostgres()
    }, 60_000)
    afterAll(() => server.close())
    tests(async ({ again, ...options } = {}) => {
      if (!again) await server.empty()
      return keep(await openStore({ log: silent, ...options, url: server.url, file: '' }))
    }, 'postgres')
  })
}

const closing = () => {
  const stores: Store[] = []
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
  })
  return { keep: (store: Store): Store => (stores.push(store), store) }
}
