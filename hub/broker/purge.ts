// Takes a client id out of the broker: its connections, subscriptions, queue, QoS 2 identifiers and will.
import type { Engine, Link } from './engine.ts'
import type { Owners } from './owners.ts'
import type { Persistence, StoredPacket } from './persistence.ts'

/** MQTT 5: administrative action. */
const ADMINISTRATIVE = 0x98
const CUT_AFTER_MS = 1000

/** Is it this client id, or it plus `-suffix`? */
export const isFormOf = (clientId: string, id: string): boolean => id === clientId || id.startsWith(`${clientId}-`)

/** Ends a connection. Its session stays, and its will is published. Resolves when it is closed. */
export const hangUp = (link: Link, reasonCode = ADMINISTRATIVE): Promise<void> =>
  new Promise((resolve) => {
    // A client that does not read would hold up its own DISCONNECT.
    const cut = setTimeout(() => link.conn.destroy(), CUT_AFTER_MS)
    link.disconnect({ reasonCode }, () => {
      clearTimeout(cut)
      resolve()
    })
  })

/** Ends a connection without its will and without a session that outlives it. Resolves when it is closed. */
export const expel = (link: Link): Promise<void> => {
  link.will = null
  link._will = null
  link.clean = true
  link.sessionExpiryInterval = 0
  return hangUp(link)
}

/** Purges exactly these session ids, connected or not. */
export const purgeSessions = async (
  parts: { engine: Engine; persistence: Persistence; owners: Owners },
  ids: Iterable<string>,
): Promise<void> => {
  const { engine, persistence, owners } = parts
  for (const id of ids) {
    const link = engine.clients[id]
    if (link !== undefined) await expel(link)
    engine.clearSessionExpiry(id)
    engine.clearDelayedWill(id)
    owners.release(id)
    if (persistence.purge) {
      await persistence.purge(id)
      continue
    }
    const client = { id }
    await persistence.cleanSubscriptions(client)
    await persistence.cleanIncoming(client)
    await persistence.delWill(client)
    await emptyQueue(persistence, client)
  }
}

/** All sessions of a client id and its suffixed forms that the broker knows of. */
export const formsOf = async (
  { engine, persistence, owners }: { engine: Engine; persistence: Persistence; owners: Owners },
  clientId: string,
): Promise<Set<string>> => {
  const stored = persistence.sessionIds ? await persistence.sessionIds() : []
  const known = [...Object.keys(engine.clients), ...owners.ids(), ...stored]
  return new Set([clientId, ...known.filter((id) => isFormOf(clientId, id))])
}

/** A queue can only be emptied by packet identifier, which a waiting message does not have yet. */
const emptyQueue = async (persistence: Persistence, client: { id: string }): Promise<void> => {
  const queued: StoredPacket[] = []
  for await (const packet of persistence.outgoingStream(client)) queued.push(packet as StoredPacket)
  let messageId = 0
  for (const packet of queued) {
    messageId = (messageId % 65_535) + 1
    await persistence.outgoingUpdate(client, { ...packet, messageId })
    await persistence.outgoingClearMessageId(client, { ...packet, messageId })
  }
}
