// The parts of the contract that are about QoS 2 messages on their way in, and about wills.
import { Readable } from 'node:stream'
import { Recoverable } from '../../errors.ts'
import { type Context, mustWrite, type Named, stored } from './context.ts'
import { admitted, tidied } from './lives.ts'
import { copyOf, type Packet, payloadOf, textOf } from './packets.ts'
import { DO } from './schema.ts'
import { change } from './writing.ts'

export const incoming = (context: Context) => ({
  async incomingStorePacket(client: Named, packet: Packet): Promise<void> {
    mustWrite(context)
    const { messageId } = packet
    if (messageId === undefined) throw new Error('a QoS 2 packet needs its identifier')
    const { session, changes } = admitted(context, client.id)
    const { perClientIncoming } = context.limits
    if (session.incoming.size >= perClientIncoming && !session.incoming.has(messageId)) {
      const reason = `${client.id} has ${perClientIncoming} QoS 2 messages it has not released (PUBREL).`
      throw new Recoverable('UNAVAILABLE', reason)
    }
    session.incoming.set(messageId, { ...copyOf(packet), messageId })
    await stored(context, [...changes, change(DO.begin, client.id, messageId, packet.topic)])
  },

  /** After a restart it has its identifier and topic only: by then the message is where it was going. */
  async incomingGetPacket(client: Named, { messageId }: Packet): Promise<Packet> {
    const session = context.model.sessions.get(client.id)
    const packet = messageId === undefined ? undefined : session?.incoming.get(messageId)
    if (packet === undefined) throw new Error('no such packet')
    return packet
  },

  async incomingDelPacket(client: Named, { messageId }: Packet): Promise<void> {
    const session = context.model.sessions.get(client.id)
    if (messageId === undefined || session?.incoming.delete(messageId) !== true) throw new Error('no such packet')
    // PUBCOMP waits for this: the client may then use the identifier for a new message, which must not look like a second copy.
    await stored(context, [change(DO.complete, client.id, messageId), ...tidied(context, session)])
  },

  async cleanIncoming(client: Named): Promise<void> {
    const session = context.model.sessions.get(client.id)
    if (session === undefined || session.incoming.size === 0) return
    session.incoming.clear()
    await stored(context, [change(DO.completeAll, client.id), ...tidied(context, session)])
  },
})

export const wills = (context: Context) => ({
  async putWill(client: Named, packet: Packet): Promise<void> {
    mustWrite(context)
    packet.brokerId = context.engine.id
    packet.clientId = client.id
    context.model.wills.set(client.id, packet)
    await stored(context, [change(DO.will, client.id, packet.topic, textOf(packet), payloadOf(packet))])
  },

  async getWill(client: Named): Promise<Packet | undefined> {
    return context.model.wills.get(client.id)
  },

  async delWill(client: Named): Promise<Packet | undefined> {
    const will = context.model.wills.get(client.id)
    if (will === undefined) return undefined
    context.model.wills.delete(client.id)
    await stored(context, [change(DO.noWill, client.id)])
    return will
  },

  streamWill(brokers: Record<string, unknown> = {}): Readable {
    const others = function* () {
      for (const will of context.model.wills.values()) {
        if (will.brokerId === undefined || !brokers[will.brokerId]) yield will
      }
    }
    return Readable.from(others())
  },
})
