// MQTT topic filters: `+` for one level, `#` at the end for the rest (MQTT 5, section 4.7).

/** Whether a text is a legal topic filter. */
export const isFilter = (filter: string): boolean => {
  if (filter === '' || filter.includes('\0') || Buffer.byteLength(filter) > 65_535) return false
  const levels = filter.split('/')
  return levels.every((level, i) =>
    level.includes('#') ? level === '#' && i === levels.length - 1 : level === '+' || !level.includes('+'),
  )
}

/** Whether a filter names one topic only. */
export const isExact = (filter: string): boolean => !filter.includes('+') && !filter.includes('#')

/** Whether a filter matches a topic. Wildcards at the first level do not match topics that begin with `$` [MQTT-4.7.2-1]. */
export const matches = (filter: string, topic: string): boolean => {
  if (topic.startsWith('$') && (filter.startsWith('+') || filter.startsWith('#'))) return false
  let [f, t] = [0, 0]
  for (;;) {
    if (filter[f] === '#') return true
    if (filter[f] === '+') {
      f++
      while (t < topic.length && topic[t] !== '/') t++
    } else {
      while (f < filter.length && filter[f] !== '/') if (filter[f++] !== topic[t++]) return false
      if (t < topic.length && topic[t] !== '/') return false
    }
    if (t >= topic.length) return f >= filter.length || filter.startsWith('/#', f)
    if (f >= filter.length) return false
    f++
    t++
  }
}

const REMEMBERED = 10_000

/** A test for several filters at once that remembers its answers by topic. No filter means every topic. */
export const matcher = (filters: readonly string[]): ((topic: string) => boolean) => {
  if (filters.length === 0) return () => true
  const known = new Map<string, boolean>()
  return (topic) => {
    const before = known.get(topic)
    if (before !== undefined) return before
    const fits = filters.some((filter) => matches(filter, topic))
    if (known.size >= REMEMBERED) known.clear()
    known.set(topic, fits)
    return fits
  }
}
