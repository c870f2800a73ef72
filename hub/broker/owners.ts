// Whose session is it: a client id belongs to the principal that opened a lasting session under it.
import type { Persistence } from './persistence.ts'
import { remember } from './remember.ts'

export interface Owners {
  /**
   * `taken` when another principal is connected, or holds a session, under this id; `full` when this one holds as many lasting
   * sessions as one may. A lasting one is held until it is released.
   */
  claim(clientId: string, origin: string, lasting: boolean): 'yes' | 'taken' | 'full'
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
  /** Lasting sessions of one origin: nobody may take the places of all the others. */
  mostOfOne: number
  /** The origin that is connected under an id. */
  live(clientId: string): string | undefined
  store: Pick<Persistence, 'owner' | 'setOwner' | 'owners'>
  failed(error: unknown): void
}

/** Owners as the session store keeps them, or in memory where it does not. */
export const openOwners = ({ most, mostOfOne, live, store, failed }: Parts): Owners => {
  const held = new Map<string, string>()
  const all = (): Map<string, string> => new Map([...(store.owners?.() ?? []), ...held])
  const owner = (clientId: string) => held.get(clientId) ?? store.owner?.(clientId)
  const keep = (clientId: string, origin: string | undefined) => {
    if (store.setOwner) {
      if (store.owner?.(clientId) !== origin) store.setOwner(clientId, origin).catch(failed)
    } else if (origin === undefined) held.delete(clientId)
    else remember(held, clientId, origin, most)
  }
  /** The ids each origin was given; what has ended meanwhile is looked up when the number matters. */
  const given = new Map<string, Set<string>>()
  for (const [clientId, origin] of all()) given.set(origin, (given.get(origin) ?? new Set()).add(clientId))
  const hasAll = (clientId: string, origin: string): boolean => {
    const ids = given.get(origin) ?? new Set()
    if (ids.size >= mostOfOne) for (const id of ids) if (owner(id) !== origin) ids.delete(id)
    if (ids.size >= mostOfOne && !ids.has(clientId)) return true
    given.set(origin, ids.add(clientId))
    return false
  }
  return {
    claim(clientId, origin, lasting) {
      const found = live(clientId) ?? owner(clientId)
      if (found !== undefined && found !== '' && found !== origin) return 'taken'
      if (lasting && hasAll(clientId, origin)) return 'full'
      keep(clientId, lasting ? origin : undefined)
      return 'yes'
    },
    release: (clientId) => keep(clientId, undefined),
    owner,
    of: (origin) => [...all()].filter(([, other]) => other === origin).map(([clientId]) => clientId),
    ids: () => [...all().keys()],
  }
}
