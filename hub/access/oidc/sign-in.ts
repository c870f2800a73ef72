// Signing in with a browser at an issuer, without cookies: what the browser brings back is worth something only in the tab that went.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { Forbidden, Missing, Recoverable, Unauthenticated } from '../../errors.ts'
import type { Issuer, Vouched } from './issuer.ts'

export interface SignInParts {
  issuers: readonly Issuer[]
  clock: Pick<Clock, 'now'>
  /** A token of this hub for somebody an issuer vouches for. */
  enter: (
    issuer: Issuer,
    vouched: Vouched,
    address: string,
  ) => Promise<{ token: string; expiresIn: number; username: string }>
}

export interface SignIn {
  /** Those with a button on the login page. */
  issuers(): { id: string; title: string }[]
  /** Where to send the browser. `binder` is a secret of the tab. Rejects with NOT_FOUND, or UNAVAILABLE when the issuer cannot be reached. */
  begin(trip: { issuer: string; binder: string; redirectUri: string }): Promise<string>
  /** It could not be sent there: what the tab hands in to be told why. */
  fail(trip: { binder: string; problem: string }): string
  /** The browser is back. Gives what the tab hands in with its binder; undefined when nobody went on this trip, or long ago. */
  arrive(back: { state: string; code?: string; error?: string; iss?: string }): string | undefined
  /** Rejects with GONE, Forbidden (another tab's), Unauthenticated with the issuer's reason, or as `begin`. */
  redeem(handover: {
    code: string
    binder: string
    address: string
  }): Promise<{ token: string; expiresIn: number; username: string }>
}

interface Trip {
  issuer: Issuer
  /** PKCE, RFC 7636. */
  verifier: string
  nonce: string
  binder: Buffer
  redirectUri: string
  until: number
}
interface Arrival {
  binder: Buffer
  outcome: { trip: Trip; code: string } | { problem: string }
  until: number
}

/** As long as somebody may take to type a password and a second factor. */
const TRIP_MS = 10 * 60_000
/** The tab hands it in as soon as it is loaded. */
const ARRIVAL_MS = 60_000
const MOST_TRIPS = 10_000
const MOST_ARRIVALS = 1000

const secret = (): string => randomBytes(32).toString('base64url')
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

const gone = () => new Recoverable('GONE', 'This sign-in took too long, or was used already: start again.')

/** A map whose entries end, and of which the oldest go when there are too many. */
const shortLived = <T extends { until: number }>(clock: Pick<Clock, 'now'>, most: number) => {
  const all = new Map<string, T>()
  return {
    put(key: string, value: T) {
      for (const [old, { until }] of all) {
        if (until > clock.now() && all.size < most) break
        all.delete(old)
      }
      all.set(key, value)
    },
    /** Once. */
    take(key: string): T | undefined {
      const found = all.get(key)
      all.delete(key)
      return found !== undefined && found.until > clock.now() ? found : undefined
    },
  }
}

export const openSignIn = ({ issuers, clock, enter }: SignInParts): SignIn => {
  const trips = shortLived<Trip>(clock, MOST_TRIPS)
  const arrivals = shortLived<Arrival>(clock, MOST_ARRIVALS)
  const put = (binder: Buffer, outcome: Arrival['outcome']): string => {
    const handover = secret()
    arrivals.put(handover, { binder, outcome, until: clock.now() + ARRIVAL_MS })
    return handover
  }
  const withButton = issuers.filter(({ settings }) => settings.clientId !== undefined)

  return {
    issuers: () => withButton.map(({ id, title }) => ({ id, title })),

    async begin({ issuer: id, binder, redirectUri }) {
      const issuer = withButton.find((one) => one.id === id)
      if (issuer === undefined) throw new Missing(`There is no sign-in with '${id}'.`)
      const [state, nonce, verifier] = [secret(), secret(), secret()]
      const challenge = sha256(verifier).toString('base64url')
      const url = await issuer.authorizeUrl({ redirectUri, state, nonce, challenge })
      trips.put(state, { issuer, verifier, nonce, binder: sha256(binder), redirectUri, until: clock.now() + TRIP_MS })
      return url
    },

    fail: ({ binder, problem }) => put(sha256(binder), { problem }),

    arrive({ state, code, error, iss }) {
      const trip = trips.take(state)
      if (trip === undefined) return undefined
      const { title, settings } = trip.issuer
      // RFC 9207: an answer that another issuer gave.
      if (iss !== undefined && iss !== settings.issuer) {
        return put(trip.binder, { problem: 'The answer came from another issuer: start again.' })
      }
      if (error === undefined && code !== undefined) return put(trip.binder, { trip, code })
      const why = (error ?? 'no code').replace(/[^\x21-\x7e]+/g, ' ').slice(0, 60)
      return put(trip.binder, { problem: `${title} did not sign you in (${why}).` })
    },

    async redeem({ code: handover, binder, address }) {
      const arrival = arrivals.take(handover)
      if (arrival === undefined) throw gone()
      const { outcome } = arrival
      if (!timingSafeEqual(arrival.binder, sha256(binder))) {
        throw new Forbidden('This sign-in was begun in another tab or browser: start again here.')
      }
      if ('problem' in outcome) throw new Unauthenticated(outcome.problem)
      const { trip, code } = outcome
      const { issuer, redirectUri, verifier, nonce } = trip
      return enter(issuer, await issuer.exchange({ code, redirectUri, verifier, nonce }), address)
    },
  }
}
