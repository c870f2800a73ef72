// Queues in pages: what may be in memory, how the next part is read when that has run out, how one is cut to its bounds.
import { Recoverable } from '../../errors.ts'
import { type Context, noop, stored } from './context.ts'
import { packetOf, type Packet } from './packets.ts'
import type { Waiting } from './queue.ts'
import type { Session } from './session.ts'
import type { Change } from './writing.ts'

/** However full memory is, a page has room for so much, bytes. */
const LEAST_PAGE = 16 * 1024

const isConnected = ({ engine }: Context, id: string): boolean => Object.hasOwn(engine.clients ?? {}, id)

/** Whether the client takes its messages as they come. Then the places of all are in memory until they are acknowledged. */
const isLive = (context: Context, { id }: Session): boolean => {
  const { readers } = context.model
  return readers.has(id) && readers.get(id) === undefined && isConnected(context, id)
}

/** Forgets who has read to the end of a queue and is not connected any more. */
export const forgetReaders = (context: Context): void => {
  for (const id of [...context.model.readers.keys()]) if (!isConnected(context, id)) context.model.readers.delete(id)
}

/** Whether the next message of a queue may be held in memory. Behind one that is not, none is. */
export const mayHold = (context: Context, session: Session, bytes: number): boolean => {
  const { model, limits } = context
  const { queue } = session
  if (queue.rest > 0) return false
  if (isLive(context, session)) return true
  // Half of the room is for those who read.
  const isRoom = model.heldBytes + bytes <= limits.allHeldBytes / 2
  return isRoom && queue.here < limits.heldMessages && queue.held + bytes <= limits.heldBytes
}

/** Whether what is safe in the file should not be in memory too. */
export const isTooMuch = ({ model, limits }: Context, { queue }: Session): boolean =>
  queue.held > limits.heldBytes || queue.here > limits.heldMessages || model.heldBytes > limits.allHeldBytes

const pageOf = ({ model, limits }: Context): { rows: number; bytes: number } => ({
  rows: limits.heldMessages,
  bytes: Math.min(limits.heldBytes, Math.max(LEAST_PAGE, limits.allHeldBytes - model.heldBytes)),
})

/** Brings the next page of a queue into memory. Rejects with Recoverable when the file cannot be read. */
export const fill = (context: Context, session: Session): Promise<void> =>
  (session.queue.filling ??= fillNow(context, session).finally(() => (session.queue.filling = undefined)))

const fillNow = async (context: Context, session: Session): Promise<void> => {
  const { model, writing, log } = context
  const { queue, id } = session
  if (writing.broken === undefined) await writing.flushed()
  const rows = await writing.read(id, queue.last, pageOf(context))
  // It may have ended meanwhile.
  if (model.sessions.get(id) !== session || queue.rest === 0) return
  model.recall(session, rows)
  if (rows.length > 0) return
  if (writing.broken !== undefined) {
    throw new Recoverable('UNAVAILABLE', `The session store cannot read what waits for ${id}: ${writing.broken}.`)
  }
  log.error('queue-incomplete', { clientId: id, missing: queue.rest })
  queue.forgetRest()
}

/**
 * Reads messages whose place is in memory and which themselves are not, some ahead. Undefined when one has left meanwhile.
 */
export const ahead = (context: Context, session: Session): ((waiting: Waiting) => Promise<Packet | undefined>) => {
  let read = new Map<number, Packet>()
  return async ({ id }) => {
    if (!read.has(id)) {
      const rows = await context.writing.read(session.id, id - 1, pageOf(context))
      read = new Map(rows.map((row) => [row.id, packetOf(row)]))
    }
    const found = read.get(id)
    read.delete(id)
    return found
  }
}

/** Why the oldest message of a queue has to go. */
const excess = ({ model, limits }: Context, { queue }: Session): 'messages' | 'bytes' | undefined => {
  if (queue.size > limits.perClientMessages) return 'messages'
  if (queue.bytes > limits.perClientBytes) return 'bytes'
  const isFull = model.queuedBytes - model.leavingBytes > limits.queuedBytes
  return isFull && queue.owed > 0 ? 'bytes' : undefined
}

/** Takes the oldest messages out of a queue that got `bytes` more, until it is within its bounds; those in the file soon after. */
export const withinBounds = (context: Context, session: Session, bytes: number): Change[] => {
  const { model, limits } = context
  const { queue } = session
  const tooMuch = model.queuedBytes - model.leavingBytes - limits.queuedBytes
  // More than came, so that the bound is reached even if others still have what goes; but never more than is too much.
  queue.owed = Math.max(0, Math.min(queue.owed + 2 * bytes, queue.bytes, tooMuch))
  const changes = shortened(context, session, () => excess(context, session))
  if (excess(context, session) !== undefined && queue.rest > 0) void trim(context, session)
  return changes
}

const shortened = (context: Context, session: Session, why: (oldest: Waiting) => string | undefined): Change[] => {
  const { model, writing, drops } = context
  const changes: Change[] = []
  for (let oldest = session.queue.oldest(); oldest !== undefined; oldest = session.queue.oldest()) {
    const reason = why(oldest)
    if (reason === undefined) break
    for (const one of model.dequeue(session, oldest, writing)) changes.push(one)
    session.queue.owed = Math.max(0, session.queue.owed - oldest.bytes)
    drops.add(session.id, reason)
  }
  return changes
}

/** Reads the oldest messages of a queue and takes them out, as long as there is a reason. */
const trim = async (context: Context, session: Session): Promise<void> => {
  const { queue } = session
  if (queue.trimming) return
  queue.trimming = true
  const why = () => excess(context, session)
  try {
    while (why() !== undefined && queue.rest > 0) {
      await fill(context, session)
      await stored(context, shortened(context, session, why))
    }
  } catch (error) {
    context.log.warn('queue-not-trimmed', { clientId: session.id, reason: String(error) })
  } finally {
    queue.trimming = false
  }
}

/** Takes out what was queued before `bound`, ms; it stands at the head. What is in the file goes soon after. */
export const withoutOlder = (context: Context, session: Session, bound: number): Change[] => {
  const { queue } = session
  const changes = olderOf(context, session, bound)
  if (queue.here === 0 && queue.rest > 0 && queue.restSince < bound) age(context, session, bound).catch(noop)
  return changes
}

const olderOf = ({ model, writing, drops }: Context, session: Session, bound: number): Change[] => {
  const changes: Change[] = []
  const older: Waiting[] = []
  for (const waiting of session.queue) {
    if (waiting.at >= bound) break
    older.push(waiting)
  }
  for (const waiting of older) {
    for (const one of model.dequeue(session, waiting, writing)) changes.push(one)
    drops.add(session.id, 'age')
  }
  return changes
}

const age = async (context: Context, session: Session, bound: number): Promise<void> => {
  const { queue } = session
  while (queue.here === 0 && queue.rest > 0) {
    await fill(context, session)
    await stored(context, olderOf(context, session, bound))
  }
}
