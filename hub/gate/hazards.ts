// Hazard classes: which intents may hurt somebody, by the kind of device and by intent. Medium and high need an approval.

export const HAZARDS = ['none', 'low', 'medium', 'high'] as const
export type Hazard = (typeof HAZARDS)[number]

interface BuiltIn {
  name: string
  kind: RegExp
  intent: RegExp
  hazard: Hazard
  /** Whether whoever asks has to be there. */
  presence: 'requester_present' | 'none'
}

const anyKind = /./
const machine = /(^|_)(welder|laser|cnc|mill|milling|lathe|plasma|furnace|kiln)(_|$)|saw(_|$)/
const calm = { kind: machine, hazard: 'low', presence: 'none' } as const

/** The intents of SF-3: doors, power of dangerous machines, safety overrides, heat without a job, prints that nobody watches. The first rule that fits counts. */
export const hazardRules: readonly BuiltIn[] = [
  {
    name: 'safety override',
    kind: anyKind,
    intent: /(^|\.)(override|bypass|disable_safety|safety_off|reset_estop)/,
    hazard: 'high',
    presence: 'none',
  },
  { name: 'safety', kind: anyKind, intent: /^safety\./, hazard: 'high', presence: 'none' },
  {
    name: 'power of a dangerous machine',
    kind: machine,
    intent: /(^|\.)(power_on|power_enable|enable|turn_on|start|fire|arm)$/,
    hazard: 'high',
    presence: 'requester_present',
  },
  {
    name: 'power of a dangerous machine',
    kind: anyKind,
    intent: /^(welder|laser|cnc|mill|lathe|saw|plasma|furnace|kiln)\.(power_on|enable|turn_on|start|fire|arm)$/,
    hazard: 'high',
    presence: 'requester_present',
  },
  { name: 'power', kind: anyKind, intent: /^power\.(enable|arm)$/, hazard: 'high', presence: 'none' },
  { name: 'door', kind: anyKind, intent: /(^|\.)(unlock|unlatch)$/, hazard: 'high', presence: 'none' },
  {
    name: 'heater without a job',
    kind: /^heater$/,
    intent: /(^|\.)(start|turn_on|set_temperature)$/,
    hazard: 'medium',
    presence: 'none',
  },
  {
    name: 'heater without a job',
    kind: anyKind,
    intent: /^heater\.(start|turn_on|set_temperature)$/,
    hazard: 'medium',
    presence: 'none',
  },
  {
    name: 'unattended print',
    kind: anyKind,
    intent: /(^|\.)(start_unattended|print_unattended)$/,
    hazard: 'medium',
    presence: 'none',
  },
  {
    name: 'what calms a dangerous machine',
    ...calm,
    intent: /(^|\.)(emergency_stop|estop|halt|stop|pause|hold|cancel|abort|turn_off|power_off|disable|close|lock)$/,
  },
  {
    name: 'what a dangerous machine does without moving',
    ...calm,
    intent: /(^|\.)(simulate|identify|refresh|status|beep)$/,
  },
  {
    name: 'unknown intent of a dangerous machine',
    kind: machine,
    intent: /./,
    hazard: 'medium',
    presence: 'none',
  },
]

/** The rule of the table; everything it does not name is `low`: sent with interlocks, without approval. */
export const builtInRule = (kind: string, intent: string): BuiltIn | undefined =>
  hazardRules.find((rule) => rule.kind.test(kind.toLowerCase()) && rule.intent.test(intent))

/** Intents that mean little wherever they are: `unknown` of the policy does not reach them. */
const HARMLESS = [
  /^(light|switch|scene|cover|fan|media|camera|display|notify)\./,
  /^(lock\.lock|power\.disable)$/,
  /^printer\.(pause|resume|cancel|status)$/,
  /(^|\.)(emergency_stop|estop|halt|stop|pause|hold|cancel|abort|turn_off|power_off|disable|close|lock|identify|refresh|status|beep|simulate)$/,
]
export const isHarmless = (intent: string): boolean => HARMLESS.some((one) => one.test(intent))

/** Whether a class asks for a person's yes. */
export const needsApproval = (hazard: Hazard): boolean => hazard === 'medium' || hazard === 'high'

/** The worse of two. */
export const worse = (a: Hazard, b: Hazard): Hazard => (HAZARDS.indexOf(a) >= HAZARDS.indexOf(b) ? a : b)
