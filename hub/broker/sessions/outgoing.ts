// The part of the contract that is about messages on their way to clients.
import { Readable } from 'node:stream'
import { type Context, mustWrite, type Named, noop, stored } from './context.ts'
import { tidied } from './lives.ts'
import { bytesOf, copyOf, type Packet } from './packets.ts'
import { ahead, fill, isTooMuch, mayHold, withinBounds } from './paging.ts'
import type { Waiting } from './queue.ts'
import { DO } from './schema.ts'
import type { Session } from './session.ts'
import { change } from './writing.ts'

interface Receiver {
  clientId: string
  qos?: number
}

const NO_CODE = -1
const READ_AHEAD = 16

export const outgoing = (context: Context) => {
  const { model, writing, clock } = context

  const outgoingEnqueueCombi = async (subs: Receiver[], packet: Packet): Promise<void> => {
    if (subs.length === 0) return
    mustWrite(context)
    const message = copyOf(packet)
    const bytes = bytesOf(message)
    const receivers = [...receiversOf(subs)].map(([clientId, most]) => {
      const to = model.session(clientId)
      return { to, qos: Math.min(packet.qos, most), isHeld: mayHold(context, to, bytes) }
    })
    const { changes, places } = model.enqueue(message, receivers, clock.now())
    for (const { to } of receivers) for (const one of withinBounds(context, to, bytes)) changes.push(one)
    await stored(context, changes)
    model.settled(places)
    for (const { to, waiting } of places) if (isTooMuch(context, to)) model.release(to, waiting)
  }

  /** In order, page by page. From its end to the next stream's begin the client gets messages as they come. */
  const packetsOf = async function* (session: Session, reader: object, unsent: boolean): AsyncGenerator<Packet> {
    const { queue } = session
    const contentOf = ahead(context, session)
    let at = unsent ? queue.lastSent() : 0
    for (;;) {
      const places = queue.since(at)
      if (places.length === 0) {
        if (queue.rest === 0) break
        await fill(context, session)
        continue
      }
      // The next page is read while this one is sent.
      if (queue.rest > 0 && !isTooMuch(context, session)) fill(context, session).catch(noop)
      for (const waiting of places) {
        at = waiting.id
        if (!queue.has(waiting)) continue
        const packet = waiting.packet ?? (await contentOf(waiting))
        if (packet === undefined || !queue.has(waiting)) continue
        queue.number(waiting, packet)
        yield sentForm(waiting, packet)
        if (waiting.enqueued === undefined && isTooMuch(context, session)) model.release(session, waiting)
      }
    }
    if (model.readers.get(session.id) === reader) model.readers.set(session.id, undefined)
  }

  return {
    outgoingEnqueueCombi,
    outgoingEnqueue: (sub: Receiver, packet: Packet): Promise<void> => outgoingEnqueueCombi([sub], packet),

    async outgoingUpdate(client: Named, packet: Packet): Promise<void> {
      const queue = model.sessions.get(client.id)?.queue
      if (packet.cmd === 'pubrel') {
        const waiting = queue?.sentAs(packet.messageId)
        if (waiting === undefined) throw new Error('no such packet')
        if (waiting.released !== undefined) return
        waiting.released = packet.reasonCode ?? NO_CODE
        // PUBREL must not go out before this is stored: the client forgets the message then, and would take it for a new one.
        await stored(context, [change(DO.released, waiting.released, client.id, waiting.id)])
        return
      }
      const waiting = queue?.numbered(packet.brokerId, packet.brokerCounter ?? 0)
      if (queue === undefined || waiting === undefined) throw new Error('no such packet')
      if (waiting.messageId === packet.messageId && waiting.qos === packet.qos) return
      queue.name(waiting, packet.messageId)
      waiting.qos = packet.qos
      const done = stored(context, [change(DO.sent, packet.messageId ?? null, packet.qos, client.id, waiting.id)])
      // The same identifier must be used again after a crash where that decides between once and twice; QoS 1 does not wait.
      if (packet.qos === 2) await done
      else done.catch(noop)
    },

    /** Of a message that is in the file only, its identity: whoever acknowledges it has it. */
    async outgoingClearMessageId(client: Named, packet: Packet): Promise<Packet | undefined> {
      const session = model.sessions.get(client.id)
      const waiting = session?.queue.sentAs(packet.messageId)
      if (session === undefined || waiting === undefined) return undefined
      // If a crash undoes this, the client gets the message (QoS 1) or PUBREL (QoS 2) once more, which the protocol allows.
      stored(context, [...model.dequeue(session, waiting, writing), ...tidied(context, session)]).catch(noop)
      return sentForm(waiting, waiting.packet ?? identityOf(waiting))
    },

    /** `unsent`: without what has a packet identifier, so that a client far behind does not cost its whole window each time. */
    outgoingStream(client: Named, { unsent = false }: { unsent?: boolean } = {}): Readable {
      const session = model.sessions.get(client.id)
      const reader = {}
      model.readers.set(client.id, session === undefined ? undefined : reader)
      if (session === undefined) return Readable.from([])
      return Readable.from(packetsOf(session, reader, unsent), { highWaterMark: READ_AHEAD })
    },
  }
}

/** Each client once, with the greatest QoS of its subscriptions that match. */
const receiversOf = (subs: readonly Receiver[]): Map<string, number> => {
  const receivers = new Map<string, number>()
  for (const { clientId, qos = 2 } of subs) receivers.set(clientId, Math.max(receivers.get(clientId) ?? 0, qos))
  return receivers
}

/** The form in which a waiting message is sent: PUBLISH, or PUBREL once the client has it. */
const sentForm = ({ qos, messageId, released }: Waiting, message: Packet): Packet => {
  if (released !== undefined) {
    const pubrel = { cmd: 'pubrel', ...(messageId === undefined ? {} : { messageId }) }
    return (released === NO_CODE ? pubrel : { ...pubrel, reasonCode: released }) as Packet
  }
  const { properties } = message
  const packet = { ...message, qos, messageId, ...(properties === undefined ? {} : { properties: { ...properties } }) }
  return packet as Packet
}

const identityOf = ({ brokerId, brokerCounter, qos }: Waiting): Packet => ({
  cmd: 'publish',
  topic: '',
  payload: Buffer.alloc(0),
  qos,
  ...(brokerId === undefined ? {} : { brokerId }),
  ...(Number.isNaN(brokerCounter) ? {} : { brokerCounter }),
})
