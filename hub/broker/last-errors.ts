// The last thing that went wrong for each client id: what was refused, malformed or cut, for whoever looks for the reason.
import type { QuietWarn } from './quiet.ts'
import { remember } from './remember.ts'

export interface LastError {
  /** ms since 1970. */
  at: number
  /** A sentence without its full stop. */
  what: string
}

export interface LastErrors {
  of(clientId: string): LastError | undefined
  /** Hears what goes through this warning, also what it keeps to itself. */
  hear(warn: QuietWarn): QuietWarn
}

const MOST = 1000
const MOST_CHARACTERS = 300
const LONGEST_ID = 128

/**
 * Remembers the newest of 1,000 client ids, and of 1,000 more that somebody not logged in has named: anybody can claim
 * an id in a CONNECT, so strangers push out strangers only.
 */
export const openLastErrors = (now: () => number): LastErrors => {
  const known = new Map<string, LastError>()
  const strangers = new Map<string, LastError>()
  return {
    of(clientId) {
      const one = known.get(clientId)
      const other = strangers.get(clientId)
      return one === undefined || (other !== undefined && other.at > one.at) ? other : one
    },
    hear: (warn) => (event, key, fields) => {
      const clientId = textOf(fields, 'clientId')
      if (clientId !== '' && clientId.length <= LONGEST_ID) {
        const isKnown = textOf(fields, 'origin') !== ''
        const what = sentenceOf(event, fields).slice(0, MOST_CHARACTERS)
        remember(isKnown ? known : strangers, clientId, { at: now(), what }, MOST)
      }
      warn(event, key, fields)
    },
  }
}

type Say = (field: (name: string) => string) => string

const SENTENCES: Record<string, Say> = {
  'mqtt-connect-refused': (field) => `Connection from ${field('address')} refused: ${field('why')}`,
  'mqtt-publish-refused': (field) => `Publishing to ${field('topic')} refused: ${field('why')}`,
  'mqtt-subscribe-refused': (field) => `Subscription to ${field('filter')} refused: ${field('why')}`,
  'mqtt-slow-client-cut': (field) => `Cut, because it did not read: ${field('unsent')} bytes were waiting for it`,
  'mqtt-keepalive-timeout': () => 'Cut, because it said nothing for one and a half times its keep alive',
  'mqtt-not-committed': (field) => `Cut, because the journal did not confirm ${field('waiting')} of its messages`,
  'mqtt-malformed': (field) => `Cut, because of an illegal packet from ${field('address')}: ${field('why')}`,
  'mqtt-oversized': (field) => `Cut, because of a packet that is too large, from ${field('address')}: ${field('why')}`,
  'mqtt-session-limit': (field) => `Its session does not outlive the connection: there are ${field('limit')} already`,
  'mqtt-will-dropped': (field) => `Its will for ${field('topic')} was not published`,
}

const sentenceOf = (event: string, fields: object): string => {
  const field = (name: string) => textOf(fields, name)
  const say = SENTENCES[event] ?? (() => `${event.replaceAll('-', ' ')}: ${field('why')}`)
  return say(field)
}

/** A field as text; '' when it is missing. */
const textOf = (fields: object, name: string): string => {
  const value: unknown = Reflect.get(fields, name)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
