// The claim: whoever holds the code that the hub printed at its start becomes the first admin. Once, for a while, with few tries.
import { createHash, randomInt, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { Forbidden, Recoverable, reasonOf } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import type { Log } from '../health/report.ts'
import { addressKey } from './throttle.ts'
import { OPEN_TO_NETWORK, type Settings } from '../store/settings.ts'
import type { Access, Person } from './access.ts'

export interface ClaimParts {
  access: Pick<Access, 'claimed' | 'addPerson'>
  settings: Pick<Settings, 'set'>
  clock: Pick<Clock, 'now'>
  log: Log
  audit?: Gate['note']
  /** How long the code is good after the start. Default 30. */
  minutes?: number
}

export interface Claim {
  /** What main prints as link and QR; undefined when there is an admin already. 100 bits, in five groups. */
  readonly code: string | undefined
  /** Whether it can still be claimed with this code. */
  readonly open: boolean
  /** Makes the first admin. Throws CONFLICT when claimed, GONE when too late or closed, RATE_LIMITED, Forbidden for a wrong code, Invalid for name or password. */
  claim(wish: {
    code: string
    username: string
    password: string
    openToNetwork: boolean
    address: string
  }): Promise<Person>
  /** Tells, once, that somebody claimed the hub and whether it shall listen on the network. */
  onClaimed(tell: (choice: { openToNetwork: boolean }) => void): void
}

/** Crockford's base 32: no I, L, O, U, so that a code read aloud arrives. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUPS = 5
const PER_GROUP = 4
/** Wrong codes of one address until it is not listened to any more. Nobody guesses 100 bits; this keeps the log short. */
const TRIES = 50
const TRIES_PER_MINUTE = 10
/** Addresses whose wrong codes are remembered. */
const REMEMBERED = 10_000

const newCode = (): string =>
  Array.from({ length: GROUPS }, () =>
    Array.from({ length: PER_GROUP }, () => LETTERS[randomInt(LETTERS.length)]).join(''),
  ).join('-')

/** As it is typed: small letters, spaces, an O for a zero. Hashed, so that the comparison takes the same time for any length. */
const digest = (code: string): Buffer => {
  const plain = code.slice(0, 64).toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  return createHash('sha256').update(plain).digest()
}

const tooLate = () => new Recoverable('GONE', 'The code is no longer good: start the hub again, it prints a new one.')

export const openClaim = ({ access, settings, clock, log, audit, minutes = 30 }: ClaimParts): Claim => {
  const code = access.claimed ? undefined : newCode()
  const wanted = code === undefined ? undefined : digest(code)
  const until = clock.now() + minutes * 60_000
  /** Wrong codes by address, so that nobody's tries lock another out. */
  const tries = new Map<string, { wrong: number; recent: number[] }>()
  let busy = false
  const told: ((choice: { openToNetwork: boolean }) => void)[] = []
  const isOpen = () => wanted !== undefined && !access.claimed && clock.now() < until

  const requireCode = (given: string, address: string) => {
    const from = addressKey(address)
    const { wrong, recent: times } = tries.get(from) ?? { wrong: 0, recent: [] }
    if (wrong >= TRIES) throw tooLate()
    if (wanted !== undefined && timingSafeEqual(digest(given), wanted)) return
    const recent = times.filter((at) => clock.now() - at < 60_000)
    const [first] = recent
    if (recent.length >= TRIES_PER_MINUTE && first !== undefined) {
      const retryAfter = Math.ceil((first + 60_000 - clock.now()) / 1000)
      throw new Recoverable('RATE_LIMITED', `Too many tries: wait ${retryAfter} s.`, { retryAfter })
    }
    tries.delete(from)
    tries.set(from, { wrong: wrong + 1, recent: [...recent, clock.now()] })
    const [oldest] = tries.keys()
    if (tries.size > REMEMBERED && oldest !== undefined) tries.delete(oldest)
    log.warn('claim-refused', { address, wrong: wrong + 1 })
    throw new Forbidden('This is not the code the hub printed when it started.', { field: 'code' })
  }

  /** The admin is there, so a setting that cannot be kept does not undo the claim: the hub stays closed, and says so. */
  const keepChoice = async (openToNetwork: boolean): Promise<boolean> => {
    try {
      await settings.set(OPEN_TO_NETWORK, openToNetwork)
      return openToNetwork
    } catch (error) {
      log.error('open-to-network-not-kept', { openToNetwork, error: reasonOf(error) })
      return false
    }
  }

  return {
    code,
    get open() {
      return isOpen()
    },

    async claim({ code: given, username, password, openToNetwork, address }) {
      if (access.claimed || busy) throw new Recoverable('CONFLICT', 'Somebody has claimed this hub: log in instead.')
      if (!isOpen()) throw tooLate()
      requireCode(given, address)
      busy = true
      try {
        const person = await access.addPerson({ username, password, roles: ['admin'] }, `person:${username}`)
        const chosen = { openToNetwork: await keepChoice(openToNetwork) }
        log.info('hub-claimed', { username, ...chosen })
        audit?.('hub.claimed', { who: `person:${username}`, subject: username, detail: { address, ...chosen } })
        for (const tell of told.splice(0)) tell(chosen)
        return person
      } finally {
        busy = false
      }
    },

    onClaimed(tell) {
      told.push(tell)
    },
  }
}
