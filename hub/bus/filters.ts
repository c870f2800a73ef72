// MQTT topics and filters: what is valid, what matches, what contains what. Pure.

const MAX_BYTES = 65_535

const fits = (text: string): boolean =>
  text.length > 0 && !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= MAX_BYTES

/** A topic name one can publish to: 1 to 65,535 bytes of UTF-8, no NUL, no wildcard (MQTT-4.7.1-1, 4.7.3). */
export const isTopic = (topic: string): boolean => fits(topic) && !topic.includes('+') && !topic.includes('#')

/** A topic filter: `#` only as the whole last level, `+` only as a whole level (MQTT-4.7.1-2, 4.7.1-3). */
export const isFilter = (filter: string): boolean =>
  fits(filter) &&
  filter
    .split('/')
    .every(
      (level, i, all) =>
        level === '+' || (level === '#' ? i === all.length - 1 : !level.includes('+') && !level.includes('#')),
    )

/** Wildcards at the first level do not reach topics that start with `$` (MQTT-4.7.2-1). */
const shielded = (level: string | undefined): boolean => level !== undefined && level.startsWith('$')

/** Makes the test "does this topic match the filter?", split once for the many times it is asked. */
export const matcher = (filter: string): ((topic: string) => boolean) => {
  const levels = filter.split('/')
  if (!filter.includes('+') && !filter.includes('#')) return (topic) => topic === filter
  if (!filter.includes('+') && levels.length > 1) {
    const parent = filter.slice(0, -2)
    const below = filter.slice(0, -1)
    return (topic) => topic === parent || topic.startsWith(below)
  }
  return (topic) => matchLevels(levels, topic.split('/'))
}

const matchLevels = (filter: readonly string[], topic: readonly string[]): boolean => {
  if ((filter[0] === '+' || filter[0] === '#') && shielded(topic[0])) return false
  for (const [i, level] of filter.entries()) {
    if (level === '#') return true
    if (i >= topic.length || (level !== '+' && level !== topic[i])) return false
  }
  return filter.length === topic.length
}

/** Whether a filter matches a topic. `a/#` matches `a` too. */
export const matches = (filter: string, topic: string): boolean => matchLevels(filter.split('/'), topic.split('/'))

/** Whether every topic that `inner` can match is matched by `outer`. */
export const contains = (outer: string, inner: string): boolean => containsLevels(outer.split('/'), inner.split('/'))

const containsLevels = (outer: readonly string[], inner: readonly string[]): boolean => {
  if ((outer[0] === '+' || outer[0] === '#') && shielded(inner[0])) return false
  // Every topic has a first level, so '+/#' reaches as far as '#'.
  if (inner[0] === '#') return outer[0] === '#' || (outer[0] === '+' && outer[1] === '#')
  for (const [i, level] of outer.entries()) {
    if (level === '#') return true
    const other = inner[i]
    // An inner '#' stands for nothing as well as for any number of levels: only an outer '#' covers both.
    if (other === undefined || other === '#') return false
    if (level !== '+' && level !== other) return false
  }
  return outer.length === inner.length
}

/** Whether some topic is matched by both filters. */
export const overlaps = (a: string, b: string): boolean => overlapLevels(a.split('/'), b.split('/'))

const overlapLevels = (a: readonly string[], b: readonly string[]): boolean => {
  const wild = (level: string | undefined) => level === '+' || level === '#'
  if ((wild(a[0]) && shielded(b[0])) || (wild(b[0]) && shielded(a[0]))) return false
  for (let i = 0; ; i++) {
    const [x, y] = [a[i], b[i]]
    if (x === '#' || y === '#') {
      // '#' also stands for the level above it, so the other side may end exactly here.
      return true
    }
    if (x === undefined || y === undefined) return x === y
    if (x !== '+' && y !== '+' && x !== y) return false
  }
}

/** Whether a filter names one topic only. */
export const isExact = (filter: string): boolean => !filter.includes('+') && !filter.includes('#')

const REMEMBERED = 10_000

/** A test for several filters at once that remembers its answers by topic. No filter means every topic. */
export const anyMatcher = (filters: readonly string[]): ((topic: string) => boolean) => {
  if (filters.length === 0) return () => true
  const tests = filters.map(matcher)
  const known = new Map<string, boolean>()
  return (topic) => {
    const before = known.get(topic)
    if (before !== undefined) return before
    const fits = tests.some((matching) => matching(topic))
    if (known.size >= REMEMBERED) known.clear()
    known.set(topic, fits)
    return fits
  }
}
