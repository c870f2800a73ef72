// Which devices a part of a sentence means: every word is held against names, kinds and areas; what explains most wins, and what is left over is not ignored.
import type { Device } from '#hub/plugin'
import { everything, everyword, placewords } from './fillers.ts'
import { type Said, saidIn } from './said.ts'
import { type Known, WEAK } from './vocabulary.ts'
import { meaningOf, type Token } from './words.ts'

export interface Target {
  devices: Device[]
  /** Words that no device explains. */
  unknown: string[]
  /** Several were meant as one: plural, `all`, an area. */
  isGroup: boolean
  /** A word had to be corrected, or one word had to stand for more. */
  isGuess: boolean
  /** The best fitted equally well and only one was meant. */
  isAmbiguous: boolean
  /** Nothing in the sentence names a device. */
  isEmpty: boolean
  /** Only a place was named. */
  isPlaceOnly: boolean
  /** Everything was meant, and nothing named. */
  isEverything?: boolean
  zone?: string
  /** Places of numbers that are part of a name. */
  numbers: ReadonlySet<number>
  /** What spoke for and against each device that came near, the best first. */
  considered: { device: string; score: number; why: string }[]
}

const WEAK_WEIGHT = 0.1
const CONSIDERED = 6
/** How much less a device may explain that can do what the better one cannot: a general word. */
const NEARLY = 2.5 * WEAK_WEIGHT

export interface TargetsAsked {
  words: readonly Token[]
  /** Places of words that are the verb, a number or otherwise spoken for. */
  taken: ReadonlySet<number>
  all: readonly Known[]
  /** Whether a device can do what is asked at all. */
  can: (device: Device) => boolean
  /** The place spoken of before. */
  zone?: string | undefined
  /** Nouns of a neighbouring part of the sentence, for a part that names a place only. */
  lend?: readonly Said[] | undefined
  /** What a device must have where only a place was named; without it lights are meant. */
  fits?: ((device: Device) => boolean) | undefined
  /** On or off is said, which is not said of doors. */
  isSwitching?: boolean | undefined
  /** Where only a place was named: what can be asked there is meant, not its lights. */
  byAbility?: 'one' | 'all' | undefined
}

