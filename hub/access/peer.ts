// Where a request came from, as the server sees it: the address at the other end, and whether somebody stands in between (UI-6).
import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '../bus/principal.ts'

export interface Peer {
  /** Of the connection itself; no header has a say in it. */
  address: string
  /** A proxy passed it on, so that nobody knows whose address that is. */
  passedOn: boolean
}

/** Headers that only something in between adds. Whoever sends one is taken at their word: it can only make them more of a stranger. */
const PASSED_ON = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-real-ip',
  'cf-connecting-ip',
  'tailscale-user-login',
]

export const peerOf = (address: string | undefined, headers: IncomingHttpHeaders): Peer => ({
  address: address ?? '',
  passedOn: PASSED_ON.some((name) => headers[name] !== undefined),
})

/** A principal of a request over HTTP. */
export interface Caller extends Principal {
  peer: Peer
}

/** Where whoever asks is; undefined for those who do not come over HTTP. */
export const peerIn = (who: Principal): Peer | undefined => (isCaller(who) ? who.peer : undefined)

const isCaller = (who: Principal): who is Caller => 'peer' in who
