// What one part of a sentence is about: its devices, and what its verb may mean for them.
import type { Device } from '#hub/plugin'
import { amountsIn } from './amounts.ts'
import type { Clause } from './clauses.ts'
import { familyOf, intentsFor, meantFor } from './intents.ts'
import { fieldsOf, optionIn } from './fields.ts'
import type { SpokenFor } from './spoken-for.ts'
import { verbishIn } from './verbish.ts'
import { saidIn } from './said.ts'
import { type Target, targetsOf } from './targets.ts'
import type { Understanding, World } from './understander.ts'
import type { Family } from './verb-patterns.ts'
import { verbsIn } from './verbs.ts'
import type { Known } from './vocabulary.ts'
import type { Token } from './words.ts'
import { canBeAsked } from './wishes.ts'

const OTHER_WAYS: readonly Family[] = ['up', 'down', 'more', 'less', 'lock', 'unlock']

/** With one of these a light is not meant to go on, whatever else is missing from the sentence. */
const LESS_LIGHT =
  /^(?:off|out|aus|ab|no|without|ohne|kein\w*|dark|dunkel|weg|away|down|runter|broken|kaputt|stop|halt)$/

export interface Scene {
  clause: Clause
  /** The whole sentence, as it was said. */
  text: string
  all: readonly Known[]
  world: World
  /** All parts of the sentence, this one among them. */
  neighbours: readonly Clause[]
  spoken: SpokenFor
  /** A verb had a slip in it. */
  isRespelled: boolean
}

export interface About {
  target: Target
  family: Family | undefined
  matched: Understanding['matched']
}

/** Whether a device can do what a family says; without one, anything at all. */
export const canDo = (device: Device, family: Family | undefined): boolean =>
  family === undefined ? Object.keys(device.intents).length > 0 : canBeAsked(device, family)

const meansOtherwise = (device: Device, family: Family | undefined): boolean =>
  family !== undefined && OTHER_WAYS.includes(family) && meantFor([device], family, canBeAsked) !== family

const isLight = ({ kind }: Device): boolean => /light|lamp/.test(kind.toLowerCase())

/** Whether a mode of a device was said: "heating to automatic". */
const hasOption = (device: Device, words: readonly Token[]): boolean =>
  !Object.hasOwn(device.intents, 'scene.activate') &&
  Object.values(device.intents).some((schema) =>
    fieldsOf(schema).some(({ schema: field }) => optionIn(field, words, new Set()) !== undefined),
  )

/** Of a place nothing but its lights is switched and set; what else can be done only some things there can. */
const LIGHTS: readonly Family[] = ['on', 'off', 'toggle', 'set', 'more', 'less']

/** Devices that take the unit that was said, where it is one that not everything takes. */
export const fittingAmount = ({ main }: SpokenFor): ((device: Device) => boolean) | undefined => {
  const said = amountsIn(main, new Set()).find(({ quantity }) => quantity !== undefined)?.quantity
  return said === 'degrees' || said === 'kelvin' || said === 'current'
    ? (device) =>
        Object.values(device.intents).some((schema) => fieldsOf(schema).some(({ quantity }) => quantity === said))
    : undefined
}

/** The devices and the verb of a clause, each read by the light of the other. */
export const aboutOf = ({ clause, all, world: { before }, neighbours, spoken }: Scene): About => {
  const { words, verb } = clause
  const isFull = amountsIn(spoken.main, new Set()).some(({ share, value }) => share && value === 1)
  const said =
    verb?.family ??
    (isFull && before.devices.length > 0 ? 'set' : undefined) ??
    (before.lastIntent === undefined ? undefined : familyOf(before.lastIntent))
  const target = targetsOf({
    words: spoken.main,
    taken: spoken.taken,
    all,
    can: (device) => canDo(device, said) || meansOtherwise(device, said),
    zone: before.zone,
    lend: neighbours
      .filter((one) => one !== clause)
      .flatMap((one) => saidIn({ words: one.words, taken: verbishIn(one.words), all }).said),
    fits: fittingAmount(spoken),
    isSwitching: said === 'on' || said === 'off',
    byAbility: said === undefined || LIGHTS.includes(said) ? undefined : 'one',
  })
  const { devices } = target
  const matched: Understanding['matched'] = verb === undefined ? [] : [{ words: verb.text, as: verb.family }]
  if (devices.length === 0) return { target, family: said, matched }
  if (said === undefined) {
    const isSet =
      (amountsIn(spoken.main, target.numbers).length > 0 && devices.some((one) => canBeAsked(one, 'set'))) ||
      devices.every((one) => hasOption(one, words))
    const isPlain =
      !isSet &&
      target.unknown.length === 0 &&
      !words.some(({ word }) => LESS_LIGHT.test(word)) &&
      before.asked === undefined
    const isOn = isPlain && devices.every(isLight)
    const isShown = isPlain && devices.every(({ kind }) => /camera/.test(kind.toLowerCase()))
    // "Some music, please."
    const isPlayed =
      isPlain && words.some(({ word }) => /^musi[ck]$/.test(word)) && devices.every((one) => canDo(one, 'play'))
    const plain = isOn ? 'on' : isShown ? 'show' : isPlayed ? 'play' : undefined
    return { target, family: isSet ? 'set' : plain, matched }
  }
  const family =
    said === 'preheat' && devices.every((one) => hasOption(one, words)) ? 'set' : meantFor(devices, said, canBeAsked)
  if (devices.some((device) => canDo(device, family))) return { target, family, matched }
  // A noun may read as a verb: "dim", "pause", "print". When the better verb leaves no device able, the next one is tried.
  const other = verbsIn(words).find(
    (one) =>
      one.family !== family &&
      one.at.length >= (verb?.at.length ?? 0) - 1 &&
      devices.some((device) => intentsFor(device, one.family).length > 0),
  )
  return other === undefined
    ? { target, family, matched }
    : { target, family: other.family, matched: [...matched, { words: other.text, as: other.family }] }
}
