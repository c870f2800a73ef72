// Topics as the app meets them: without the prefix, matched by filters as MQTT does.

/** Whether an MQTT filter matches a topic (MQTT 5, 4.7.1). */
export const matches = (filter: string, topic: string): boolean => {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  // A wildcard in the first level does not match a topic that starts with $ (4.7.2).
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false
  for (const [n, level] of wanted.entries()) {
    if (level === '#') return true
    if (n >= levels.length) return false
    if (level !== '+' && level !== levels[n]) return false
  }
  return wanted.length === levels.length
}

/** What is wrong with a filter, in words, or undefined when it is a valid one (MQTT 5, 4.7.1). */
export const filterProblem = (filter: string): string | undefined => {
  const levels = filter.split('/')
  if (filter === '') return 'Write a topic, such as devices/+/state.'
  if (levels.some((level, n) => level.includes('#') && (level !== '#' || n !== levels.length - 1)))
    return '# stands alone, as the last level: devices/#.'
  if (levels.some((level) => level.includes('+') && level !== '+'))
    return '+ stands for one whole level: devices/+/state.'
  return undefined
}

/** A full topic without the hub's prefix; a foreign topic stays as it is. */
export const shortTopic = (prefix: string, topic: string): string =>
  topic.startsWith(`${prefix}/`) ? topic.slice(prefix.length + 1) : topic

/** A device topic taken apart, or undefined. */
export const deviceTopic = (topic: string): { device: string; leaf: string } | undefined => {
  const [root, device, leaf, more] = topic.split('/')
  if (root !== 'devices' || device === undefined || leaf === undefined || more !== undefined) return undefined
  return { device, leaf }
}
