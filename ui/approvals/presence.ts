// What the hub knew of who was where, as sentences.
import { isRecord, record, text, texts, type Json } from '../api/read.ts'
import { clockWords } from '../live/age.ts'

const at = (value: unknown, now: number): string => {
  const time = Date.parse(text(value) ?? '')
  return Number.isNaN(time) ? '' : ` at ${clockWords(time, now)}`
}
const and = (names: readonly string[]): string =>
  names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`

const requester = (presence: Json, who: string, zone: string, now: number): string => {
  const reader = text(presence['reader'])
  if (presence['known'] === false || reader === undefined) return `Nobody knows whether ${who} is in ${zone}.`
  const where = text(presence['lastZone']) ?? ''
  const place = where === '' ? 'a place without a name' : where
  const way = presence['here'] === false ? `left ${place}` : `came into ${place}`
  return `${who} ${way}${at(presence['lastSeen'], now)}, by the badge reader ${reader}.`
}

const room = (presence: Json, zone: string): string => {
  const people = Array.isArray(presence['people'])
    ? presence['people'].map((one) => text(record(one)['person']) ?? '')
    : []
  const [occupied, empty] = [texts(presence['occupied']), texts(presence['empty'])]
  const said = [
    ...(people.length > 0 ? [`In ${zone} by badge: ${and(people)}.`] : []),
    ...(occupied.length > 0 ? [`Occupied, says ${and(occupied)}.`] : []),
    ...(empty.length > 0 ? [`Empty, says ${and(empty)}.`] : []),
  ]
  return said.length === 0 ? `Nobody knows who is in ${zone}.` : said.join(' ')
}

const WANTED: Readonly<Record<string, string>> = {
  requester_present: 'Whoever asked has to be there.',
  someone_present: 'Somebody has to be there.',
  zone_clear: 'Nobody may be there.',
}

/** Such as `ada came into Welding bay at 13:51, by the badge reader door_reader. Whoever asked has to be there.` `now` in ms. */
export const presenceWords = (presence: unknown, who: string, now: number): string | undefined => {
  if (!isRecord(presence)) return undefined
  const rule = text(presence['rule']) ?? ''
  if (rule === 'none') return 'Not asked for.'
  const zone = text(presence['zone']) ?? 'the place of the device'
  const known = rule === 'requester_present' ? requester(presence, who, zone, now) : room(presence, zone)
  return `${known} ${WANTED[rule] ?? ''}`.trim()
}
