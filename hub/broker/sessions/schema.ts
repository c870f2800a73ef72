// The session store's tables, and every statement that changes or reads them. Statements that change are addressed by their place in STATEMENTS.

/** `PRAGMA user_version`. A file with a greater one was written by a newer hub. */
export const SCHEMA_VERSION = 2
/** `PRAGMA application_id`: tells this file from any other SQLite file. */
export const APPLICATION_ID = 0x4d525353

// The queue of a client lies together and in order, so that it is read in pages. `shared`: the message is in other queues too.
const QUEUES = `
CREATE TABLE outgoing (client TEXT NOT NULL, id INTEGER NOT NULL, message INTEGER NOT NULL, shared INTEGER NOT NULL, bytes INTEGER NOT NULL, qos INTEGER NOT NULL, at REAL NOT NULL, packet_id INTEGER, released INTEGER, PRIMARY KEY (client, id)) WITHOUT ROWID;
CREATE INDEX outgoing_shared ON outgoing (message) WHERE shared = 1;
CREATE TABLE buried (client TEXT PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID;
`

// `packet` is JSON: what a message carries beside topic and payload (see packets.ts). Times are ms since 1970.
export const SCHEMA = `
CREATE TABLE retained (topic TEXT PRIMARY KEY, packet TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE sessions (client TEXT PRIMARY KEY, owner TEXT, expiry REAL, deadline REAL) WITHOUT ROWID;
CREATE TABLE subscriptions (client TEXT NOT NULL, filter TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (client, filter)) WITHOUT ROWID;
CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, packet TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE incoming (client TEXT NOT NULL, packet_id INTEGER NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (client, packet_id)) WITHOUT ROWID;
CREATE TABLE wills (client TEXT PRIMARY KEY, topic TEXT NOT NULL, packet TEXT NOT NULL, payload BLOB NOT NULL);
${QUEUES}`

/** What a message counts in the bounds beyond topic and payload, bytes. */
export const OVERHEAD = 200

/** What brings a file of an older version to the next one, by the version it has. Each runs in the transaction that opens the file. */
export const MIGRATIONS: Readonly<Record<number, string>> = {
  // Queues of version 1 were read whole at the start. Rows without their message, or without a queue, go.
  1: `
ALTER TABLE outgoing RENAME TO outgoing_1;
CREATE INDEX outgoing_1_message ON outgoing_1 (message);
${QUEUES}
INSERT INTO outgoing SELECT o.client, o.id, o.message, (SELECT count(*) FROM outgoing_1 other WHERE other.message = o.message) > 1, length(m.topic) + length(m.payload) + ${OVERHEAD}, o.qos, o.at, o.packet_id, o.released FROM outgoing_1 o JOIN messages m ON m.id = o.message ORDER BY o.client, o.id;
DELETE FROM messages WHERE NOT EXISTS (SELECT 1 FROM outgoing_1 WHERE message = messages.id);
DROP TABLE outgoing_1;
`,
}

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
  // The second value is for whoever counts what became free.
  'DELETE FROM messages WHERE id = ? AND ? >= 0 AND NOT EXISTS (SELECT 1 FROM outgoing WHERE message = messages.id AND shared = 1)',
  'INSERT OR REPLACE INTO outgoing VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)',
  'UPDATE outgoing SET packet_id = ?, qos = ? WHERE client = ? AND id = ?',
  'UPDATE outgoing SET released = ? WHERE client = ? AND id = ?',
  'DELETE FROM outgoing WHERE client = ? AND id = ?',
  'INSERT OR REPLACE INTO buried VALUES (?, ?)',
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
  /** Drops a message that several queues had, if none has it any more. */
  dropUnused: 9,
  enqueue: 10,
  sent: 11,
  released: 12,
  dequeue: 13,
  /** Gives up a queue up to a row; its rows are never read again and removed little by little. */
  bury: 14,
  begin: 15,
  complete: 16,
  completeAll: 17,
  will: 18,
  noWill: 19,
} as const

const LIVING = 'coalesce((SELECT upto FROM buried WHERE buried.client = outgoing.client), 0)'
const PLACE = 'client, id, message, shared, bytes, qos, at, packet_id AS packetId, released'

/** What is read at the start, in this order. Of the queues only what was sent is read row by row: see SENT. */
export const TABLES = {
  retained: 'SELECT topic, packet, payload FROM retained',
  sessions: 'SELECT client, owner, expiry, deadline FROM sessions',
  subscriptions: 'SELECT client, filter, options FROM subscriptions',
  queues: `SELECT client, count(*) AS count, total(bytes) AS bytes, min(at) AS since, max(id) AS last, max(CASE WHEN packet_id IS NOT NULL THEN id END) AS sent FROM outgoing WHERE id > ${LIVING} GROUP BY client`,
  totals: `SELECT (SELECT coalesce(max(id), 0) FROM messages) AS lastMessage, (SELECT coalesce(max(upto), 0) FROM buried) AS lastBuried, (SELECT total(bytes) FROM (SELECT bytes FROM outgoing WHERE shared = 0 UNION ALL SELECT max(bytes) FROM outgoing WHERE shared = 1 GROUP BY message)) AS queuedBytes`,
  incoming: 'SELECT client, packet_id AS packetId, topic FROM incoming',
  wills: 'SELECT client, topic, packet, payload FROM wills',
} as const

/** A client's queue up to the last message that was sent to it, without the messages themselves. */
export const SENT = `SELECT ${PLACE} FROM outgoing WHERE client = ? AND id <= ? AND id > ${LIVING} ORDER BY id`

/** A page of a client's queue behind a row. */
export const QUEUE_PAGE = `SELECT outgoing.client, outgoing.id, message, shared, bytes, qos, at, packet_id AS packetId, released, topic, packet, payload FROM outgoing JOIN messages ON messages.id = outgoing.message WHERE outgoing.client = ? AND outgoing.id > ? AND outgoing.id > ${LIVING} ORDER BY outgoing.id LIMIT ?`

/** For the removal of what is buried. */
export const BURIED = {
  all: 'SELECT client, upto FROM buried',
  rows: 'SELECT id, message, shared, bytes FROM outgoing WHERE client = ? AND id <= ? ORDER BY id LIMIT ?',
  done: 'DELETE FROM buried WHERE client = ? AND upto = ?',
} as const

/** A place in a queue. */
export interface PlaceRow {
  client: string
  id: number
  message: number
  shared: number
  bytes: number
  qos: number
  at: number
  packetId: number | null
  released: number | null
}

/** A place in a queue with its message. */
export interface QueueRow extends PlaceRow {
  topic: string
  packet: string
  payload: Uint8Array
}

export interface Rows {
  retained: { topic: string; packet: string; payload: Uint8Array }
  sessions: { client: string; owner: string | null; expiry: number | null; deadline: number | null }
  subscriptions: { client: string; filter: string; options: string }
  queues: { client: string; count: number; bytes: number; since: number; last: number; sent: number | null }
  sent: PlaceRow
  totals: { lastMessage: number; lastBuried: number; queuedBytes: number }
  incoming: { client: string; packetId: number; topic: string }
  wills: { client: string; topic: string; packet: string; payload: Uint8Array }
}

export type Table = keyof Rows
export type Page = { [T in Table]: { table: T; rows: Rows[T][] } }[Table]
