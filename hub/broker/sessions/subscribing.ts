// The part of the contract that is about subscriptions.
import { Readable } from 'node:stream'
import { type Connection, type Context, mustWrite, type Named, stored } from './context.ts'
import { admitted, ended, tidied } from './lives.ts'
import { DO } from './schema.ts'
import { rowOf } from './session.ts'
import type { Match, Options } from './subscriptions.ts'
import { change } from './writing.ts'

type Subscription = Options & { topic: string }

export const subscribing = (context: Context) => ({
  async addSubscriptions(client: Connection, subs: Subscription[]): Promise<void> {
    mustWrite(context)
    const { session, changes } = admitted(context, client.id)
    if (client.version !== undefined) {
      const expiry = client.version === 5 ? client.sessionExpiryInterval : undefined
      if (expiry !== session.expiry) {
        session.expiry = expiry
        changes.push(rowOf(session))
      }
    }
    for (const sub of subs) {
      const options = optionsOf(sub)
      context.model.subscribe(session, sub.topic, options)
      changes.push(change(DO.subscribe, client.id, sub.topic, JSON.stringify(options)))
    }
    await stored(context, changes)
  },

  async removeSubscriptions(client: Named, topics: string[]): Promise<void> {
    const session = context.model.sessions.get(client.id)
    if (session === undefined) return
    const gone = topics.filter((topic) => context.model.unsubscribe(session, topic))
    const changes = gone.map((topic) => change(DO.unsubscribe, client.id, topic))
    await stored(context, [...changes, ...tidied(context, session)])
  },

  async subscriptionsByClient(client: Named): Promise<Subscription[]> {
    const session = context.model.sessions.get(client.id)
    if (session === undefined) return []
    if (session.deadline !== undefined && session.deadline <= context.clock.now()) {
      await stored(context, ended(context, session))
      return []
    }
    return [...session.subscriptions].map(([topic, options]) => ({ topic, ...options }))
  },

  async subscriptionsByTopic(topic: string): Promise<Match[]> {
    return context.model.subscriptions.match(topic)
  },

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    let clientsCount = 0
    for (const { subscriptions } of context.model.sessions.values()) if (subscriptions.size > 0) clientsCount++
    return { subsCount: context.model.subscriptions.count, clientsCount }
  },

  async cleanSubscriptions(client: Named): Promise<void> {
    const session = context.model.sessions.get(client.id)
    if (session === undefined) return
    for (const filter of [...session.subscriptions.keys()]) context.model.unsubscribe(session, filter)
    await stored(context, [change(DO.unsubscribeAll, client.id), ...tidied(context, session)])
  },

  getClientList(topic: string): Readable {
    const ids = function* () {
      for (const { id, subscriptions } of context.model.sessions.values()) if (subscriptions.has(topic)) yield id
    }
    return Readable.from(ids())
  },
})

/** The fields aedes wants back. Those a version of MQTT does not have stay undefined, as it expects. */
const optionsOf = ({ qos, rh, rap, nl, subscriptionIdentifier }: Subscription): Options => {
  const options = { qos, rh, rap, nl } as Options
  if (subscriptionIdentifier !== undefined) options.subscriptionIdentifier = subscriptionIdentifier
  return options
}
