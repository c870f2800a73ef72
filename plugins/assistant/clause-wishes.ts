// From devices and a verb to the things to ask for; or what stands against one of them.
import type { Device } from '#hub/plugin'
import { amountsIn } from './amounts.ts'
import type { About, Scene } from './clause-target.ts'
import { fieldsOf } from './fields.ts'
import { intentsFor, isGrave } from './intents.ts'
import type { Target } from './targets.ts'
import type { Meant, Understanding, Wish } from './understander.ts'
import type { Family } from './verb-patterns.ts'
import type { Token } from './words.ts'
import { candidates, type Made, safest, wishFor } from './wishes.ts'

export const MOST_WISHES = 50
export const MOST_OPTIONS = 8

export interface Read {
  meant: Meant
  confidence: number
  matched: Understanding['matched']
  considered: Understanding['considered']
  target?: Target
}

export const consideredOf = (target: Target): Understanding['considered'] =>
  target.considered
    .filter(({ device }) => !target.devices.some(({ id }) => id === device))
    .map(({ device, why, score }) => ({ what: device, why: `${why}, ${score}` }))

/** Stopping takes the safe way, where there is one. */
const withSafest = (device: Device, family: Family): Device =>
  family === 'stop' || family === 'off'
    ? {
        ...device,
        intents: Object.fromEntries(
          safest(device, intentsFor(device, family)).map((intent) => [intent, device.intents[intent] ?? {}]),
        ),
      }
    : device

/** "Leave it on": whether it is on already, nobody said. */
const LEFT = /^(?:leave|keep)\b|^lass\w* (?:an|ein|auf)$/

/** Beside such a word nothing that could hurt is set in motion, whatever else was said. */
const AGAINST = /^(?:kill|cut|off|out|disable|stop|halt|not|aus|weg|nicht|kein\w*|stromlos)$/

const isSame = (words: readonly Token[]): boolean => words.some(({ word }) => word === 'same')

/** "The same for the hall": with the payload of before, as far as this device takes it. */
const asBefore = (device: Device, made: Made, last: Readonly<Record<string, unknown>>): Made => {
  const names = new Set(fieldsOf(device.intents[made.wish.intent] ?? {}).map(({ name }) => name))
  const kept = Object.fromEntries(Object.entries(last).filter(([name]) => names.has(name)))
  const { needs, ...rest } = made
  return {
    ...rest,
    wish: { ...made.wish, payload: { ...kept, ...made.wish.payload } },
    ...(needs === undefined || Object.hasOwn(kept, needs) ? {} : { needs }),
  }
}

/** What each device of a clause is asked for; the first thing that stands against it otherwise. */
export const wishesOf = (
  { clause, text, world: { before }, spoken, isRespelled }: Scene,
  { target, family, matched }: About & { family: Family },
  byPronoun: boolean,
): Read => {
  const { words } = clause
  const considered = consideredOf(target)
  const read = (meant: Meant, confidence: number, more: Understanding['matched'] = []): Read => ({
    meant,
    confidence,
    matched: [...matched, ...more],
    considered,
    target,
  })
  const free = spoken.notForPayload(target.numbers)
  const able = target.devices.filter((device) => candidates(device, family, words, free).length > 0)
  const [first] = target.devices
  const cannot = (confidence: number): Read =>
    read(
      {
        kind: 'no',
        why: 'cannot',
        ...(first === undefined ? {} : { device: first.id, can: Object.keys(first.intents) }),
        said: family,
      },
      confidence,
    )
  if (able.length === 0) return cannot(0.7)
  const mustBeNamed =
    (byPronoun && (before.isStale === true || able.length > 1)) ||
    target.isGuess ||
    isRespelled ||
    (clause.verb === undefined && before.isStale === true) ||
    target.isGroup ||
    LEFT.test(clause.verb?.text ?? '') ||
    words.some(({ word }) => AGAINST.test(word)) ||
    target.isPlaceOnly
  const wishes: Wish[] = []
  for (const device of able) {
    const made = wishFor(withSafest(device, family), family, words, free, text)
    if (made === undefined) continue
    const { wish, over, needs } = isSame(words) ? asBefore(device, made, before.lastPayload ?? {}) : made
    if (needs !== undefined)
      return read(
        {
          kind: 'question',
          about: 'value',
          options: [device.id],
          family,
          intent: wish.intent,
          field: needs,
          payload: wish.payload,
        },
        0.6,
      )
    if (over && !target.isGroup)
      return read(
        { kind: 'no', why: 'limit', device: device.id, said: String(amountsIn(words, free)[0]?.value ?? '') },
        0.6,
      )
    if (mustBeNamed && isGrave(device, wish.intent))
      return read(
        {
          kind: 'question',
          about: 'device',
          options: able.slice(0, MOST_OPTIONS).map(({ id }) => id),
          family,
          intent: wish.intent,
        },
        0.5,
        [{ words: 'hazard', as: 'has to be named' }],
      )
    wishes.push(wish)
  }
  if (wishes.length === 0) return cannot(0.6)
  return read(
    { kind: 'wishes', wishes: wishes.slice(0, MOST_WISHES) },
    target.isGuess ? 0.75 : target.unknown.length > 0 ? 0.8 : byPronoun ? 0.85 : 0.95,
  )
}
