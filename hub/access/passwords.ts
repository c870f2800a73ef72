// Passwords of people: what is good enough, and their slow hashes, made one at a time off the event loop.
import { hash, verify } from '@node-rs/argon2'
import { openTurn } from '../store/turn.ts'

/** OWASP's recommendation for argon2id: 19 MiB, two passes, one lane. argon2id is the library's default algorithm. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** What NIST SP 800-63B asks of a password somebody chose; guessing is throttled. */
export const LEAST_CHARACTERS = 8
export const MOST_CHARACTERS = 256

/** Typed on two keyboards, the same letters must give the same bytes. */
const bytesOf = (password: string): string => password.normalize('NFC')

/** What is wrong with a password; undefined when nothing is. */
export const passwordProblem = (password: string, username: string): string | undefined => {
  if (bytesOf(password).length < LEAST_CHARACTERS) return `must have at least ${LEAST_CHARACTERS} characters`
  if (password.length > MOST_CHARACTERS) return `must have at most ${MOST_CHARACTERS} characters`
  if (password.toLowerCase() === username) return 'must not be the user name'
  return undefined
}

export interface Passwords {
  hash(password: string): Promise<string>
  /** With no hash (nobody has that name) it takes the same time and answers false. */
  verify(hash: string | undefined, password: string): Promise<boolean>
}

/**
 * Hashing uses threads that file writes use too: one at a time, so that a flood of logins cannot hold up the journal.
 * Rejects with UNAVAILABLE when more than 32 wait, or after ten seconds.
 */
export const openPasswords = (): Passwords => {
  const turn = openTurn({ limit: 32, waitMs: 10_000, what: 'The check of passwords' })
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    await turn.take()
    try {
      return await work()
    } finally {
      turn.give()
    }
  }
  // Made while the hub goes on starting; who asks before waits for it. Its failure is told to whoever needs it.
  const nobody = hash(crypto.randomUUID(), COST)
  nobody.catch(() => {})
  return {
    hash: (password) => inTurn(() => hash(bytesOf(password), COST)),
    verify: (stored, password) =>
      inTurn(async () => (await verify(stored ?? (await nobody), bytesOf(password))) && stored !== undefined),
  }
}
