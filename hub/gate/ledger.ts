// The gate's one writer: commands and audit rows in batches, in order, each batch one transaction with the head of the chain.
import { Recoverable, reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import type { Store } from '../store/store.ts'
import { type AuditEvent, chained, GENESIS, type Head, lastRow, storedHead } from './audit.ts'
import type { Wait } from './bounds.ts'
import type { CommandsTable } from './tables.ts'

const BATCH = 500
/** Beyond this nothing that is not safe is accepted; beyond twice this rows are dropped, and the chain says how many. */
const MAX_WAITING = 10_000
/** Characters of command rows that wait; beyond this further ones are refused. */
const MAX_CHARACTERS = 64 * 1024 * 1024
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000
const CLOSE_MS = 3_000
const CLOSING_TRIES = 3

export interface Ledger {
  /** Adds a row to the audit. Never throws, never waits. */
  audit(event: AuditEvent): void
  /** The command as it now is; resolves when it is written together with all audit rows before it. Rejects when there is no room, or the store refuses this row. */
  put(row: CommandsTable): Promise<void>
  /** The row of a command that is not written yet. */
  waitingRow(id: string): CommandsTable | undefined
  flush(): Promise<void>
  /** False while records cannot be written: only safe intents pass the gate then. */
  readonly ok: boolean
  readonly waiting: number
  /** Writes what is left; gives up after three seconds when the store does not answer. */
  close(): Promise<void>
}

interface Put {
  row: CommandsTable
  done: { resolve: () => void; reject: (error: unknown) => void }[]
}

const sizeOf = ({ payload, history, result }: CommandsTable): number =>
  payload.length + history.length + (result?.length ?? 0)

/** Opens the ledger at the head of the chain. A head that does not fit the table is left as it is for `verify` to find, and reported. */
export const openLedger = async (parts: {
  store: Pick<Store, 'db' | 'write'>
  health: Pick<Health, 'set' | 'report'>
  wait: Wait
  /** ms since 1970. */
  now: number
}): Promise<Ledger> => {
  const { store, health, wait, now } = parts
  const { db } = store
  const tail = await lastRow(db)
  const stored = await storedHead(db)
  let head: Head = stored ?? tail ?? GENESIS
  const events: AuditEvent[] = []
  if ((stored?.n ?? 0) !== (tail?.n ?? 0) || stored?.hash !== tail?.hash) {
    health.report({
      source: 'gate',
      type: 'AuditBroken',
      severity: 'critical',
      category: 'database',
      message: `The audit chain does not end where it was written to (${stored?.n ?? 0} against ${tail?.n ?? 0} rows). Run 'npm run audit -- verify' and find out who changed the database.`,
    })
    // Past what is there and what was there, so that no number is given twice and the gap stays visible.
    if (tail !== undefined && tail.n > (stored?.n ?? 0)) head = tail
    events.push({
      at: now,
      event: 'audit.broken',
      subject: '',
      who: 'hub',
      device: '',
      intent: '',
      detail: { head: stored?.n ?? 0, rows: tail?.n ?? 0 },
    })
  }
  const puts = new Map<string, Put>()
  let flying = new Map<string, Put>()
  /** Characters of all rows in `puts` and `flying`. */
  let characters = 0
  let writing: Promise<void> | undefined
  let failing = false
  let dropped = 0
  let pause = FIRST_PAUSE_MS
  let closing = false
  const idle: (() => void)[] = []

  const write = async (batch: AuditEvent[], rows: CommandsTable[]): Promise<void> => {
    const chain = chained(head, batch)
    const end = chain.at(-1)
    const audited =
      end === undefined
        ? []
        : [
            db.insertInto('audit').values(chain),
            db
              .insertInto('audit_head')
              .values({ id: 1, n: end.n, hash: end.hash })
              .onConflict((on) => on.column('id').doUpdateSet({ n: end.n, hash: end.hash })),
          ]
    const recorded = rows.map((row) => {
      const { id: _, ...rest } = row
      return db
        .insertInto('commands')
        .values(row)
        .onConflict((on) => on.column('id').doUpdateSet(rest))
    })
    await store.write([...audited, ...recorded])
    if (end !== undefined) head = { n: end.n, hash: end.hash }
  }

  /** After a failed commit nobody knows whether it happened: the stored head tells. */
  const happened = async (batch: AuditEvent[]): Promise<boolean> => {
    const end = chained(head, batch).at(-1)
    const kept = await storedHead(db)
    if (end === undefined || kept?.n !== end.n || kept.hash !== end.hash) return false
    head = kept
    return true
  }

  /** The next commands to write, no more than `most`. */
  const take = (most: number): Map<string, Put> => {
    const taken = new Map([...puts].slice(0, most))
    for (const id of taken.keys()) puts.delete(id)
    return taken
  }

  /** What was not written waits again, unless it is newer by now. */
  const giveBack = (): void => {
    for (const [id, { row, done }] of flying) {
      const newer = puts.get(id)
      if (newer !== undefined) characters -= sizeOf(row)
      puts.set(id, { row: newer?.row ?? row, done: [...done, ...(newer?.done ?? [])] })
    }
    flying = new Map()
  }

  /** Writes a row that says so in place of the one the store refuses. False when the store does not take that either: then the fault is its own. */
  const replace = async (
    event: AuditEvent | undefined,
    put: CommandsTable | undefined,
    why: string,
  ): Promise<boolean> => {
    const {
      at,
      event: name,
      subject,
      who,
      device,
      intent,
    } = event ?? {
      at: put?.received_at ?? now,
      event: 'command',
      subject: put?.id ?? '',
      who: put?.origin ?? '',
      device: put?.device ?? '',
      intent: put?.intent ?? '',
    }
    const said = Object.entries({ event: name, subject, who, device, intent, why }).map(
      ([key, text]): [string, string] => [key, text.slice(0, 300).replace(/[^\x20-\x7e]/g, '?')],
    )
    const note: AuditEvent = {
      at,
      event: 'audit.unwritable',
      subject: '',
      who: 'hub',
      device: '',
      intent: '',
      detail: Object.fromEntries(said),
    }
    try {
      await write([note], [])
    } catch {
      return false
    }
    if (event !== undefined) events.shift()
    else if (put !== undefined) {
      const waiting = puts.get(put.id)
      puts.delete(put.id)
      characters -= sizeOf(waiting?.row ?? put)
      for (const { reject } of waiting?.done ?? [])
        reject(new Recoverable('UNAVAILABLE', `The database refuses the record of this command: ${why}`))
    }
    health.report({
      source: 'gate',
      type: 'RowRefused',
      severity: 'error',
      category: 'database',
      message: `The database refused one row (${name} of ${who || 'nobody'}), which is replaced by a row that says so: ${why}`,
    })
    return true
  }

  const works = (): void => {
    failing = false
    pause = FIRST_PAUSE_MS
    health.set('audit', 'healthy')
  }

  const pump = async (): Promise<void> => {
    /** Audit rows of the attempt that failed: it may have happened all the same. */
    let tried: AuditEvent[] | undefined
    /** After a failure rows go one by one, then in batches that double: one that the store refuses is found. */
    let most = BATCH
    let alone = 0
    let failures = 0
    while (events.length + puts.size > 0) {
      let batch: AuditEvent[] = []
      try {
        if (tried !== undefined && (await happened(tried))) events.splice(0, tried.length)
        tried = undefined
        batch = events.slice(0, most)
        // A command is written no earlier than the audit rows given before it.
        if (batch.length === events.length) flying = take(most - batch.length)
        await write(
          batch,
          [...flying.values()].map(({ row }) => row),
        )
      } catch (error) {
        const [row] = [...flying.values()].map((put) => put.row)
        alone = batch.length + flying.size === 1 ? alone + 1 : 0
        giveBack()
        tried ??= batch
        // Twice alone: not a store that was gone for a moment.
        if (alone >= 2 && (await replace(batch[0], row, reasonOf(error)))) {
          tried = undefined
          alone = failures = 0
          works()
          continue
        }
        most = 1
        failing = true
        health.set(
          'audit',
          'unhealthy',
          `Commands and audit cannot be recorded (${reasonOf(error)}): until they can, the gate lets only safe intents pass. Check the database and its disk.`,
        )
        if (closing && ++failures >= CLOSING_TRIES) return
        if (!closing) await new Promise<void>((resolve) => wait(pause, resolve))
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
        continue
      }
      most = Math.min(BATCH, most * 2)
      alone = failures = 0
      works()
      events.splice(0, batch.length)
      const written = flying
      flying = new Map()
      for (const { row, done } of written.values()) {
        characters -= sizeOf(row)
        for (const { resolve } of done) resolve()
      }
      if (dropped > 0 && events.length < MAX_WAITING) {
        events.push({
          at: batch.at(-1)?.at ?? 0,
          event: 'audit.gap',
          subject: '',
          who: 'hub',
          device: '',
          intent: '',
          detail: { rows: dropped },
        })
        dropped = 0
      }
    }
    for (const tell of idle.splice(0)) tell()
  }

  const go = (): void => {
    // After this turn: what is judged within it is written once, not first as arrived and then as sent.
    writing ??= new Promise<void>((resolve) => void setImmediate(resolve)).then(pump).finally(() => {
      writing = undefined
      if (events.length + puts.size > 0 && !closing) go()
    })
  }

  return {
    audit(event) {
      if (events.length >= 2 * MAX_WAITING) return void dropped++
      events.push(event)
      go()
    },
    put(row) {
      return new Promise((resolve, reject) => {
        const old = puts.get(row.id)
        if (old === undefined && (puts.size >= 2 * MAX_WAITING || characters > MAX_CHARACTERS))
          return reject(
            new Recoverable('UNAVAILABLE', 'The record of commands is full because the database does not take it.'),
          )
        characters += sizeOf(row) - (old === undefined ? 0 : sizeOf(old.row))
        puts.set(row.id, { row, done: [...(old?.done ?? []), { resolve, reject }] })
        go()
      })
    },
    waitingRow: (id) => puts.get(id)?.row ?? flying.get(id)?.row,
    flush: () =>
      events.length + puts.size === 0 && writing === undefined
        ? Promise.resolve()
        : new Promise((resolve) => void idle.push(resolve)),
    get ok() {
      return !failing && events.length < MAX_WAITING
    },
    get waiting() {
      return events.length + puts.size
    },
    async close() {
      closing = true
      let off = () => {}
      await Promise.race([
        (writing ?? Promise.resolve()).then(() => (events.length + puts.size > 0 ? pump() : undefined)),
        new Promise<void>((resolve) => (off = wait(CLOSE_MS, resolve))),
      ])
      off()
    },
  }
}
