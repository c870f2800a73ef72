// Hazard classes: which intents may hurt somebody, by the kind of device and by intent. Medium and high need an approval.
import type { Device } from '../devices/devices.ts'

export const HAZARDS = ['none', 'low', 'medium', 'high'] as const
export type Hazard = (typeof HAZARDS)[number]

/** The class of an intent on a device. Never asked for a device's safe intents. */
export type HazardOf = (device: Pick<Device, 'id' | 'kind'>, intent: string) => Hazard

interface Rule {
  kind: RegExp
  intent: RegExp
  hazard: Hazard
}

const anyKind = /./
const machine = /(^|_)(welder|laser|cnc|mill|milling|lathe|plasma|furnace|kiln)(_|$)|saw(_|$)/

/** The intents of SF-3: doors, power of dangerous machines, safety overrides, heat without a job, prints that nobody watches. The first rule that fits counts. */
export const hazardRules: readonly Rule[] = [
  { kind: anyKind, intent: /(^|\.)(override|bypass|disable_safety|safety_off|reset_estop)/, hazard: 'high' },
  { kind: anyKind, intent: /^safety\./, hazard: 'high' },
  { kind: machine, intent: /(^|\.)(power_on|power_enable|enable|turn_on|start|fire|arm)$/, hazard: 'high' },
  {
    kind: anyKind,
    intent: /^(welder|laser|cnc|mill|lathe|saw|plasma|furnace|kiln)\.(power_on|enable|turn_on|start|fire|arm)$/,
    hazard: 'high',
  },
  { kind: anyKind, intent: /^power\.(enable|arm)$/, hazard: 'high' },
  { kind: anyKind, intent: /(^|\.)(unlock|unlatch)$/, hazard: 'high' },
  { kind: /^heater$/, intent: /(^|\.)(start|turn_on|set_temperature)$/, hazard: 'medium' },
  { kind: anyKind, intent: /^heater\.(start|turn_on|set_temperature)$/, hazard: 'medium' },
  { kind: anyKind, intent: /(^|\.)(start_unattended|print_unattended)$/, hazard: 'medium' },
]

/** The table as a function; everything it does not name is `low`: sent with interlocks, without approval. */
export const hazardOf: HazardOf = ({ kind }, intent) =>
  hazardRules.find((rule) => rule.kind.test(kind.toLowerCase()) && rule.intent.test(intent))?.hazard ?? 'low'

/** Whether a class asks for a person's yes. */
export const needsApproval = (hazard: Hazard): boolean => hazard === 'medium' || hazard === 'high'

/** What people are told of an intent that waits for an approval no one can give yet. */
export const approvalMissing = (intent: string, hazard: Hazard): string =>
  `'${intent}' is classed as ${hazard} hazard and needs an approval by ${hazard === 'high' ? 'two people' : 'another person'}; this hub cannot take approvals yet, so it does not send it. Do it at the device itself.`
