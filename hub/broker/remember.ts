// A map that the network fills, bounded.

/** Sets an entry as the newest of at most `most`; the oldest one goes when there are too many. */
export const remember = <V>(map: Map<string, V>, key: string, value: V, most = 10_000): void => {
  map.delete(key)
  if (map.size >= most) {
    const oldest = map.keys().next()
    if (!oldest.done) map.delete(oldest.value)
  }
  map.set(key, value)
}