/** Resolves a part of a sentence to devices. */
export const targetsOf = (asked: TargetsAsked): Target => {
  const { all, can, words } = asked
  const { said, isGuess, numbers } = saidIn(asked)
  const zoneOf = (known: Known): boolean => known.device.area !== undefined && known.device.area === asked.zone
  const wantsAll = words.some(({ word }) => everyword.has(word))
  const isEverything =
    words.some(({ word }) => everything.has(word)) &&
    said.every(({ atoms }) => all.some(({ area }) => atoms.every((atom) => area.has(atom) || WEAK.has(atom))))
  const own = new Set(said.flatMap(({ atoms }) => atoms))
  const empty: Target = {
    devices: [],
    unknown: [],
    isGroup: false,
    isGuess,
    isAmbiguous: false,
    isEmpty: true,
    isPlaceOnly: false,
    numbers,
    considered: [],
  }

  if (isEverything) {
    const here = all.filter(
      (known) =>
        can(known.device) &&
        !(asked.isSwitching === true && isLeftAlone(known.device)) &&
        [...own].every((atom) => known.area.has(atom) || WEAK.has(atom)),
    )
    return {
      ...empty,
      devices: here.map(({ device }) => device),
      isGroup: true,
      isEmpty: false,
      isEverything: true,
      considered: [],
    }
  }
  if (
    own.size === 0 ||
    [...own].every((atom) => WEAK.has(atom) && !all.some(({ names }) => names.some((n) => n.has(atom))))
  )
    return empty

  const isNamed = all.some(({ names, area, kind }) =>
    names.some(
      (name) =>
        name.size > 0 &&
        [...name].every((atom) => own.has(atom) || WEAK.has(atom)) &&
        [...name].some((atom) => !WEAK.has(atom) && (!area.has(atom) || kind.has(atom))),
    ),
  )
  const isPlaceOnly =
    !isNamed &&
    [...own].some((atom) => !WEAK.has(atom)) &&
    [...own].every(
      (atom) =>
        WEAK.has(atom) ||
        (all.some(({ area }) => area.has(atom)) &&
          !all.some(
            ({ names, kind, area, device }) =>
              !Object.hasOwn(device.intents, 'scene.activate') &&
              (kind.has(atom) || names.some((n) => n.has(atom))) &&
              !area.has(atom),
          )),
    )
  const lent = isPlaceOnly
    ? (asked.lend ?? []).filter(({ atoms }) =>
        atoms.some((atom) => all.some(({ kind, names }) => kind.has(atom) || names.some((n) => n.has(atom)))),
      )
    : []
  const isKind = (atom: string): boolean => all.some(({ kind, area }) => kind.has(atom) && !area.has(atom))
  const atoms = new Set([...own, ...lent.flatMap((one) => one.atoms.filter(isKind))])
  const placeOnlyNow = isPlaceOnly && atoms.size === own.size
  const { fits } = asked
  const byFit =
    placeOnlyNow &&
    fits !== undefined &&
    all.some((entry) => fits(entry.device) && [...own].some((atom) => entry.area.has(atom)))
  const byAbility = placeOnlyNow && !byFit && asked.byAbility !== undefined
  if (placeOnlyNow && !byFit && !byAbility) atoms.add('light')

  const counts = new Map([...atoms].map((atom) => [atom, all.filter((known) => known.all.has(atom)).length]))
  const weight = (atom: string): number => {
    const count = counts.get(atom) ?? 0
    return WEAK.has(atom) ? WEAK_WEIGHT : count === 0 ? 0 : 1 + Math.log10(Math.max(1, all.length / count))
  }
  const scored = all
    .map((entry) => {
      const score = [...atoms].reduce((sum, atom) => sum + (entry.all.has(atom) ? weight(atom) : 0), 0)
      const coverage = Math.max(
        0,
        ...entry.names.map((name) => {
          const strong = [...name].filter((atom) => !WEAK.has(atom))
          return strong.length === 0 ? 0 : strong.filter((atom) => atoms.has(atom)).length / strong.length
        }),
      )
      return { entry, score, coverage }
    })
    .filter(
      ({ score, entry }) =>
        score > 0.5 &&
        (!byFit || fits(entry.device)) &&
        (!byAbility || (can(entry.device) && [...own].every((atom) => WEAK.has(atom) || entry.area.has(atom)))),
    )
    .sort((a, b) => b.score - a.score || b.coverage - a.coverage)
  const considered = scored.slice(0, CONSIDERED).map(({ entry: { device, all: its }, score, coverage }) => ({
    device: device.id,
    score: Math.round(score * 100) / 100,
    why: `${[...atoms].filter((atom) => its.has(atom)).join(', ')} (${Math.round(coverage * 100)} % of its name)${can(device) ? '' : '; cannot do it'}`,
  }))
  const best = scored[0]?.score ?? 0
  const top = scored.filter(({ score }) => score >= best - 0.001)
  const missing = [...own].filter((atom) => !WEAK.has(atom) && top[0]?.entry.all.has(atom) !== true)
  const unknown = said.filter((one) => one.atoms.some((atom) => missing.includes(atom))).map(({ word }) => word)
  const result = { ...empty, isEmpty: false, isPlaceOnly: placeOnlyNow, unknown, considered }
  if (top.length === 0) return result

  const able = scored.filter(
    ({ score, entry }) =>
      score >= best - (top.some((one) => can(one.entry.device)) ? 0.001 : NEARLY) && can(entry.device),
  )
  const there =
    asked.zone !== undefined && words.some(({ word }) => placewords.has(word))
      ? able.filter(({ entry }) => zoneOf(entry))
      : []
  const pool = there.length > 0 ? there : able.length > 0 ? able : top
  const area = pool[0]?.entry.device.area
  const withZone = <T extends Target>(target: T): T =>
    area !== undefined && target.devices.every((device) => device.area === area) ? { ...target, zone: area } : target
  const pick = (chosen: typeof pool, isGroup = false): Target =>
    withZone({ ...result, devices: chosen.map(({ entry }) => entry.device), isGroup })

  const isPlural =
    wantsAll ||
    [...said, ...lent].some(
      (one) =>
        one.plural &&
        one.atoms.some((atom) =>
          pool.some(({ entry }) => entry.kind.has(atom) || entry.names.some((name) => name.has(atom))),
        ),
    )
  if (pool.length === 1) return pick(pool, wantsAll)
  if (byAbility && asked.byAbility === 'all') return pick(pool, true)
  if (isPlural) return pick(pool, true)
  const full = pool.filter(({ coverage, entry }) => coverage === 1 && isTogether(words, entry))
  if (full.length === 1 && full[0] !== undefined && !isMass(atoms, full[0].entry)) return pick(full)
  const namesPlace = [...own].some((atom) => pool.every(({ entry }) => entry.area.has(atom)))
  if (
    atoms.has('light') &&
    (namesPlace || placeOnlyNow) &&
    [...own].every((atom) => atom === 'light' || WEAK.has(atom) || pool.every(({ entry }) => entry.area.has(atom)))
  )
    return pick(pool, true)
  const near = pool.filter(({ entry }) => zoneOf(entry))
  if (near.length === 1 || (near.length > 1 && atoms.has('light'))) return pick(near, near.length > 1)
  if (full.length === 1) return pick(full)
  return withZone({ ...result, devices: pool.map(({ entry }) => entry.device), isAmbiguous: true })
}

/** Doors and gates are not among everything that is switched on or off. */
const isLeftAlone = ({ kind }: Device): boolean => /cover|gate|door|lock|shutter|blind/.test(kind.toLowerCase())

/** Whether a name of several words was said in one piece: "kitchen light", not "light in the kitchen". */
const isTogether = (words: readonly Token[], { names }: Known): boolean =>
  names.some((name) => {
    const strong = [...name].filter((atom) => !WEAK.has(atom))
    const places = words.flatMap((token, i) =>
      meaningOf(token).atoms.some((atom) => strong.includes(atom)) ? [i] : [],
    )
    const has = (atom: string): boolean => places.some((i) => meaningOf(words[i] ?? { word: '' }).atoms.includes(atom))
    const first = places[0] ?? 0
    const last = places.at(-1) ?? 0
    return strong.length > 0 && strong.every(has) && last - first < Math.max(places.length, 1)
  })

/** A device whose whole name is a general word, such as `Licht`, does not win over its area because of it. */
const isMass = (atoms: ReadonlySet<string>, entry: Known): boolean =>
  atoms.size > 1 && entry.names.some((name) => name.size === 1 && name.has('light'))
