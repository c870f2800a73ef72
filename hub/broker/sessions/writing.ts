// Changes on their way to the file: gathered while the last transaction runs, then committed together, in order.
import type { Worker } from 'node:worker_threads'
import { Fatal, Recoverable, reasonOf } from '../../errors.ts'
import { startThread } from '../../thread.ts'
import { DO, type Page, type QueueRow } from './schema.ts'
import type { Op, Order, Report, ThreadData, Value } from './thread.ts'

/** A change that can be taken back while it is not yet on its way. */
export interface Change {
  op: Op
  sent: boolean
  cancelled: boolean
}

export const change = (...op: Op): Change => ({ op, sent: false, cancelled: false })

export interface Writing {
  /** Adds changes of one turn; they are committed together. Resolves when they are stored. */
  store(changes: readonly Change[]): Promise<void>
  /** Resolves when everything added so far is stored. */
  flushed(): Promise<void>
  /** A page of a client's queue as it is in the file, behind row `after`. Rejects with Recoverable when it cannot be read. */
  read(client: string, after: number, most: { rows: number; bytes: number }): Promise<QueueRow[]>
  /** True when the change has not been sent to the file and now never will be. */
  cancel(change: Change): boolean
  /** Why nothing can be stored at present. */
  readonly broken: string | undefined
  /** Changes that are not stored yet, and the bytes of their payloads. */
  readonly waiting: number
  readonly waitingBytes: number
  /** Lets the file grow to this many pages of 4 KiB and no further: beyond it the disk counts as full. */
  limit(pages: number): void
  close(): Promise<void>
}

/** Where changes may be parted: those of one turn stay in one transaction. */
interface Cut {
  at: number
  bytes: number
}

interface Batch {
  id: number
  changes: Change[]
  bytes: number
  cuts: Cut[]
  waiters: { resolve(): void; reject(error: Error): void }[]
}

interface Reading {
  resolve(rows: QueueRow[]): void
  reject(error: Error): void
  late: NodeJS.Timeout
}

export interface WritingOptions {
  file: string
  durability: 'process' | 'power'
  onPage: (page: Page) => void
  onBroken: (reason: string) => void
  onHealed: () => void
  /** Messages that several queues had were asked to go (`places`, bytes); so many bytes of them no queue has any more. */
  onFreed: (places: number, freed: number) => void
  retryMs: number
}

const MOST_IN_BATCH = 20_000
const MOST_BYTES_IN_BATCH = 8 * 2 ** 20
const READ_MS = 30_000
const CLOSE_MS = 10_000

