// What may be a topic name or a topic filter (MQTT 5 section 4.7.1).

/** A topic name: not empty, no wildcards. */
export const isTopic = (name: string): boolean => name.length > 0 && !name.includes('+') && !name.includes('#')

/** A topic filter: `+` fills a level alone, `#` is the last level alone. */
export const isFilter = (filter: string): boolean => {
  if (filter.length === 0) return false
  if (!filter.includes('+') && !filter.includes('#')) return true
  const levels = filter.split('/')
  return levels.every((level, i) => {
    if (level === '+') return true
    if (level === '#') return i === levels.length - 1
    return isTopic(level) || level === ''
  })
}

/** The number of levels. */
export const levelsOf = (topic: string): number => {
  let levels = 1
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1)) levels++
  return levels
}

/** Topics of the broker itself: nobody publishes or reads them over MQTT. */
export const isReserved = (topic: string): boolean => topic === '$SYS' || topic.startsWith('$SYS/')
