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

/** Connections from one address. */
interface Held {
  readonly key: string
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
  const left = (here: Held) => {
    all--
    if (--here.all === 0) held.delete(here.key)
  }
  return {
    enter(from) {
      const address = plainAddress(from)
      const key = networkOf(address)
      const here = held.get(key) ?? { key, all: 0, strangers: 0 }
      if (all >= limits.connections) return undefined
      if (here.all >= limits.connectionsPerAddress || here.strangers >= limits.strangersPerAddress) return undefined
      held.set(key, here)
      all++
      here.all++
      here.strangers++
      return new Place(address, here, left)
    },
  }
}

/** The place of one connection. A class, because thousands of them share their methods. */
class Place implements Ticket {
  readonly address: string
  readonly #here: Held
  readonly #left: (here: Held) => void
  #state: 'stranger' | 'known' | 'gone' = 'stranger'

  constructor(address: string, here: Held, left: (here: Held) => void) {
    this.address = address
    this.#here = here
    this.#left = left
  }

  known(): void {
    if (this.#state !== 'stranger') return
    this.#state = 'known'
    this.#here.strangers--
  }

  gone(): void {
    if (this.#state === 'gone') return
    if (this.#state === 'stranger') this.#here.strangers--
    this.#state = 'gone'
    this.#left(this.#here)
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
