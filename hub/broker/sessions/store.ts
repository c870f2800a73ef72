// The session store by the contract of aedes-persistence 11: memory changes in the call, its promise waits for the file.
import { Readable } from 'node:stream'
import type { Persistence } from '../persistence.ts'
import { type Context, type Engine, mustWrite, stored } from './context.ts'
import { incoming, wills } from './incoming.ts'
import { admitted, ended, lives, sweep, tidied } from './lives.ts'
import { outgoing } from './outgoing.ts'
import type { Packet } from './packets.ts'
import { DO } from './schema.ts'
import { rowOf } from './session.ts'
import { subscribing } from './subscribing.ts'
import { change } from './writing.ts'

export interface SessionSizes {
  sessions: number
  subscriptions: number
  queued: number
  queuedBytes: number
  /** Bytes of them that are in memory too. */
  heldBytes: number
  retained: number
  retainedBytes: number
  wills: number
  /** Messages dropped, and retained messages not kept, for want of room since the start. */
  dropped: number
  retainedRefused: number
  /** Changes not yet in the file. */
  pending: number
  /** Why nothing can be stored at present. */
  broken: string | undefined
}

/** A session as a page shows it. */
export interface SessionView {
  clientId: string
  /** The principal it belongs to. */
  owner?: string
  /** Messages that wait for it, and their bytes. */
  queued: number
  queuedBytes: number
  subscriptions: number
  /** Messages dropped from its queue since the start. */
  dropped: number
  /** When it ends unless its client comes back, ms; missing while it is connected. */
  expiresAt?: number
}

/** The store beyond the contract: what the hub asks of it. */
export interface SessionStore extends Persistence {
  sessionIds(): Promise<string[]>
  /** Removes everything of one session, its will too. */
  purge(clientId: string): Promise<void>
  /** The retained set as it is. */
  retained(): Pick<Packet, 'topic' | 'payload' | 'qos'>[]
  /** The principal a session belongs to. */
  owner(clientId: string): string | undefined
  /** Remembers the owner of a session, which may be empty as yet; undefined forgets it. */
  setOwner(clientId: string, owner: string | undefined): Promise<void>
  owners(): Map<string, string>
  sizes(): SessionSizes
  /** Every session, connected or not. */
  views(): SessionView[]
  /** Ends sessions nobody came back to and messages that waited too long. Runs by itself every minute. */
  sweep(): void
  /** Stores what is on its way and closes the file. */
  close(): Promise<void>
}

const SWEEP_MS = 60_000

/** The store over a loaded model. What has expired meanwhile is removed first. */
export const sessionStore = async (parts: Omit<Context, 'engine'>): Promise<SessionStore> => {
  const context: Context = { ...parts, engine: { id: '' } }
  const { model, writing, limits, log, drops } = context
  sweep(context)
  const sweeping = setInterval(() => sweep(context), SWEEP_MS).unref()
  let retainedRefused = 0
  let closing: Promise<void> | undefined

  const close = (): Promise<void> => {
    clearInterval(sweeping)
    return (closing ??= writing.close().finally(() => drops.close()))
  }

  const createRetainedStreamCombi = (filters: string[]): Readable => Readable.from(model.retained.matching(filters))

  return {
    ...lives(context),
    ...subscribing(context),
    ...outgoing(context),
    ...incoming(context),
    ...wills(context),

    /** aedes checks that this is an async function. */
    async setup(engine: object) {
      context.engine = engine as Engine
    },
    /** The suite of aedes-persistence asks for it. */
    get broker() {
      return context.engine
    },

    async storeRetained(packet: Packet) {
      if (packet.payload.length > 0) {
        mustWrite(context)
        if (!model.retained.fits(packet)) {
          const { retainedTopics, retainedBytes } = limits
          if (retainedRefused++ === 0) log.warn('retained-full', { topic: packet.topic, retainedTopics, retainedBytes })
          return
        }
      }
      await stored(context, model.retained.set(packet, writing))
    },
    createRetainedStreamCombi,
    createRetainedStream: (filter: string) => createRetainedStreamCombi([filter]),
    retained: () => [...model.retained.all()].map(({ topic, payload, qos }) => ({ topic, payload, qos })),

    sessionIds: async () => [...new Set([...model.sessions.keys(), ...model.wills.keys()])],

    async purge(clientId) {
      const session = model.sessions.get(clientId)
      const changes = session === undefined ? [] : ended(context, session)
      if (model.wills.delete(clientId)) changes.push(change(DO.noWill, clientId))
      await stored(context, changes)
    },

    owner: (clientId) => model.sessions.get(clientId)?.owner,

    async setOwner(clientId, owner) {
      const before = model.sessions.get(clientId)
      if (before?.owner === owner) return
      if (owner !== undefined) mustWrite(context)
      const { session } = before === undefined ? admitted(context, clientId) : { session: before }
      session.owner = owner
      await stored(context, [rowOf(session), ...tidied(context, session)])
    },

    owners() {
      const owners = new Map<string, string>()
      for (const { id, owner } of model.sessions.values()) if (owner !== undefined) owners.set(id, owner)
      return owners
    },

    sizes() {
      let queued = 0
      for (const { queue } of model.sessions.values()) queued += queue.size
      return {
        sessions: model.sessions.size,
        subscriptions: model.subscriptions.count,
        queued,
        queuedBytes: model.queuedBytes,
        heldBytes: model.heldBytes,
        retained: model.retained.size,
        retainedBytes: model.retained.bytes,
        wills: model.wills.size,
        dropped: drops.total,
        retainedRefused,
        pending: writing.waiting,
        broken: writing.broken,
      }
    },

    views: () =>
      [...model.sessions.values()].map(({ id, owner, queue, subscriptions, deadline }) => ({
        clientId: id,
        ...(owner === undefined ? {} : { owner }),
        queued: queue.size,
        queuedBytes: queue.bytes,
        subscriptions: subscriptions.size,
        dropped: drops.of(id),
        ...(deadline === undefined ? {} : { expiresAt: deadline }),
      })),

    sweep: () => sweep(context),
    close,
    destroy: close,
  }
}
