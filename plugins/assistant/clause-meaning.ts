// What one part of a sentence means: its verb, its devices and its numbers together, or the question that is left.
import type { Device } from '#hub/plugin'
import { type Clause, spell } from './clauses.ts'
import { type About, aboutOf, canDo, fittingAmount, type Scene } from './clause-target.ts'
import { consideredOf, MOST_OPTIONS, type Read, wishesOf } from './clause-wishes.ts'
import { fieldsOf } from './fields.ts'
import { intentsFor, isGrave } from './intents.ts'
import { readNamed } from './named-intents.ts'
import { nearDevices } from './near.ts'
import { candidates } from './wishes.ts'
import { readScene } from './scene-options.ts'
import { spokenForIn } from './spoken-for.ts'
import { type Target, targetsOf } from './targets.ts'
import type { Understanding, World } from './understander.ts'
import type { Family } from './verb-patterns.ts'
import type { Known } from './vocabulary.ts'
import { isKnown, type Token } from './words.ts'

const unknown = (matched: Understanding['matched'], considered: Understanding['considered'] = []): Read => ({
  meant: { kind: 'unknown', near: [] },
  confidence: 0,
  matched,
  considered,
})

/** No device is named: the ones spoken of before, or the only one that can do it; a question otherwise. */
const fromContext = (
  { clause, all, world: { before }, spoken }: Scene,
  { target, family, matched }: About & { family: Family },
): { target: Target; matched: Understanding['matched']; byPronoun: boolean } | Read => {
  // Of several that were offered none is taken: which one was the question.
  const offered = before.asked?.devices ?? []
  const ids = before.devices.length > 0 ? before.devices : offered.length === 1 ? offered : []
  const spokenOf = ids.flatMap((id) => all.find(({ device }) => device.id === id)?.device ?? [])
  const fits = fittingAmount(spoken)
  const free = spoken.notForPayload(target.numbers)
  const isAble = (device: Device): boolean => candidates(device, family, clause.words, free).length > 0
  const isHarmless = (device: Device): boolean =>
    candidates(device, family, clause.words, free).every((intent) => !isGrave(device, intent))
  // "How warm is it in the shop?" and then "set it to 20 degrees": what can do that there.
  const beside =
    fits === undefined || spokenOf.some(isAble)
      ? []
      : all
          .map(({ device }) => device)
          .filter((one) => one.area === before.zone && fits(one) && isAble(one) && isHarmless(one))
  const devices = beside.length === 1 ? beside : spokenOf
  if (devices.length > 0)
    return {
      target: { ...target, devices, isGroup: devices.length > 1, isEmpty: false },
      matched: [...matched, { words: 'context', as: devices.map(({ id }) => id).join(', ') }],
      byPronoun: true,
    }
  const able = all
    .map(({ device }) => device)
    .filter((device) => canDo(device, family) && (fits === undefined || fits(device)))
  const [only] = able
  if (able.length === 1 && only !== undefined && !intentsFor(only, family).some((intent) => isGrave(only, intent)))
    return { target: { ...target, devices: able, isEmpty: false }, matched, byPronoun: false }
  return {
    meant: { kind: 'question', about: 'device', options: able.slice(0, MOST_OPTIONS).map(({ id }) => id), family },
    confidence: 0.5,
    matched,
    considered: [],
  }
}

const without = (
  target: Target,
  { all, spoken: { excepted } }: Scene,
): { target: Target; matched: Understanding['matched'] } => {
  if (excepted === undefined) return { target, matched: [] }
  const parts: Token[][] = [[]]
  for (const token of excepted)
    if (token.word === ',') parts.push([])
    else parts.at(-1)?.push(token)
  const out = parts.flatMap((words) => targetsOf({ words, taken: new Set(), all, can: () => true }).devices)
  return {
    target: {
      ...target,
      devices: target.devices.filter((device) => !out.includes(device)),
      isGroup: true,
      isAmbiguous: false,
    },
    matched: [{ words: 'except', as: out.map(({ id }) => id).join(', ') }],
  }
}

/** Words that no device explains may be ignored only beside the whole name of one, and when no other device has them. */
const isLost = ({ unknown: lost, devices, considered }: Target, all: readonly Known[]): boolean => {
  const isSure = devices.length === 1 && (considered[0]?.why.includes('100 %') ?? false)
  const strangers = lost.filter((word) => !/\d/.test(word))
  return (
    lost.length > 0 &&
    !(isSure && strangers.every((word) => !all.some(({ words: its }) => its.includes(word)) && !isKnown(word)))
  )
}

const SCENE_WORD = /(?:scene|szene|mode|modus|mood|stimmung|setting|programm?)$/

/** A scene is asked for by its own name; one that is an option of a device, by a word such as `mode` beside it. */
const isSceneSaid = ({ intents }: Device, words: readonly Token[]): boolean =>
  Object.hasOwn(intents, 'scene.activate') &&
  (fieldsOf(intents['scene.activate'] ?? {}).length === 0 || words.some(({ word }) => SCENE_WORD.test(word)))

/** What a clause means by itself, beside its neighbours and what was said before. */
export const readClause = (
  clause: Clause,
  text: string,
  all: readonly Known[],
  world: World,
  neighbours: readonly Clause[],
  isRespelled = false,
): Read => {
  const option = readScene(clause, all)
  if (option !== undefined) return option
  const scene: Scene = { clause, text, all, world, neighbours, spoken: spokenForIn(clause, all), isRespelled }
  const about = aboutOf(scene)
  const special = readNamed(scene, about)
  if (special !== undefined) return special

  let { target, family, matched } = about
  let byPronoun = false
  if (target.isEmpty) {
    if (family === undefined) return unknown(matched)
    const found = fromContext(scene, { ...about, family })
    if ('meant' in found) return found
    ;({ target, matched, byPronoun } = found)
  }
  const left = without(target, scene)
  target = left.target
  matched = [...matched, ...left.matched]

  const nobody = consideredOf({ ...target, devices: [] })
  const isNothing = target.devices.length === 0
  if (family === undefined && (target.unknown.length > 0 || isNothing)) return unknown(matched, nobody)
  if (isNothing || isLost(target, all))
    return {
      meant: {
        kind: 'question',
        about: 'name',
        options: nearDevices(target, scene.spoken.main, all, (device) => canDo(device, family)),
        ...(family === undefined ? {} : { family }),
        said: target.unknown.join(' ').slice(0, 80),
      },
      confidence: 0.3,
      matched,
      considered: nobody,
      target,
    }
  const options = target.devices.slice(0, MOST_OPTIONS).map(({ id }) => id)
  const isScene = target.devices.every((device) => isSceneSaid(device, clause.words))
  family ??= isScene ? 'on' : undefined
  if (family === undefined)
    return {
      meant: { kind: 'question', about: 'intent', options },
      confidence: 0.4,
      matched,
      considered: consideredOf(target),
      target,
    }
  const named = spell(scene.spoken.main.filter((_, i) => !scene.spoken.taken.has(i)))
  matched = [...matched, ...options.map((id) => ({ words: named, as: id }))]
  if (target.isAmbiguous)
    return {
      meant: { kind: 'question', about: 'device', options, family, payload: {} },
      confidence: 0.5,
      matched,
      considered: consideredOf(target),
      target,
    }
  return wishesOf(scene, { target, family, matched }, byPronoun)
}
