// For tests: does one filter contain another filter or topic?

/** Every topic that `inner` can match is matched by `outer`. `$` topics are in no wildcard. */
export const filterHolds = (outer: string, inner: string): boolean => {
  const wide = outer.split('/')
  const narrow = inner.split('/')
  if (inner.startsWith('$') && !outer.startsWith('$')) return false
  for (const [i, part] of wide.entries()) {
    if (part === '#') return true
    const other = narrow[i]
    if (other === undefined || other === '#') return false
    if (part !== '+' && part !== other) return false
  }
  return wide.length === narrow.length
}
