// Attempts to write over MQTT what only the gate may: they are refused by rights, and here they get their row in the audit.
import type { MqttRights } from '../broker/broker.ts'
import { originOf, type Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import type { Gate } from '../gate/gate.ts'
import { isNativeCommand } from '../topics/native.ts'
import { openSparing } from './sparing.ts'

export interface ForbiddenParts {
  /** Topic prefix without the slash at its end. */
  prefix: string
  clock: Pick<Clock, 'now'>
  note: Gate['note']
  /** Whether a topic outside the prefix makes something happen; default: what its levels tell. */
  isCommand?: (topic: string) => boolean
}

/** Rights of MQTT clients that tell the audit of each who tried to publish a command, a result, an approval or a safety event. Questions about rights that no client asked are not told. */
export const withForbidden = <Rights extends Pick<MqttRights, 'authenticate' | 'mayPublish'>>(
  rights: Rights,
  { prefix, clock, note, isCommand = isNativeCommand }: ForbiddenParts,
): Pick<MqttRights, 'authenticate' | 'mayPublish'> => {
  const connected = new WeakSet<Principal>()
  const due = openSparing(clock)
  const gates = (topic: string): boolean => {
    if (!topic.startsWith(`${prefix}/`)) return isCommand(topic)
    const [root, , leaf] = topic.slice(prefix.length + 1).split('/')
    return root === 'approvals' || root === 'safety' || (root === 'devices' && (leaf === 'cmd' || leaf === 'result'))
  }

  const tell = (who: string, topic: string, reason: string): void => {
    const more = due(who, topic)
    if (more === undefined) return
    note('refused.publish', {
      who,
      subject: topic.slice(0, 128),
      detail: { topic: topic.slice(0, 500), reason, ...(more === 0 ? {} : { more }) },
    })
  }

  return {
    async authenticate(login) {
      const who = await rights.authenticate(login)
      connected.add(who)
      return who
    },
    mayPublish(who, topic) {
      const verdict = rights.mayPublish(who, topic)
      if (!verdict.ok && connected.has(who) && gates(topic)) tell(originOf(who), topic, verdict.reason)
      return verdict
    },
  }
}
