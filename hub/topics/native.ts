// Other people's conventions, outside the prefix. A fact says what is; a command makes something happen and is for the gate's plugins alone.

/** First levels of conventions the hub knows. Their discovery, state and telemetry are facts and can be granted with a device credential. */
export const nativeRoots: readonly string[] = [
  'homeassistant',
  'zigbee2mqtt',
  'tele',
  'stat',
  'tasmota',
  'shellies',
  'esphome',
  'frigate',
  'wled',
  'uagv',
  'vda5050',
  'octoPrint',
  'moonraker',
]

/** Filters of facts, for the docs. */
export const nativeFacts: readonly string[] = nativeRoots.map((root) => `${root}/#`)

/** A level of one of these names makes something happen, wherever it stands, in any convention we know. */
export const nativeVerbs: readonly string[] = [
  'set',
  'get',
  'cmd',
  'cmnd',
  'command',
  'commands',
  'ptz',
  'restart',
  'rpc',
  'order',
  'instantActions',
  'api',
]
const VERBS = new Set(nativeVerbs)
/** Ends that make something happen under these first levels. */
const ENDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['zigbee2mqtt', new Set(['request'])],
  ['device', new Set(['request'])],
  ['moonraker', new Set(['request'])],
])

/**
 * Whether a full topic makes something happen in another convention (`zigbee2mqtt/lamp/left/set`, `cmnd/plug/POWER`,
 * `shellies/x/roller/0/command/pos`, `wled/x`). Judged by its levels, because the depth differs with every device's name. Only
 * the plugin that answers a gate command may publish such a topic; no credential and no role can.
 */
export const isNativeCommand = (topic: string): boolean => {
  const known = judged.get(topic)
  if (known !== undefined) return known
  const answer = judge(topic)
  if (judged.size >= REMEMBERED) judged.clear()
  judged.set(topic, answer)
  return answer
}

const REMEMBERED = 10_000
const judged = new Map<string, boolean>()

const judge = (topic: string): boolean => {
  const levels = topic.split('/')
  const [first = ''] = levels
  // What a Shelly (Gen2 and later) says by itself: `shellyplus1-a8/events/rpc`.
  if (levels.length > 2 && levels.at(-2) === 'events' && levels.at(-1) === 'rpc') levels.pop()
  if (levels.some((level) => VERBS.has(level))) return true
  if (first === 'wled' && levels.length < 3) return true
  const ends = ENDS.get(first) ?? (levels.includes('bridge') ? ENDS.get('zigbee2mqtt') : undefined)
  return ends !== undefined && levels.some((level) => ends.has(level))
}

/** Topics that make something happen as plugins learnt them from devices, beyond what their levels tell. */
export interface Guarded {
  has(topic: string): boolean
  /** Replaces what the plugin guards. */
  set(plugin: string, topics: ReadonlySet<string>): void
}

export const openGuarded = (): Guarded => {
  const byPlugin = new Map<string, ReadonlySet<string>>()
  return {
    has(topic) {
      for (const topics of byPlugin.values()) if (topics.has(topic)) return true
      return false
    },
    set: (plugin, topics) => void byPlugin.set(plugin, topics),
  }
}

/** The same as filters, for rules that compare filters. They reach less far than `isNativeCommand`, which judges each publish. */
export const nativeCommands: readonly string[] = [
  'cmnd/#',
  '+/cmnd/#',
  'zigbee2mqtt/+/set/#',
  'zigbee2mqtt/+/get/#',
  'zigbee2mqtt/+/+/set/#',
  'zigbee2mqtt/bridge/request/#',
  'homeassistant/+/+/set/#',
  'homeassistant/+/+/+/set/#',
  'shellies/command',
  'shellies/+/command/#',
  'shellies/+/+/+/command/#',
  'esphome/+/+/+/command/#',
  'frigate/restart',
  'frigate/+/ptz',
  'frigate/+/+/set',
  'wled/+/api',
  '+/rpc',
  'uagv/+/+/+/order',
  'uagv/+/+/+/instantActions',
  'vda5050/+/+/+/order',
  'vda5050/+/+/+/instantActions',
  'device/+/request',
]
