// How sessions begin and end: room for new ones, deadlines by who is connected, age of what waits.
import { Recoverable } from '../../errors.ts'
import { type Connection, type Context, mustWrite, noop, stored } from './context.ts'
import { forgetReaders, withoutOlder } from './paging.ts'
import { DO } from './schema.ts'
import { isEmpty, lifeOf, rowOf, type Session } from './session.ts'
import { type Change, change } from './writing.ts'

/** The session of a client; a new one gets its row, if there is room for one. Throws Recoverable when there is none. */
export const admitted = ({ model, limits }: Context, clientId: string): { session: Session; changes: Change[] } => {
  const before = model.sessions.get(clientId)
  if (before !== undefined) return { session: before, changes: [] }
  if (model.sessions.size >= limits.sessions) {
    const advice = 'Connect with a clean session, or let unused ones expire.'
    throw new Recoverable('UNAVAILABLE', `There are ${limits.sessions} sessions already. ${advice}`)
  }
  const session = model.session(clientId)
  return { session, changes: [rowOf(session)] }
}

/** A session in which nothing is left is no session. */
export const tidied = ({ model }: Context, session: Session): Change[] => {
  if (!isEmpty(session)) return []
  model.sessions.delete(session.id)
  return [change(DO.endSession, session.id)]
}

/** Removes all of a session but its will, which is the broker's to publish. */
export const ended = ({ model, writing }: Context, session: Session): Change[] => {
  const changes: Change[] = []
  for (const filter of [...session.subscriptions.keys()]) model.unsubscribe(session, filter)
  for (const one of model.clear(session, writing)) changes.push(one)
  session.incoming.clear()
  model.sessions.delete(session.id)
  const { id } = session
  changes.push(change(DO.unsubscribeAll, id), change(DO.completeAll, id), change(DO.endSession, id))
  return changes
}

/** The part of the contract, beyond that of aedes-persistence, that tells of connections. */
export const lives = (context: Context) => ({
  async openSession(
    client: Connection,
    { cleanStart, lasting }: { cleanStart: boolean; lasting: boolean },
  ): Promise<boolean> {
    const before = context.model.sessions.get(client.id)
    const changes: Change[] = []
    const isOver = before?.deadline !== undefined && before.deadline <= context.clock.now()
    const present = before !== undefined && before.begun && !isOver && !cleanStart
    // One by one: a queue may hold more than a call takes arguments.
    if (before !== undefined && !present) for (const change of ended(context, before)) changes.push(change)
    if (lasting || present) {
      mustWrite(context)
      const { session } = admitted(context, client.id)
      // Who may have it is settled before it begins.
      session.owner ??= before?.owner
      session.begun = true
      session.deadline = undefined
      session.expiry = expiryOf(client)
      changes.push(rowOf(session))
    }
    await stored(context, changes)
    return present
  },

  async leaveSession(client: Connection): Promise<void> {
    context.model.readers.delete(client.id)
    const session = context.model.sessions.get(client.id)
    if (session === undefined) return
    session.expiry = expiryOf(client)
    session.deadline = context.clock.now() + lifeOf(session, context.limits.maxAgeMs)
    await stored(context, [rowOf(session)])
  },

  async endSession(client: Connection): Promise<void> {
    const session = context.model.sessions.get(client.id)
    if (session !== undefined) await stored(context, ended(context, session))
  },
})

/** Ends sessions nobody came back to and messages that waited too long; sets and lifts deadlines. */
export const sweep = (context: Context): void => {
  const { model, clock, limits } = context
  const now = clock.now()
  const changes: Change[] = []
  forgetReaders(context)
  for (const session of [...model.sessions.values()]) {
    for (const change of withoutOlder(context, session, now - limits.maxAgeMs)) changes.push(change)
    for (const change of deadlineOf(context, session, now)) changes.push(change)
  }
  stored(context, changes).catch(noop)
}

const deadlineOf = (context: Context, session: Session, now: number): Change[] => {
  const { engine, limits, log } = context
  const clients = engine.clients ?? {}
  const connection = Object.hasOwn(clients, session.id) ? clients[session.id] : undefined
  if (connection !== undefined) {
    const expiry = expiryOf(connection)
    if (session.deadline === undefined && session.expiry === expiry) return []
    session.deadline = undefined
    session.expiry = expiry
    return [rowOf(session)]
  }
  if (session.deadline === undefined) {
    session.deadline = now + lifeOf(session, limits.maxAgeMs)
    return [rowOf(session)]
  }
  if (session.deadline > now) return []
  log.info('session-expired', { clientId: session.id, queued: session.queue.size })
  return ended(context, session)
}

const expiryOf = ({ version, sessionExpiryInterval }: Connection): number | undefined =>
  version === 5 ? sessionExpiryInterval : undefined
