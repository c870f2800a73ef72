// What an approval says to the person in front of it: how it stands, what is missing, and what they can do about it.
import type { ApprovalItem, ApprovalState } from '../api/read-approval.ts'
import { isRecord } from '../api/read.ts'
import type { Me } from '../api/types.ts'
import type { Tone } from '../design/badge.tsx'
import { intentLabel } from '../devices/intent.ts'
import { show, words } from '../devices/value.ts'
import { originWords } from '../messages/origin.ts'
import { presenceWords } from './presence.ts'

/** What this person can do: answer, or not, and why not. */
export type Part = 'ended' | 'reader' | 'role' | 'said' | 'asker' | 'may'

export const ownOrigin = ({ kind, id }: Pick<Me, 'kind' | 'id'>): string => `${kind}:${id}`

/** The status that counts at `now` (the hub's clock): silence until the end is a no, also before the hub has said so. */
export const statusAt = ({ status, expiresAt }: ApprovalItem, now: number): ApprovalState =>
  status === 'pending' && expiresAt > 0 && now >= expiresAt ? 'expired' : status

export const partOf = (approval: ApprovalItem, me: Me, now: number): Part => {
  if (statusAt(approval, now) !== 'pending') return 'ended'
  const own = ownOrigin(me)
  if (approval.given.some(({ by }) => by === own)) return 'said'
  if (approval.requestedBy === own && !approval.askerMay) return 'asker'
  if (!me.rights.includes('hazards.approve')) return 'reader'
  return rolesOf(approval).length === 0 || rolesOf(approval).some((role) => me.roles.includes(role)) ? 'may' : 'role'
}

/** The roles that may answer, as the hub named them when it asked. */
export const rolesOf = ({ evidence }: Pick<ApprovalItem, 'evidence'>): string[] => {
  const roles = evidence['approve']
  return Array.isArray(roles) ? roles.filter((one): one is string => typeof one === 'string') : []
}

/** Who could answer, in words. */
export const who = (approval: Pick<ApprovalItem, 'evidence'>): string => {
  const roles = rolesOf(approval)
  const last = roles.at(-1)
  if (last === undefined) return 'somebody who may'
  return `somebody with the role ${roles.length === 1 ? last : `${roles.slice(0, -1).join(', ')} or ${last}`}`
}

const NUMBERS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
const people = (n: number): string => `${NUMBERS[n] ?? n} ${n === 1 ? 'person' : 'people'}`
const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** Who said yes and who is still missing: `Two people have to say yes.`, `You said yes; one more person.` */
export const neededWords = ({ needed, given }: Pick<ApprovalItem, 'needed' | 'given'>, own: string): string => {
  const left = Math.max(0, needed - given.length)
  const names = given.map(({ by }) => (by === own ? 'you' : originWords(by)))
  if (names.length === 0) return upper(`${people(needed)} ${needed === 1 ? 'has' : 'have'} to say yes.`)
  const said = upper(`${names.join(' and ')} said yes`)
  return left === 0 ? `${said}.` : `${said}; ${NUMBERS[left] ?? left} more ${left === 1 ? 'person' : 'people'}.`
}

/** Who had said yes when it ended: `Bob and grace said yes.`, `Nobody said yes.` */
export const saidWords = ({ given }: Pick<ApprovalItem, 'given'>, own: string): string => {
  const names = given.map(({ by }) => (by === own ? 'you' : originWords(by)))
  return names.length === 0 ? 'Nobody said yes.' : upper(`${names.join(' and ')} said yes.`)
}

const LOOK: Record<ApprovalState, { tone: Tone; word: string }> = {
  pending: { tone: 'warn', word: 'Open' },
  approved: { tone: 'good', word: 'Approved' },
  denied: { tone: 'bad', word: 'Denied' },
  expired: { tone: 'idle', word: 'Expired' },
  cancelled: { tone: 'idle', word: 'Cancelled' },
}
export const lookOf = (status: ApprovalState): { tone: Tone; word: string } => LOOK[status]

const HAZARDS: Record<string, Tone> = { high: 'bad', medium: 'warn' }
export const hazardTone = (hazard: string): Tone => HAZARDS[hazard] ?? 'idle'

/** Time left as on a clock: `1:32`, `0:07`. */
export const leftWords = (ms: number): string => {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** What is asked for, in a few words: `Start: MIG welder`. The hub itself stands for the release after a stop. */
export const askedWords = ({ device, intent }: Pick<ApprovalItem, 'device' | 'intent'>, name: string): string =>
  device === 'hub' && intent === 'safety.resume' ? 'Release the shop' : `${intentLabel(intent)}: ${name}`

const folded = (text: string): string => text.trim().normalize('NFC').toLowerCase()
/** Same letters, whatever their case; the hub compares them again. */
export const isPhrase = (typed: string, phrase: string): boolean => folded(typed) === folded(phrase)

/** The phrase is taken with the first yes only. */
export const phraseOf = ({ phrase, given }: Pick<ApprovalItem, 'phrase' | 'given'>): string | undefined =>
  given.length === 0 ? phrase : undefined

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

const plain = (name: string, value: unknown): string => {
  if (typeof value === 'string' && INSTANT.test(value)) return new Date(value).toLocaleString()
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((one) => plain('', one)).join(', ')
  if (isRecord(value))
    return Object.entries(value)
      .map(([key, one]) => `${words(key)}: ${plain(key, one)}`)
      .join(' · ')
  const { text, unit } = show(name, value)
  return unit === '' ? text : `${text} ${unit}`
}

/** What the hub knew when it asked, as lines; the roles and the policy's version last. `now` by the hub's clock. */
export const evidenceLines = (
  { evidence, requestedBy }: Pick<ApprovalItem, 'evidence' | 'requestedBy'>,
  now: number,
): { name: string; value: string }[] => {
  const { policy, approve, presence, requesterMayApprove, ...rest } = evidence
  const ordered: [string, unknown][] = [
    ['presence', presenceWords(presence, originWords(requestedBy), now) ?? presence],
    ...Object.entries(rest),
    ['may approve', approve],
    ['whoever asked may be one of them', requesterMayApprove === true ? true : undefined],
    ['policy version', typeof policy === 'string' ? policy.slice(0, 12) : undefined],
  ]
  return ordered
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => ({ name: words(name), value: plain(name, value) }))
}
