// The part of the contract that is about messages on their way to clients.
import { Readable } from 'node:stream'
import { type Context, mustWrite, type Named, noop, stored } from './context.ts'
import { tidied } from './lives.ts'
import { copyOf, type Packet, payloadOf, textOf } from './packets.ts'
import type { Waiting } from './queue.ts'
import { DO } from './schema.ts'
import type { Session } from './session.ts'
import { type Change, change } from './writing.ts'

interface Receiver {
  clientId: string
  qos?: number
}

const NO_CODE = -1

export const outgoing = (context: Context) => {
  const { model, writing, clock } = context

  const outgoingEnqueueCombi = async (subs: Receiver[], packet: Packet): Promise<void> => {
    if (subs.length === 0) return
    mustWrite(context)
    const body = model.body(copyOf(packet))
    const places: Waiting[] = []
    const all: Change[] = []
    for (const [clientId, most] of receiversOf(subs)) {
      const qos = Math.min(packet.qos, most)
      const { waiting, changes } = model.enqueue(
        model.session(clientId),
        body,
        qos,
        clock.now(),
        ({ id, packet: kept }) => change(DO.message, id, kept.topic, textOf(kept), payloadOf(kept)),
      )
      places.push(waiting)
      for (const one of changes) all.push(one)
    }
    for (const { clientId } of subs) for (const one of withinBounds(context, model.session(clientId))) all.push(one)
    await stored(context, all)
    model.settled(body, places)
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
        await stored(context, [change(DO.released, waiting.released, waiting.id)])
        return
      }
      const waiting = queue?.numbered(packet.brokerId, packet.brokerCounter ?? 0)
      if (queue === undefined || waiting === undefined) throw new Error('no such packet')
      if (waiting.messageId === packet.messageId && waiting.qos === packet.qos) return
      queue.name(waiting, packet.messageId)
      waiting.qos = packet.qos
      const done = stored(context, [change(DO.sent, packet.messageId ?? null, packet.qos, waiting.id)])
      // The same identifier must be used again after a crash where that decides between once and twice; QoS 1 does not wait.
      if (packet.qos === 2) await done
      else done.catch(noop)
    },

    async outgoingClearMessageId(client: Named, packet: Packet): Promise<Packet | undefined> {
      const session = model.sessions.get(client.id)
      const waiting = session?.queue.sentAs(packet.messageId)
      if (session === undefined || waiting === undefined) return undefined
      // If a crash undoes this, the client gets the message (QoS 1) or PUBREL (QoS 2) once more, which the protocol allows.
      stored(context, [...model.dequeue(session, waiting, writing), ...tidied(context, session)]).catch(noop)
      return sentForm(waiting)
    },

    /** `unsent`: without what has a packet identifier, so that a client far behind does not cost its whole window each time. */
    outgoingStream(client: Named, { unsent = false }: { unsent?: boolean } = {}): Readable {
      const queue = model.sessions.get(client.id)?.queue
      const places = queue === undefined ? [] : unsent ? queue.unsent() : [...queue]
      const packets = function* () {
        for (const waiting of places) if (queue?.has(waiting) === true) yield sentForm(waiting)
      }
      return Readable.from(packets())
    },
  }
}

/** Takes the oldest messages out of a queue until it is within its bounds. */
const withinBounds = ({ model, writing, limits, drops }: Context, session: Session): Change[] => {
  const { perClientMessages, perClientBytes, queuedBytes } = limits
  const changes: Change[] = []
  const { queue } = session
  while (queue.size > perClientMessages || queue.bytes > perClientBytes || model.queuedBytes > queuedBytes) {
    const oldest = queue.oldest()
    if (oldest === undefined) break
    const reason = queue.size > perClientMessages ? 'messages' : 'bytes'
    changes.push(...model.dequeue(session, oldest, writing))
    drops.add(session.id, reason)
  }
  return changes
}

/** Each client once, with the greatest QoS of its subscriptions that match. */
const receiversOf = (subs: readonly Receiver[]): Map<string, number> => {
  const receivers = new Map<string, number>()
  for (const { clientId, qos = 2 } of subs) receivers.set(clientId, Math.max(receivers.get(clientId) ?? 0, qos))
  return receivers
}

/** The form in which a waiting message is sent: PUBLISH, or PUBREL once the client has it. */
const sentForm = ({ body, qos, messageId, released }: Waiting): Packet => {
  if (released !== undefined) {
    const pubrel = { cmd: 'pubrel', ...(messageId === undefined ? {} : { messageId }) }
    return (released === NO_CODE ? pubrel : { ...pubrel, reasonCode: released }) as Packet
  }
  const { properties } = body.packet
  const packet = {
    ...body.packet,
    qos,
    messageId,
    ...(properties === undefined ? {} : { properties: { ...properties } }),
  }
  return packet as Packet
}
