// What the broker needs of a session store: the contract of aedes-persistence 11, and what it lacks.
import type { Readable } from 'node:stream'

interface Named {
  id: string
}
/** The stored form of a message; a store may add to it. */
export interface StoredPacket {
  topic: string
  payload: Buffer
  qos: number
  messageId?: number
  brokerId?: string
  brokerCounter?: number
  messageExpiry?: number
}

/**
 * Contract of aedes-persistence 11.0.0, all of it asynchronous. Calls made in one turn belong in one transaction:
 * a QoS 2 identifier (`incomingStorePacket`) and the queue entries of its message (`outgoingEnqueueCombi`) are.
 */
export interface Persistence {
  setup(broker: object): Promise<void>
  storeRetained(packet: StoredPacket): Promise<void>
  createRetainedStream(pattern: string): Readable
  createRetainedStreamCombi(patterns: string[]): Readable
  addSubscriptions(client: Named, subs: object[]): Promise<void>
  removeSubscriptions(client: Named, topics: string[]): Promise<void>
  subscriptionsByClient(client: Named): Promise<{ topic: string; qos: number }[]>
  countOffline(): Promise<{ subsCount: number; clientsCount: number }>
  /** `share` is there for a shared subscription: its whole filter, `$share/{name}/{topic}`. */
  subscriptionsByTopic(topic: string): Promise<{ clientId: string; topic: string; qos?: number; share?: string }[]>
  cleanSubscriptions(client: Named): Promise<void>
  outgoingEnqueue(sub: { clientId: string }, packet: StoredPacket): Promise<void>
  outgoingEnqueueCombi(subs: { clientId: string }[], packet: StoredPacket): Promise<void>
  outgoingUpdate(client: Named, packet: StoredPacket): Promise<void>
  outgoingClearMessageId(client: Named, packet: StoredPacket): Promise<StoredPacket | undefined>
  /** `unsent` is beyond the contract: only what no packet identifier was given to yet. A store may ignore it. */
  outgoingStream(client: Named, which?: { unsent?: boolean }): Readable
  incomingStorePacket(client: Named, packet: StoredPacket): Promise<void>
  incomingGetPacket(client: Named, packet: StoredPacket): Promise<StoredPacket>
  incomingDelPacket(client: Named, packet: StoredPacket): Promise<void>
  cleanIncoming(client: Named): Promise<void>
  putWill(client: Named, packet: object): Promise<void>
  getWill(client: Named): Promise<object | undefined>
  delWill(client: Named): Promise<object | undefined>
  streamWill(brokers?: object): Readable
  getClientList(topic: string): Readable
  destroy(): Promise<void>
  /**
   * Beyond the contract: a client connects. A clean start ends the session it had; a lasting one begins or goes on.
   * Says whether there was a session to go on with, which may hold nothing at all.
   */
  openSession?(client: Named, how: { cleanStart: boolean; lasting: boolean }): Promise<boolean>
  /** Beyond the contract: its connection is gone, from now on its session expires. */
  leaveSession?(client: Named): Promise<void>
  /** Beyond the contract: its session is over. The will is the broker's to publish. */
  endSession?(client: Named): Promise<void>
  /** Beyond the contract: the ids of all stored sessions. Without it only sessions known since the start are purged by their suffixed forms. */
  sessionIds?(): Promise<string[]>
  /** Beyond the contract: removes everything of one session at once. */
  purge?(clientId: string): Promise<void>
  /** Beyond the contract: the principal a session belongs to, such as `device:dust`. Without these three owners are forgotten at a restart. */
  owner?(clientId: string): string | undefined
  setOwner?(clientId: string, owner: string | undefined): Promise<void>
  owners?(): Map<string, string>
}
