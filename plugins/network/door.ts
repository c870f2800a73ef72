// What comes in from the network at all: from this network, not too large, not too often.
import { netOf, type Net } from './nets.ts'

export type Refusal = 'foreign' | 'large' | 'flood'

export interface Door {
  /** Whether a datagram that arrived for `net` is read. */
  admits(bytes: number, source: string, net: Net): boolean
  /** How many were refused since the start, by reason. */
  refused(): Readonly<Record<Refusal, number>>
  /** The networks sources must be on. */
  setNets(nets: readonly Net[]): void
}

interface Bucket {
  left: number
  at: number
}

/** A UPnP device with many services says itself three times over, some 200 datagrams at once. */
const SOURCE = { burst: 240, perSecond: 20 }
const ALL = { burst: 1200, perSecond: 200 }
const MOST_SOURCES = 1024
const SWEEP_MS = 1000

const takes = (bucket: Bucket, { burst, perSecond }: typeof SOURCE, now: number): boolean => {
  bucket.left = Math.min(burst, bucket.left + (Math.max(0, now - bucket.at) / 1000) * perSecond)
  bucket.at = now
  if (bucket.left < 1) return false
  bucket.left -= 1
  return true
}

/** `most` in bytes of one datagram; `now` in ms. */
export const openDoor = ({ most, now }: { most: number; now: () => number }): Door => {
  const refused = { foreign: 0, large: 0, flood: 0 }
  const sources = new Map<string, Bucket>()
  const all: Bucket = { left: ALL.burst, at: now() }
  /** Those for whom there is no room share one, so that invented addresses buy nothing. */
  const crowd: Bucket = { left: SOURCE.burst, at: now() }
  let nets: readonly Net[] = []
  let sweptAt = -Infinity
  const bucketOf = (source: string, at: number): Bucket => {
    const known = sources.get(source)
    if (known !== undefined) return known
    if (sources.size >= MOST_SOURCES && at - sweptAt > SWEEP_MS) {
      sweptAt = at
      const rested = (SOURCE.burst / SOURCE.perSecond) * 1000
      for (const [name, bucket] of sources) if (at - bucket.at > rested) sources.delete(name)
    }
    if (sources.size >= MOST_SOURCES) return crowd
    const fresh = { left: SOURCE.burst, at }
    sources.set(source, fresh)
    return fresh
  }
  const refuse = (why: Refusal): false => {
    refused[why] += 1
    return false
  }
  return {
    admits(bytes, source, net) {
      const own = netOf(nets, source)
      // Every socket hears what arrived on any network; each takes what came from its own.
      if (own !== undefined && own.address !== net.address) return false
      if (own === undefined) return refuse('foreign')
      if (bytes > most) return refuse('large')
      const at = now()
      return (takes(bucketOf(source, at), SOURCE, at) && takes(all, ALL, at)) || refuse('flood')
    },
    refused: () => ({ ...refused }),
    setNets(next) {
      nets = next
    },
  }
}
