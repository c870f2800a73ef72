// How fast an origin may announce: a burst for its start, then little.

interface Bucket {
  left: number
  at: number
}

const KNOWN = 2000

const buckets = (now: () => number, most: number, perSecond: number) => {
  const all = new Map<string, Bucket>()
  return (origin: string): boolean => {
    const at = now()
    const old = all.get(origin)
    const left = old === undefined ? most : Math.min(most, old.left + ((at - old.at) / 1000) * perSecond)
    if (old === undefined && all.size >= KNOWN) all.clear()
    all.set(origin, { left: left < 1 ? left : left - 1, at })
    return left >= 1
  }
}

/** `devices` is how many an origin may have: as many may be new at once, and then one in ten seconds. */
export const openPace = (now: () => number, devices: number) => ({
  announcement: buckets(now, 10_000, 50),
  newDevice: buckets(now, devices, 0.1),
})