/** Opens the file in its thread and hands its content to `onPage`. Throws Fatal with what to do when it cannot be used. */
export const openWriting = async (options: WritingOptions): Promise<Writing> => {
  const { file, durability, onBroken, onHealed, retryMs } = options
  let open: Batch = { id: 1, changes: [], bytes: 0, cuts: [], waiters: [] }
  let sent: Batch | undefined
  let thread: Worker | undefined
  let broken: string | undefined
  let scheduled = false
  let closing: (() => void) | undefined
  let retry: NodeJS.Timeout | undefined
  let inTurn = false
  let lastRead = 0
  const readings = new Map<number, Reading>()

  /** The reading with this number, which is over. */
  const readingOf = (id: number): Reading | undefined => {
    const reading = readings.get(id)
    readings.delete(id)
    clearTimeout(reading?.late)
    return reading
  }
  const unread = (id: number, reason: string): void =>
    readingOf(id)?.reject(new Recoverable('UNAVAILABLE', sentenceOfUnread(file, reason)))

  const start = (load: boolean): Promise<void> => {
    const started = Promise.withResolvers<void>()
    const data: ThreadData = { file, power: durability === 'power', load }
    const worker = startThread(new URL('./thread.ts', import.meta.url), { name: 'session-store', workerData: data })
    thread = worker
    worker.on('message', (report: Report) => {
      if (report.is === 'page') options.onPage(report as unknown as Page)
      else if (report.is === 'ready') started.resolve()
      else if (report.is === 'unusable') started.reject(new Fatal(sentenceOf(file, report)))
      else if (report.is === 'done') stored(report.id, report.freed)
      else if (report.is === 'rows') readingOf(report.id)?.resolve(report.rows)
      else if (report.is === 'unread') unread(report.id, report.reason)
      else if (report.is === 'cleared') options.onFreed(report.places, report.freed)
      else failed(report.reason)
    })
    const gone = (reason: string) => {
      started.reject(new Fatal(`The session store ${file} cannot be opened (${reason}).`))
      if (thread !== worker) return
      thread = undefined
      for (const id of [...readings.keys()]) unread(id, `its thread ended: ${reason}`)
      if (closing !== undefined) closing()
      else if (sent !== undefined || broken !== undefined) failed(`its thread ended: ${reason}`)
    }
    worker.on('error', (error) => gone(reasonOf(error)))
    worker.on('exit', (code) => gone(`exit code ${code}`))
    return started.promise
  }

  const stored = (id: number, freed: number): void => {
    if (sent?.id !== id) return
    const { waiters, changes } = sent
    sent = undefined
    const places = changes.reduce((sum, { op, cancelled }) => sum + (cancelled ? 0 : placeOf(op)), 0)
    if (places > 0) options.onFreed(places, freed)
    if (broken !== undefined) {
      broken = undefined
      onHealed()
    }
    for (const { resolve } of waiters) resolve()
    if (open.changes.length > 0) post()
    else closing?.()
  }

  /** Whoever waits is told no; the changes stay, since memory has them already, and are tried again. */
  const failed = (reason: string): void => {
    if (sent === undefined) return
    const first = broken === undefined
    broken = reason
    const error = new Recoverable('UNAVAILABLE', sentenceOfBroken(file, reason))
    for (const { reject } of sent.waiters.splice(0)) reject(error)
    for (const { reject } of open.waiters.splice(0)) reject(error)
    if (first) onBroken(error.message)
    if (closing !== undefined) return closing()
    clearTimeout(retry)
    retry = setTimeout(() => void tryAgain(), retryMs)
  }

  const tryAgain = async (): Promise<void> => {
    try {
      if (thread === undefined) await start(false)
      send()
    } catch (error) {
      failed(reasonOf(error))
    }
  }

  /** How much of what is open goes next: whole turns, as many as a batch takes, but one at least. */
  const cutOf = ({ changes, bytes, cuts }: Batch): Cut => {
    let cut: Cut | undefined
    for (const next of [...cuts, { at: changes.length, bytes }]) {
      if (next.at === 0) continue
      if (cut !== undefined && (next.at > MOST_IN_BATCH || next.bytes > MOST_BYTES_IN_BATCH)) break
      cut = next
    }
    return cut ?? { at: changes.length, bytes }
  }

  const post = (): void => {
    scheduled = false
    if (sent !== undefined || open.changes.length === 0) return
    const all = open
    const cut = cutOf(all)
    sent = { ...all, changes: all.changes.splice(0, cut.at), bytes: cut.bytes }
    const cuts = all.cuts
      .filter(({ at }) => at >= cut.at)
      .map(({ at, bytes }) => ({ at: at - cut.at, bytes: bytes - cut.bytes }))
    open = { id: all.id + 1, changes: all.changes, bytes: all.bytes - cut.bytes, cuts, waiters: [] }
    // Whoever waits for changes beyond this batch waits for the batch that takes the last of them.
    if (open.changes.length > 0) [open.waiters, sent.waiters] = [sent.waiters, []]
    for (const each of sent.changes) each.sent = true
    send()
  }

  const send = (): void => {
    if (sent === undefined) return
    if (thread === undefined) return failed('its thread is gone')
    const { ops, buffer } = packed(sent.changes)
    const order: Order = { do: 'batch', id: sent.id, ops }
    thread.postMessage(order, [buffer])
  }

  await start(true)

  return {
    get broken() {
      return broken
    },
    get waiting() {
      return open.changes.length + (sent?.changes.length ?? 0)
    },
    get waitingBytes() {
      return open.bytes + (sent?.bytes ?? 0)
    },
    limit: (pages) => thread?.postMessage({ do: 'limit', pages } satisfies Order),
    cancel: (change) => {
      change.cancelled = !change.sent
      return change.cancelled
    },
    store: (changes) => {
      if (!inTurn) {
        inTurn = true
        open.cuts.push({ at: open.changes.length, bytes: open.bytes })
        queueMicrotask(() => (inTurn = false))
      }
      for (const change of changes) {
        open.changes.push(change)
        open.bytes += blobsOf(change)
      }
      return new Promise((resolve, reject) => {
        open.waiters.push({ resolve, reject })
        if (sent !== undefined || scheduled) return
        scheduled = true
        setImmediate(post)
      })
    },
    flushed: () => {
      if (open.changes.length > 0) return waitFor(open)
      return sent === undefined ? Promise.resolve() : waitFor(sent)
    },
    read: (client, after, { rows, bytes }) =>
      new Promise((resolve, reject) => {
        const id = ++lastRead
        const late = setTimeout(() => unread(id, 'it does not answer'), READ_MS)
        readings.set(id, { resolve, reject, late })
        if (thread === undefined) return unread(id, 'its thread is gone')
        thread.postMessage({ do: 'read', id, client, after, rows, bytes } satisfies Order)
      }),
    close: async () => {
      if (thread === undefined) return
      if (sent !== undefined || open.changes.length > 0) {
        await new Promise<void>((resolve) => {
          const late = setTimeout(resolve, CLOSE_MS)
          closing = () => {
            clearTimeout(late)
            resolve()
          }
        })
      }
      clearTimeout(retry)
      const worker = thread
      closing = () => {}
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      worker.postMessage({ do: 'close' } satisfies Order)
      await ended
    },
  }
}

