// What a verified token says of somebody: which roles, and which name to suggest for them here.
import { createHash } from 'node:crypto'
import { type Role, ROLES } from '../../bus/principal.ts'
import type { IssuerSettings } from './settings.ts'

type Claims = Readonly<Record<string, unknown>>

const MOST_VALUES = 1000
/** User names have at most so many characters (people.ts). */
const NAME_LENGTH = 31

const inside = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined

/** The claim at a path; a text is looked for as it stands first, because claims may have dots in their names. */
const claimAt = (claims: Claims, path: string | readonly string[]): unknown => {
  if (typeof path !== 'string') return path.reduce<unknown>(inside, claims)
  return Object.hasOwn(claims, path) ? claims[path] : path.split('.').reduce<unknown>(inside, claims)
}

/** The roles of this hub that a token's claims give; none when nothing fits. */
export const mappedRoles = (claims: Claims, settings: IssuerSettings['roles']): Role[] => {
  if (settings === undefined) return []
  const found = claimAt(claims, settings.claim)
  const values: unknown[] = Array.isArray(found) ? found.slice(0, MOST_VALUES) : [found]
  const given = new Set(
    values.flatMap((value) =>
      typeof value === 'string' && Object.hasOwn(settings.map, value) ? (settings.map[value] ?? []) : [],
    ),
  )
  return ROLES.filter((role) => given.has(role))
}

/**
 * A free user name for somebody from an issuer: `<issuer's id>.<their name there>`, so that nobody there can take a name that
 * is given here. With a piece of a hash of `subject` when the name is taken or there is none.
 */
export const suggestedName = (
  from: { id: string; claims: Claims; usernameClaim: string; subject: string },
  isTaken: (username: string) => boolean,
): string => {
  const raw = claimAt(from.claims, from.usernameClaim)
  const name = (typeof raw === 'string' ? raw.slice(0, 200) : '')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/@.*$/, '')
    .replace(/[^a-z0-9_.]+/g, '_')
    .replace(/^[_.]+|[_.]+$/g, '')
  const plain = `${from.id}.${name}`.slice(0, NAME_LENGTH)
  if (name !== '' && !isTaken(plain)) return plain
  const hash = createHash('sha256').update(from.subject).digest('hex')
  const made = (length: number) => {
    const tail = hash.slice(0, length)
    const front = name === '' ? `${from.id}.` : `${from.id}.${name}`.slice(0, NAME_LENGTH - length - 1) + '_'
    return front + tail
  }
  return [8, 12, 16].map(made).find((one) => !isTaken(one)) ?? made(16)
}
