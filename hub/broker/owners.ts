// Whose session is it: a client id belongs to the principal that opened a lasting session under it.
import type { Persistence } from './persistence.ts'
import { remember } from './remember.ts'

export interface Owners {
  /** False when another principal is connected, or holds a session, under this id. A lasting one is held until it is released. */
  claim(clientId: string, origin: string, lasting: boolean): boolean
  release(clientId: string): void
  owner(clientId: string): string | undefined
  /** The ids this origin holds. */
  of(origin: string): string[]
  /** All ids held. */
  ids(): string[]
}

interface Parts {
  /** How many are remembered when the store cannot. */
  most: number
  /** The origin that is connected under an id. */
  live(clientId: string): string | undefined
  store: Pick<Persistence, 'owner' | 'setOwner' | 'owners'>
  failed(error: unknown): void
}

/** Owners as the session store keeps them, or in memory where it does not. */
export const openOwners = ({ most, live, store, failed }: Parts): Owners => {
  const held = new Map<string, string>()
  const all = (): Map<string, string> => new Map([...(store.owners?.() ?? []), ...held])
  const owner = (clientId: string) => held.get(clientId) ?? store.owner?.(clientId)
  const keep = (clientId: string, origin: string | undefined) => {
    if (store.setOwner) {
      if (store.owner?.(clientId) !== origin) store.setOwner(clientId, origin).catch(failed)
    } else if (origin === undefined) held.delete(clientId)
    else remember(held, clientId, origin, most)
  }
  return {
    claim(clientId, origin, lasting) {
      const found = live(clientId) ?? owner(clientId)
      if (found !== undefined && found !== '' && found !== origin) return false
      keep(clientId, lasting ? origin : undefined)
      return true
    },
    release: (clientId) => keep(clientId, undefined),
    owner,
    of: (origin) => [...all()].filter(([, other]) => other === origin).map(([clientId]) => clientId),
    ids: () => [...all().keys()],
  }
}
