// Whose session is it: a client id belongs to the principal that opened a lasting session under it.
import { remember } from './remember.ts'

export interface Owners {
  /** False when another principal holds a session under this id. A lasting one is held until it is released. */
  claim(clientId: string, origin: string, lasting: boolean): boolean
  release(clientId: string): void
  /** The ids this origin holds. */
  of(origin: string): string[]
  /** All ids held. */
  ids(): string[]
}

/** Remembers the newest `most` sessions. */
export const openOwners = (most: number, live: (clientId: string) => string | undefined): Owners => {
  const held = new Map<string, string>()
  return {
    claim(clientId, origin, lasting) {
      const owner = live(clientId) ?? held.get(clientId)
      if (owner !== undefined && owner !== '' && owner !== origin) return false
      if (lasting) remember(held, clientId, origin, most)
      else held.delete(clientId)
      return true
    },
    release: (clientId) => void held.delete(clientId),
    of: (origin) => [...held].filter(([, owner]) => owner === origin).map(([clientId]) => clientId),
    ids: () => [...held.keys()],
  }
}
