// Which topics are announcements, and of what form.

export type DiscoveryTopic =
  | { form: 'device'; key: string }
  | { form: 'single'; platform: string; key: string }
  | { form: 'tasmota'; mac: string; leaf: 'config' | 'sensors' }

/** `homeassistant/device/<id>/config`, `homeassistant/<component>/[<node>/]<object>/config`, `tasmota/discovery/<mac>/config`. */
export const discoveryTopic = (topic: string, prefix: string): DiscoveryTopic | undefined => {
  if (topic.startsWith('tasmota/discovery/')) {
    const [mac = '', leaf, ...rest] = topic.slice('tasmota/discovery/'.length).split('/')
    if (rest.length > 0 || !/^[0-9A-Fa-f]{12}$/.test(mac)) return undefined
    return leaf === 'config' || leaf === 'sensors' ? { form: 'tasmota', mac: mac.toLowerCase(), leaf } : undefined
  }
  if (!topic.startsWith(`${prefix}/`) || !topic.endsWith('/config')) return undefined
  const levels = topic.slice(prefix.length + 1, -'/config'.length).split('/')
  if (levels.length < 2 || levels.length > 3 || levels.includes('')) return undefined
  const [platform = ''] = levels
  const key = levels.at(-1) ?? ''
  return platform === 'device' ? { form: 'device', key } : { form: 'single', platform, key }
}

/** With which every Millrace hub begins the names under which it announces its own devices to Home Assistant. */
const OF_A_HUB = 'millrace_'

/** Whether a record is of a hub's own export: by a level of its topic, or an identifier of its device. */
export const isOfHub = (topic: string, identifiers: readonly string[]): boolean =>
  topic.split('/').some((level) => level.startsWith(OF_A_HUB)) || identifiers.some((one) => one.startsWith(OF_A_HUB))

/** Topics that are no device's own: announcements, births, and what a Zigbee bridge says of itself. None may be a command topic. */
export const isReserved = (topic: string, prefix: string): boolean =>
  discoveryTopic(topic, prefix) !== undefined ||
  topic === `${prefix}/status` ||
  topic.startsWith('tasmota/discovery/') ||
  /(^|\/)bridge\/(state|info|devices|groups|event|logging|definitions|extensions)$/.test(topic)
