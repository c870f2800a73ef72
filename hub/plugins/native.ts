// Other people's conventions, for a plugin: hears what they say, says facts, and answers a gate's command where nobody else may.
import { Observable } from 'rxjs'
import type { Access } from '../access/access.ts'
import type { Bus } from '../bus/bus.ts'
import { contains } from '../bus/filters.ts'
import type { Envelope } from '../bus/envelope.ts'
import type { Devices } from '../devices/devices.ts'
import { Forbidden } from '../errors.ts'
import { isNativeCommand } from '../topics/native.ts'
import type { Native, NativeMessage, Plugin } from './plugin.ts'

export interface NativeParts {
  bus: Pick<Bus, 'from' | 'raw' | 'retained' | 'publishBytes'>
  access: Pick<Access, 'principalOf' | 'mayPublish' | 'maySubscribe'>
  devices: Pick<Devices, 'ownerOf'>
  /** Topics only the plugin of this id may publish from now on. */
  guard(plugin: string, topics: ReadonlySet<string>): void
  /** Topic prefix without the slash at its end. */
  prefix: string
}

/** Commands that wait for their answer, at most; the oldest are forgotten first. */
const OPEN = 10_000

export interface NativeDesk {
  /** What one plugin is given. */
  of(plugin: Pick<Plugin, 'id' | 'native'>): Native
  close(): void
}

/** Listens to commands and results, so that it knows which command a plugin may answer. Open it before any plugin starts. */
export const openNative = ({ bus, access, devices, guard, prefix }: NativeParts): NativeDesk => {
  /** By command id: who answers it, and its place in the hub's order. */
  const open = new Map<string, { owner: string; seq: number }>()
  const cmds = bus.from('devices/{device}/cmd', { name: 'native' }).subscribe(({ params, payload, seq }) => {
    const owner = devices.ownerOf(params.device)
    if (owner?.startsWith('plugin:') !== true) return
    open.set(payload.id, { owner, seq })
    const [oldest] = open.keys()
    if (open.size > OPEN && oldest !== undefined) open.delete(oldest)
  })
  const results = bus.from('devices/{device}/result', { name: 'native' }).subscribe(({ payload }) => {
    open.delete(payload.id)
  })
  const isForeign = (topic: string): boolean => !topic.startsWith(`${prefix}/`) && !topic.startsWith('$')

  return {
    of({ id, native = {} }) {
      const who = { kind: 'plugin', id, roles: [] } as const
      return {
        hear(filter) {
          if (native.hears?.some((outer) => contains(outer, filter)) !== true)
            throw new Forbidden(`Plugin '${id}' must name '${filter}' in native.hears to hear it.`)
          return new Observable((out) => {
            const seen = (envelope: Envelope, retained: boolean): void => {
              if (isForeign(envelope.topic)) out.next(messageOf(envelope, retained))
            }
            const unhear = bus.raw(filter, { name: `plugin:${id}`, overload: { dropOldest: 10_000 } }, (envelope) =>
              seen(envelope, false),
            )
            for (const envelope of bus.retained(filter)) seen(envelope, true)
            return unhear
          })
        },
        command({ topic, payload, answers }) {
          const asked = open.get(answers)
          if (native.commands !== true || asked?.owner !== `plugin:${id}`)
            throw new Forbidden(`Plugin '${id}' answers no command '${answers}', so nothing is sent on ${topic}.`)
          if (!isForeign(topic)) throw new Forbidden(`${topic} belongs to the hub: commands there are the gate's.`)
          bus.publishBytes(who, topic, Buffer.from(payload), { cause: asked.seq })
        },
        fact({ topic, payload, retain }) {
          if (native.publishes?.some((outer) => contains(outer, topic)) !== true || isNativeCommand(topic))
            throw new Forbidden(`Plugin '${id}' must name '${topic}' in native.publishes, and it must be a fact.`)
          bus.publishBytes(who, topic, Buffer.from(payload), { retain })
        },
        guard: (topics) => guard(id, topics),
        may(origin, what, topic) {
          const principal = access.principalOf(origin)
          if (principal === undefined) return false
          return (what === 'publish' ? access.mayPublish(principal, topic) : access.maySubscribe(principal, topic)).ok
        },
      }
    },
    close() {
      cmds.unsubscribe()
      results.unsubscribe()
    },
  }
}

const messageOf = ({ topic, payload, origin, seq, at }: Envelope, retained: boolean): NativeMessage => ({
  topic,
  payload,
  origin,
  seq,
  at,
  retained,
})
