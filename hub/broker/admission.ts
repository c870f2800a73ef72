// Counts connections, per address and in all: nobody may hold them all.

export interface Ticket {
  readonly address: string
  /** The client has authenticated. */
  known(): void
  /** The connection is over. */
  gone(): void
}

export interface Admission {
  /** A place for one more connection from this address, or undefined when there is none. */
  enter(address: string): Ticket | undefined
}

interface Held {
  all: number
  strangers: number
}

export const openAdmission = (limits: {
  connections: number
  connectionsPerAddress: number
  strangersPerAddress: number
}): Admission => {
  const held = new Map<string, Held>()
  let all = 0
  return {
    enter(from) {
      const address = plainAddress(from)
      const key = networkOf(address)
      const here = held.get(key) ?? { all: 0, strangers: 0 }
      if (all >= limits.connections) return undefined
      if (here.all >= limits.connectionsPerAddress || here.strangers >= limits.strangersPerAddress) return undefined
      held.set(key, here)
      all++
      here.all++
      here.strangers++
      let state: 'stranger' | 'known' | 'gone' = 'stranger'
      return {
        address,
        known() {
          if (state !== 'stranger') return
          state = 'known'
          here.strangers--
        },
        gone() {
          if (state === 'gone') return
          if (state === 'stranger') here.strangers--
          state = 'gone'
          all--
          if (--here.all === 0) held.delete(key)
        },
      }
    },
  }
}

/** An IPv4 address that arrives as IPv6 is written as IPv4. */
export const plainAddress = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address

/** One subscriber usually has a whole IPv6 /64: that counts as one address. */
const networkOf = (address: string): string => {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length
  const zeros = Array.from({ length: Math.max(0, missing) }, () => '0')
  return [...groups, ...zeros, ...(tail ?? '').split(':')].slice(0, 4).join(':')
}
