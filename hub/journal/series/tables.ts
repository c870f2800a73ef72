// Where roll-ups are kept: an SQLite file of their own beside the journal. What is in it can be made again from the journal, so a file that cannot be used is made anew.
import { chmodSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { sqlCodeOf } from '../../store/errors.ts'
import { type Bucket, type Span, SPANS } from './bucket.ts'
import { BEGIN, type Place } from './walk.ts'

/** Of what is in the file. Raise it when the meaning of a row changes: the file is then made anew from what the journal still has. */
export const FORMAT = 1
const BUSY_MS = 2000

/** A value of a device that is followed. */
export interface Series {
  readonly id: number
  readonly device: string
  readonly field: string
  /** Only true and false were seen. */
  isSwitch: boolean
  /** The day of its newest reading, counted from 1970. */
  day: number
}

/** What is known when a place in the journal was reached. */
export interface Reached {
  place: Place
  /** The run of the hub that read so far. */
  run: string
  /** Of the newest entry that was read; 0 for none. */
  seq: number
  at: number
  nextId: number
}

export interface Row {
  span: Span
  /** The begin of the bucket, counted in spans since 1970. */
  index: number
  series: number
  bucket: Bucket
}

export interface Change {
  reached: Reached
  rows: Iterable<Row>
  series: Iterable<Series>
  /** Series that are followed no more; their buckets stay until they are too old. */
  gone: Iterable<number>
  /** Series whose buckets go at once. */
  erased: Iterable<number>
  personal: Iterable<[device: string, is: boolean]>
}

export interface Tables {
  reached(): Reached
  series(): Series[]
  /** Devices that are about people. */
  personal(): string[]
  find(span: Span, index: number, series: number): Bucket | undefined
  /** Everything at once, or nothing. */
  write(change: Change): void
  /** Deletes buckets of a span up to `index`, and no more than `most` spans of the oldest. Returns from which index on all is kept. */
  drop(span: Span, upTo: number, most: number): void
  /** The oldest bucket of a span; undefined when there is none. */
  oldest(span: Span): number | undefined
  /** Before this index buckets of a span were deleted. */
  keptFrom(span: Span): number
  /** Series without a reading since `day`. */
  forget(day: number): void
  /** Bytes in use. */
  bytes(): number
  close(): void
}

const SCHEMA = `
  create table series (
    id integer primary key, device text not null, field text not null, switch integer not null, day integer not null,
    unique (device, field)
  );
  create table personal (device text primary key) without rowid;
  create table kept (span integer primary key, since integer not null);
  create table reached (
    one integer primary key check (one = 1),
    run text not null, segment integer not null, salt integer not null, byte integer not null,
    before_segment integer not null, before_salt integer not null,
    seq integer not null, stamp integer not null, next_id integer not null
  );
  create table buckets (
    span integer not null, "at" integer not null, series integer not null,
    n integer not null, sum real not null, low real not null, high real not null,
    first real not null, first_at integer not null, last real not null, last_at integer not null, held real not null,
    primary key (span, "at", series)
  ) without rowid;
`
// The key begins with the time: what is written in a moment lies on a few pages, and what is too old goes in one stretch.

interface BucketRow {
  n: number
  sum: number
  low: number
  high: number
  first: number
  first_at: number
  last: number
  last_at: number
  held: number
}

const seconds = (span: Span): number => SPANS[span] / 1000

/** Opens the file; `renewed` says why it was made anew, when it was. With `empty` it is made anew in any case. Throws when the folder cannot be written. */
export const openTables = (file: string, { empty = false } = {}): { tables: Tables; renewed?: string } => {
  if (empty) return { tables: anew(file) }
  try {
    const db = opened(file)
    const version = Number(db.pragma('user_version', { simple: true }))
    if (version === FORMAT) return { tables: tablesIn(db) }
    const isNew = version === 0 && db.prepare('select count(*) as n from sqlite_master').pluck().get() === 0
    if (isNew) return { tables: tablesIn(made(db)) }
    db.close()
    return { tables: anew(file), renewed: `its format is ${version}, this hub writes ${FORMAT}` }
  } catch (error) {
    const code = sqlCodeOf(error)
    if (!/^SQLITE_(NOTADB|CORRUPT|ERROR)/.test(code)) throw error
    return { tables: anew(file), renewed: `it was damaged (${code})` }
  }
}

const opened = (file: string): Database.Database => {
  const db = new Database(file, { timeout: BUSY_MS })
  try {
    chmodSync(file, 0o600)
    db.pragma('journal_mode = WAL')
    // A power cut may take the last changes, which are then made again; it never leaves half of one.
    db.pragma('synchronous = NORMAL')
    db.pragma('cache_size = -4096')
    db.pragma('journal_size_limit = 8388608')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const made = (db: Database.Database): Database.Database => {
  db.transaction(() => {
    db.exec(SCHEMA)
    db.pragma(`user_version = ${FORMAT}`)
  })()
  return db
}

const anew = (file: string): Tables => {
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
  return tablesIn(made(opened(file)))
}

const tablesIn = (db: Database.Database): Tables => {
  const find = db.prepare<[number, number, number], BucketRow>(
    'select n, sum, low, high, first, first_at, last, last_at, held from buckets where span = ? and "at" = ? and series = ?',
  )
  const put = db.prepare('insert or replace into buckets values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const putSeries = db.prepare('insert or replace into series values (?, ?, ?, ?, ?)')
  const dropSeries = db.prepare('delete from series where id = ?')
  const putPersonal = db.prepare('insert or ignore into personal values (?)')
  const dropPersonal = db.prepare('delete from personal where device = ?')
  // Walks through everything: only for a device that turns out to be about people.
  const dropBucketsOf = db.prepare('delete from buckets where series = ?')
  const putReached = db.prepare('insert or replace into reached values (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const oldest = db.prepare<[number], number>('select "at" from buckets where span = ? order by "at" limit 1').pluck()
  const kept = db.prepare<[number], number>('select since from kept where span = ?').pluck()
  const putKept = db.prepare('insert or replace into kept values (?, ?)')
  const dropBuckets = db.prepare('delete from buckets where span = ? and "at" < ?')

  return {
    reached() {
      const row = db
        .prepare<
          [],
          Record<'segment' | 'salt' | 'byte' | 'earlier' | 'earlier_salt' | 'seq' | 'stamp' | 'next_id', number> & {
            run: string
          }
        >(
          'select run, segment, salt, byte, before_segment as earlier, before_salt as earlier_salt, seq, stamp, next_id from reached',
        )
        .get()
      if (row === undefined) return { place: BEGIN, run: '', seq: 0, at: 0, nextId: 1 }
      const before = { firstSeq: row.earlier, salt: row.earlier_salt }
      const place = { firstSeq: row.segment, salt: row.salt, offset: row.byte, before }
      return { place, run: row.run, seq: row.seq, at: row.stamp, nextId: row.next_id }
    },
    series: () =>
      db
        .prepare<[], { id: number; device: string; field: string; switch: number; day: number }>(
          'select id, device, field, switch, day from series order by id',
        )
        .all()
        .map(({ switch: isSwitch, ...rest }) => ({ ...rest, isSwitch: isSwitch === 1 })),
    personal: () => db.prepare<[], string>('select device from personal').pluck().all(),
    find(span, index, series) {
      const row = find.get(seconds(span), index, series)
      if (row === undefined) return undefined
      const { n, sum, low, high, first, first_at, last, last_at, held } = row
      return { n, sum, min: low, max: high, first, firstAt: first_at, last, lastAt: last_at, held }
    },
    write: db.transaction((change: Change): void => {
      const { place, run, seq, at, nextId } = change.reached
      for (const [device, is] of change.personal) (is ? putPersonal : dropPersonal).run(device)
      for (const id of change.gone) dropSeries.run(id)
      for (const id of change.erased) dropBucketsOf.run(id)
      for (const one of change.series) putSeries.run(one.id, one.device, one.field, Number(one.isSwitch), one.day)
      for (const { span, index, series, bucket: b } of change.rows)
        put.run(seconds(span), index, series, b.n, b.sum, b.min, b.max, b.first, b.firstAt, b.last, b.lastAt, b.held)
      const { firstSeq, salt, offset, before } = place
      putReached.run(run, firstSeq, salt, offset, before.firstSeq, before.salt, seq, at, nextId)
    }),
    drop: db.transaction((span: Span, upTo: number, most: number): void => {
      const first = oldest.get(seconds(span))
      if (first === undefined || first >= upTo) return
      const end = Math.min(upTo, first + most)
      dropBuckets.run(seconds(span), end)
      putKept.run(seconds(span), end)
    }),
    oldest: (span) => oldest.get(seconds(span)),
    keptFrom: (span) => kept.get(seconds(span)) ?? 0,
    forget: (day) => void db.prepare('delete from series where day < ?').run(day),
    bytes: () => {
      const word = (name: string): number => Number(db.pragma(name, { simple: true }))
      return (word('page_count') - word('freelist_count')) * word('page_size')
    },
    close: () => db.close(),
  }
}
