// What every device can do, and what the policy that counts wants for it: the register of what may be asked for.
import type { Role } from '../../bus/principal.ts'
import type { Device } from '../../devices/devices.ts'
import { type Hazard, needsApproval } from '../hazards.ts'
import type { Policy } from '../policy/policy.ts'
import type { Presence } from '../policy/schema.ts'

/** A row of what devices can do, and what it takes. */
export interface IntentTakes {
  device: string
  intent: string
  /** Sent at once, whatever else holds. */
  safe: boolean
  /** False: policy.yaml forbids it. */
  enabled: boolean
  hazard: Hazard
  rule: string
  /** People who have to say yes. */
  confirmation: 0 | 1 | 2
  signature: boolean
  presence: Presence
  zone?: string
  ask?: string[]
  approve?: Role[]
}

/** Of all devices, or of the one with this id; in the order of their names. */
export const intentsOf = (devices: readonly Device[], policy: Pick<Policy, 'takes'>, only?: string): IntentTakes[] =>
  devices
    .filter(({ id }) => only === undefined || id === only)
    .flatMap((device) => Object.keys(device.intents).map((intent) => rowOf(device, intent, policy)))
    .sort((a, b) => (`${a.device} ${a.intent}` < `${b.device} ${b.intent}` ? -1 : 1))

const rowOf = (device: Device, intent: string, policy: Pick<Policy, 'takes'>): IntentTakes => {
  const { enabled, hazard, rule, people, signature, presence, zone, ask, approve } = policy.takes(device, intent)
  const about = { device: device.id, intent, hazard, rule, ...(zone === undefined ? {} : { zone }) }
  if (device.safe.includes(intent) && !needsApproval(hazard))
    return { ...about, safe: true, enabled: true, confirmation: 0, signature: false, presence: 'none' }
  return {
    ...about,
    safe: false,
    enabled,
    confirmation: people,
    signature,
    presence,
    ...(ask === undefined ? {} : { ask: [...ask] }),
    ...(people === 0 ? {} : { approve: [...approve] }),
  }
}
