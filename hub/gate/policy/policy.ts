// The policy: what an intent on a device takes. Rules of policy.yaml first, then the hub's own; high hazard always takes two people.
import type { Role } from '../../bus/principal.ts'
import type { Peer } from '../../access/peer.ts'
import type { Device, Devices } from '../../devices/devices.ts'
import { canonical, sha256 } from '../canonical.ts'
import { builtInRule, type Hazard, hazardRules, isHarmless, needsApproval, worse } from '../hazards.ts'
import { type CompiledHold, heldBy } from './holds.ts'
import { openRemote } from './remote.ts'
import { type Hours, PolicyFile, type Presence, type Rule } from './schema.ts'

/** What one intent on one device takes. */
export interface Takes {
  hazard: Hazard
  /** Name of the rule that says so. */
  rule: string
  zone?: string
  /** False: it is not done at all. */
  enabled: boolean
  /** Undefined: whoever has the right. */
  ask?: readonly string[]
  approve: readonly Role[]
  /** People who have to say yes: 0, 1 or 2. */
  people: 0 | 1 | 2
  requesterMayApprove: boolean
  presence: Presence
  hours?: Hours
  phrase: string
  signature: boolean
  ppe: readonly string[]
}

export type Subject = Pick<Device, 'id' | 'kind' | 'area'>

export interface Policy {
  /** Hash of everything it says; part of every decision's audit row. */
  readonly version: string
  readonly settings: PolicyFile
  takes(device: Subject, intent: string): Takes
  /** The interlock of the file that blocks an intent as things are now. */
  heldBy(device: Subject, intent: string, devices: Pick<Devices, 'get'>): { name: string; why: string } | undefined
  /** Why somebody who comes over HTTP counts as not in the building; undefined for somebody who does not. */
  remote(peer: Peer): string | undefined
}

export const APPROVERS: readonly Role[] = ['engineer', 'safety', 'admin']
const VERSION_LENGTH = 16
const MEMORY = 5000

type Test = (text: string) => boolean

/** `*` stands for anything; the rest as it is. */
const globOf = (patterns: string | readonly string[] | undefined): Test => {
  if (patterns === undefined) return () => true
  const list = typeof patterns === 'string' ? [patterns] : patterns
  const tests = list.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
          .join('[^]*')}$`,
        'i',
      ),
  )
  return (text) => tests.some((test) => test.test(text))
}

const fitting = ({
  intent,
  device,
  kind,
  zone,
}: Pick<Rule, 'intent' | 'device' | 'kind' | 'zone'>): CompiledHold['fits'] => {
  const [ofIntent, ofDevice, ofKind] = [globOf(intent), globOf(device), globOf(kind)]
  const ofZone = zone === undefined ? undefined : globOf(zone)
  return (subject, name) =>
    ofIntent(name) &&
    ofDevice(subject.id) &&
    ofKind(subject.kind) &&
    (ofZone === undefined || (subject.area !== undefined && ofZone(subject.area)))
}

/** A policy out of what the file says; without one, the hub's own rules alone. */
export const policyOf = (settings: PolicyFile = PolicyFile.parse({})): Policy => {
  const rules = settings.rules.map((rule) => ({ rule, fits: fitting(rule) }))
  const holds = settings.interlocks.map((hold, i) => ({
    hold,
    name: hold.name ?? `interlock ${i + 1}`,
    fits: fitting(hold),
  }))
  const zones = new Map(Object.entries(settings.zones).map(([name, { level }]) => [name.toLowerCase(), level]))
  const version = sha256(
    canonical([
      settings,
      settings.builtIn
        ? hazardRules.map(({ kind, intent, ...rest }) => ({ ...rest, kind: kind.source, intent: intent.source }))
        : [],
    ]),
  ).slice(0, VERSION_LENGTH)
  const known = new Map<string, Takes>()

  const work = (subject: Subject, intent: string): Takes => {
    const { kind, area } = subject
    const found = rules.find(({ fits }) => fits(subject, intent))?.rule
    const own = found === undefined && settings.builtIn ? builtInRule(kind, intent) : undefined
    const unnamed = isHarmless(intent) ? 'low' : settings.unknown
    const classed = found?.hazard ?? own?.hazard ?? unnamed
    const level = area === undefined ? undefined : zones.get(area.toLowerCase())
    const hazard = needsApproval(classed) && level !== undefined ? worse(classed, level) : classed
    return {
      hazard,
      rule:
        found === undefined ? (own?.name ?? 'no rule') : (found.name ?? `rule ${settings.rules.indexOf(found) + 1}`),
      ...(area === undefined ? {} : { zone: area }),
      enabled: found?.enabled ?? true,
      ...(found?.ask === undefined ? {} : { ask: found.ask }),
      approve: found?.approve ?? APPROVERS,
      people: hazard === 'high' || found?.dual === true ? 2 : hazard === 'medium' ? 1 : 0,
      requesterMayApprove: found?.requesterMayApprove ?? false,
      presence: found?.presence ?? own?.presence ?? 'none',
      ...(found?.hours === undefined ? {} : { hours: found.hours }),
      phrase: found?.phrase ?? settings.phrase,
      signature: found?.signature ?? false,
      ppe: found?.ppe ?? [],
    }
  }

  return {
    version,
    settings,
    remote: openRemote(settings.remote.networks),
    heldBy: (device, intent, devices) => (holds.length === 0 ? undefined : heldBy(holds, device, intent, devices)),
    takes(device, intent) {
      const key = JSON.stringify([device.id, device.kind, device.area, intent])
      const before = known.get(key)
      if (before !== undefined) return before
      if (known.size >= MEMORY) known.clear()
      const takes = work(device, intent)
      known.set(key, takes)
      return takes
    },
  }
}