const waitFor = ({ waiters }: Batch): Promise<void> =>
  new Promise((resolve, reject) => void waiters.push({ resolve, reject }))

const blobsOf = ({ op }: Change): number => {
  let bytes = 0
  for (const value of op) if (value instanceof Uint8Array) bytes += value.length
  return bytes
}

/** The bytes of a message that several queues had, where a change takes it out of one. */
const placeOf = ([statement, , bytes]: Op): number => (statement === DO.dropUnused ? Number(bytes) : 0)

/** The values of a batch with all blobs moved into one buffer, so that nothing else of their memory travels along. */
const packed = (changes: readonly Change[]): { ops: Op[]; buffer: ArrayBuffer } => {
  let size = 0
  for (const { op, cancelled } of changes) {
    if (!cancelled) for (const value of op) if (value instanceof Uint8Array) size += value.length
  }
  const all = new Uint8Array(size)
  let at = 0
  const moved = (value: Value): Value => {
    if (!(value instanceof Uint8Array)) return value
    all.set(value, at)
    at += value.length
    return all.subarray(at - value.length, at)
  }
  const ops = changes
    .filter(({ cancelled }) => !cancelled)
    .map(({ op: [statement, ...values] }): Op => [statement, ...values.map(moved)])
  return { ops, buffer: all.buffer }
}

const sentenceOfBroken = (file: string, reason: string): string =>
  `The session store cannot write ${file} (${reason}). Retained messages, subscriptions and queues are not acknowledged until it can: free some space or repair the disk; it then goes on by itself.`

const sentenceOfUnread = (file: string, reason: string): string =>
  `The session store cannot read ${file} (${reason}). What waits there stays; it is sent when the client comes back and the disk can be read.`

const sentenceOf = (file: string, { why, reason }: Extract<Report, { is: 'unusable' }>): string => {
  if (why === 'newer')
    return `${file} was written by a newer Millrace: ${reason}. Start the newer version again, or set DATA_DIR to another folder.`
  if (why === 'foreign') return `${file} is not Millrace's session store: ${reason}. Move it away and start again.`
  if (why === 'busy')
    return `${file} is in use by another process: ${reason}. Stop the other hub, or set DATA_DIR to another folder.`
  if (why === 'damaged') {
    return `${file} is damaged (${reason}). Restore it from a backup, or move it away and start again: retained messages, sessions and queues in it are lost, devices bring their state back when they connect.`
  }
  return `The session store ${file} cannot be opened (${reason}). Give the hub's user the right to read and write it, and look whether the disk is full.`
}
