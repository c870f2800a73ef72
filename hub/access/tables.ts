// Tables of access: people, device credentials and API keys. Secrets are stored only as hashes.
import type { Migration } from 'kysely/migration'

export interface PeopleTable {
  username: string
  /** argon2id, in PHC form. */
  password: string
  /** JSON array of roles. */
  roles: string
  /** Grows with every change of password or roles: a token of an earlier epoch is void. */
  epoch: number
  /** ms since 1970. */
  created_at: number
}

export interface DeviceCredentialsTable {
  client_id: string
  device: string
  /** Hex. */
  salt: string
  /** SHA-256 over salt and password, hex. */
  hash: string
  /** JSON array of MQTT filters. */
  topics: string
  created_at: number
}

export interface ApiKeysTable {
  id: string
  name: string
  owner: string
  /** SHA-256 of the whole key, hex. */
  hash: string
  /** JSON array of rights. */
  scopes: string
  created_at: number
  expires_at: number | null
}

/** Who signs in at an issuer, and who that is here. */
export interface IdentitiesTable {
  id: string
  /** `iss` and `sub` of the issuer's tokens. */
  issuer: string
  subject: string
  /** Null when the person was removed here: nobody is made for this subject again. */
  username: string | null
  /** When the token was made that gave the roles they have, ms since 1970. */
  roles_at: number
  created_at: number
}

declare module '../store/store.ts' {
  interface Tables {
    people: PeopleTable
    device_credentials: DeviceCredentialsTable
    api_keys: ApiKeysTable
    identities: IdentitiesTable
  }
}

export const migrations: Record<string, Migration> = {
  '001-access': {
    async up(db) {
      await db.schema
        .createTable('people')
        .addColumn('username', 'text', (column) => column.primaryKey().notNull())
        .addColumn('password', 'text', (column) => column.notNull())
        .addColumn('roles', 'text', (column) => column.notNull())
        .addColumn('epoch', 'bigint', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('device_credentials')
        .addColumn('client_id', 'text', (column) => column.primaryKey().notNull())
        .addColumn('device', 'text', (column) => column.notNull().unique())
        .addColumn('salt', 'text', (column) => column.notNull())
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('topics', 'text', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('api_keys')
        .addColumn('id', 'text', (column) => column.primaryKey().notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull().references('people.username').onDelete('cascade'))
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('expires_at', 'bigint')
        .execute()
      await db.schema.createIndex('api_keys_owner').on('api_keys').column('owner').execute()
    },
  },
  '002-identities': {
    async up(db) {
      await db.schema
        .createTable('identities')
        .addColumn('id', 'text', (column) => column.primaryKey().notNull())
        .addColumn('issuer', 'text', (column) => column.notNull())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('username', 'text')
        .addColumn('roles_at', 'bigint', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addUniqueConstraint('identities_subject', ['issuer', 'subject'])
        .execute()
    },
  },
}
