// The session store's tables, and every statement that changes them. Statements are addressed by their place in STATEMENTS.

/** `PRAGMA user_version`. A file with a greater one was written by a newer hub. */
export const SCHEMA_VERSION = 1
/** `PRAGMA application_id`: tells this file from any other SQLite file. */
export const APPLICATION_ID = 0x4d525353

// `packet` is JSON: what a message carries beside topic and payload (see packets.ts). Times are ms since 1970.
export const SCHEMA = `
CREATE TABLE retained (topic TEXT PRIMARY KEY, packet TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE sessions (client TEXT PRIMARY KEY, owner TEXT, expiry REAL, deadline REAL) WITHOUT ROWID;
CREATE TABLE subscriptions (client TEXT NOT NULL, filter TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (client, filter)) WITHOUT ROWID;
CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, packet TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE outgoing (id INTEGER PRIMARY KEY, client TEXT NOT NULL, message INTEGER NOT NULL, qos INTEGER NOT NULL, at REAL NOT NULL, packet_id INTEGER, released INTEGER);
CREATE TABLE incoming (client TEXT NOT NULL, packet_id INTEGER NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (client, packet_id)) WITHOUT ROWID;
CREATE TABLE wills (client TEXT PRIMARY KEY, topic TEXT NOT NULL, packet TEXT NOT NULL, payload BLOB NOT NULL);
`

/** All of them may be run twice with the same result, since a batch whose fate is unknown is run again. */
export const STATEMENTS = [
  'INSERT OR REPLACE INTO retained VALUES (?, ?, ?)',
  'DELETE FROM retained WHERE topic = ?',
  'INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)',
  'DELETE FROM sessions WHERE client = ?',
  'INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?)',
  'DELETE FROM subscriptions WHERE client = ? AND filter = ?',
  'DELETE FROM subscriptions WHERE client = ?',
  'INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?)',
  'DELETE FROM messages WHERE id = ?',
  'INSERT OR REPLACE INTO outgoing VALUES (?, ?, ?, ?, ?, NULL, NULL)',
  'UPDATE outgoing SET packet_id = ?, qos = ? WHERE id = ?',
  'UPDATE outgoing SET released = ? WHERE id = ?',
  'DELETE FROM outgoing WHERE id = ?',
  'INSERT OR REPLACE INTO incoming VALUES (?, ?, ?)',
  'DELETE FROM incoming WHERE client = ? AND packet_id = ?',
  'DELETE FROM incoming WHERE client = ?',
  'INSERT OR REPLACE INTO wills VALUES (?, ?, ?, ?)',
  'DELETE FROM wills WHERE client = ?',
] as const

export const DO = {
  keep: 0,
  unkeep: 1,
  session: 2,
  endSession: 3,
  subscribe: 4,
  unsubscribe: 5,
  unsubscribeAll: 6,
  message: 7,
  dropMessage: 8,
  enqueue: 9,
  sent: 10,
  released: 11,
  dequeue: 12,
  begin: 13,
  complete: 14,
  completeAll: 15,
  will: 16,
  noWill: 17,
} as const

/** What is read at the start, in this order. */
export const TABLES = {
  retained: 'SELECT topic, packet, payload FROM retained',
  sessions: 'SELECT client, owner, expiry, deadline FROM sessions',
  subscriptions: 'SELECT client, filter, options FROM subscriptions',
  messages: 'SELECT id, topic, packet, payload FROM messages',
  outgoing: 'SELECT id, client, message, qos, at, packet_id AS packetId, released FROM outgoing ORDER BY id',
  incoming: 'SELECT client, packet_id AS packetId, topic FROM incoming',
  wills: 'SELECT client, topic, packet, payload FROM wills',
} as const

export interface Rows {
  retained: { topic: string; packet: string; payload: Uint8Array }
  sessions: { client: string; owner: string | null; expiry: number | null; deadline: number | null }
  subscriptions: { client: string; filter: string; options: string }
  messages: { id: number; topic: string; packet: string; payload: Uint8Array }
  outgoing: {
    id: number
    client: string
    message: number
    qos: number
    at: number
    packetId: number | null
    released: number | null
  }
  incoming: { client: string; packetId: number; topic: string }
  wills: { client: string; topic: string; packet: string; payload: Uint8Array }
}

export type Table = keyof Rows
export type Page = { [T in Table]: { table: T; rows: Rows[T][] } }[Table]
