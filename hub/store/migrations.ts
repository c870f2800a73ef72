// Every part's tables in order, run when the store opens; a store from a newer version is refused before anything is touched.
import type { Kysely } from 'kysely'
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from 'kysely/migration'
import { z } from 'zod'
import { migrations as access } from '../access/tables.ts'
import { migrations as devices } from '../devices/tables.ts'
import { Fatal, reasonOf } from '../errors.ts'
import { migrations as gate } from '../gate/tables.ts'
import { migrations as health } from '../health/tables.ts'
import { migrations as plugins } from '../plugins/tables.ts'
import { openSettings } from './settings.ts'
import type { Tables } from './store.ts'
import { migrations as store } from './tables.ts'

/** By name, which is also the order: a number of the part, then what it is about. A name that was released never changes. */
export const migrations: Readonly<Record<string, Migration>> = {
  ...store,
  ...access,
  ...devices,
  ...gate,
  ...health,
  ...plugins,
}

/** The version of the hub that changed the tables last. */
const VERSION = 'store.version'

/**
 * Brings the tables up to date. Each change runs in a transaction; one that fails leaves nothing behind.
 * Throws Fatal when the store was changed by a newer version, or when a change fails. Returns the names that were run.
 */
export const migrate = async (
  db: Kysely<Tables>,
  {
    place,
    version,
    known = migrations,
  }: { place: string; version: string; known?: Readonly<Record<string, Migration>> },
): Promise<string[]> => {
  const settings = openSettings({ db })
  const applied = await appliedTo(db)
  const foreign = applied.filter((name) => !(name in known))
  if (foreign.length > 0) {
    const maker = await settings.get(VERSION, z.string()).catch(() => undefined)
    throw new Fatal(
      `${place} was last used by Millrace ${maker ?? '(a newer version)'}, which made changes that version ${version} does not know (${foreign.join(', ')}). ` +
        `Start Millrace ${maker ?? 'of that version'} or newer, or restore the backup made before the upgrade. Nothing was changed.`,
    )
  }
  const { error, results = [] } = await new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...known }) },
    // Parts number their changes apart from each other, so a part may add one before another's last.
    allowUnorderedMigrations: true,
  }).migrateToLatest()
  if (error !== undefined) {
    const failed = results.find(({ status }) => status === 'Error')?.migrationName
    const why =
      error instanceof Error && error.cause !== undefined
        ? `${reasonOf(error)} (${reasonOf(error.cause)})`
        : reasonOf(error)
    throw new Fatal(
      `${place}: the tables could not be brought to version ${version}${failed === undefined ? '' : ` at '${failed}'`}: ${why} ` +
        'The change was undone. Mend what is named, or restore a backup, and start again.',
      error,
    )
  }
  const ran = results.map(({ migrationName }) => migrationName)
  if (ran.length > 0) await settings.set(VERSION, version)
  return ran
}

const appliedTo = async (db: Kysely<Tables>): Promise<string[]> => {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === DEFAULT_MIGRATION_TABLE)) return []
  const rows = await db
    .withTables<{ [DEFAULT_MIGRATION_TABLE]: { name: string } }>()
    .selectFrom(DEFAULT_MIGRATION_TABLE)
    .select('name')
    .orderBy('name')
    .execute()
  return rows.map(({ name }) => name)
}
