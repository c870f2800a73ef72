// Parts of a sentence that only tell something are left out; the devices they name may be what `it` means in the rest.
import { isMark, spell } from './clauses.ts'
import { fillers } from './fillers.ts'
import { GREETING } from './phrases.ts'
import { CONDITIONAL, isRemark } from './remarks.ts'
import { verbishIn } from './verbish.ts'
import { targetsOf } from './targets.ts'
import type { Before } from './understander.ts'
import { verbsIn } from './verbs.ts'
import { BEFORE_ANYONE, isHoldingBack, isStillThere, isStray, tellingOf } from './telling.ts'
import { type Known, WEAK } from './vocabulary.ts'
import { isKnown, meaningOf, type Token } from './words.ts'

const partsOf = (words: readonly Token[]): Token[][] => {
  const parts: Token[][] = [[]]
  words.forEach((token, i) => {
    const next = words[i + 1]?.word ?? ''
    const isCause =
      /^(?:because|cos|coz|weil)$/.test(token.word) ||
      (token.word === 'denn' && /^(?:es|ich|wir|der|die|das|hier|mir)$/.test(next))
    const isWhy = BEFORE_ANYONE.test(spell(words.slice(i, i + 4)))
    if (/^[,;]$/.test(token.word)) parts.push([])
    else if (isCause || isWhy) parts.push([token])
    else if (token.word === 'so' && parts.length > 1 && parts.at(-1)?.length === 0) return
    else parts.at(-1)?.push(token)
  })
  return parts.filter((part) => part.length > 0)
}

/** A part that names nothing there is and says no verb: "chop chop", "right lads". */
const isAside = (part: readonly Token[], all: readonly Known[]): boolean =>
  !part.some(({ word }) => CONDITIONAL.test(word)) &&
  (GREETING.test(spell(part)) ||
    (verbsIn(part).length === 0 &&
      part.every(
        ({ word, number }) =>
          number === undefined &&
          (fillers.has(word) || (!isKnown(word) && !all.some(({ words: its }) => its.includes(word)))),
      )))

/** The place a part speaks of. */
const placeIn = (part: readonly Token[], all: readonly Known[]): string | undefined => {
  const said = new Set(part.flatMap((token) => meaningOf(token).atoms))
  return all.find(({ area }) => area.size > 0 && [...area].every((atom) => said.has(atom) || WEAK.has(atom)))?.device
    .area
}

export interface Rest {
  /** The words that ask for something, with commas between the parts. */
  words: readonly Token[]
  /** What was spoken of before, the parts left out among it. */
  before: Before
  /** Everything said only tells something. */
  isTold: boolean
  /** What was left out, as it was said. */
  told: readonly string[]
  /** Some of it may be more than a remark: nothing grave is begun beside it. */
  isLoose: boolean
  /** Some of it is no whole clause: it is left out only beside a wish for one thing. */
  isFragment: boolean
  /** A part that may change what the others ask for, though it asks for nothing itself. */
  stray?: string
}

/** The things that parts name, where one of them asks for something with a verb of its own. */
const wishedIn = (parts: readonly (readonly Token[])[], all: readonly Known[]): Set<string> | undefined => {
  const named = new Set(all.flatMap(({ all: atoms }) => [...atoms]))
  const isWish = parts.some(
    (part) =>
      verbsIn(part).length > 0 &&
      part.some(
        (token) =>
          meaningOf(token).atoms.some((atom) => named.has(atom)) || /^(?:it|them|everything|alles)$/.test(token.word),
      ),
  )
  return isWish ? new Set(parts.flat().flatMap((token) => meaningOf(token).atoms)) : undefined
}

/** A sentence without what it only tells. */
export const withoutRemarks = (
  words: readonly Token[],
  all: readonly Known[],
  before: Before,
  isStrict = false,
): Rest => {
  const isNoun = (word: string): boolean =>
    fillers.has(word) || isKnown(word) || all.some(({ words: its }) => its.includes(word))
  const parts = partsOf(words)
  const asides = parts.filter((part, i) => i < parts.length - 1 && isAside(part, all))
  const plainly = parts.filter(
    (part) =>
      !(isStrict && isHoldingBack(part)) &&
      !(parts.length > 1 && isStillThere(part)) &&
      (asides.includes(part) ||
        isRemark(
          part.filter((token) => !isMark(token)),
          isNoun,
        )),
  )
  let isFragment = false
  const unsure: (readonly Token[])[] = []
  let isLoose = plainly.some(isHoldingBack)
  const beside = parts.filter((part) => {
    if (plainly.includes(part)) return false
    const rest = parts.filter((one) => one !== part && !plainly.includes(one))
    const wished = wishedIn(rest, all)
    const telling = wished === undefined ? undefined : tellingOf(part, all, wished)
    const isUnsure = telling !== 'sure' || isHoldingBack(part)
    if (telling === undefined) return false
    if (isStrict && isUnsure) {
      unsure.push(part)
      return false
    }
    isLoose ||= isUnsure
    isFragment ||= telling === 'fragment'
    return true
  })
  const told = parts.filter((part) => plainly.includes(part) || beside.includes(part))
  const said = told.map(spell)
  const left = parts.filter((part) => !told.includes(part))
  const astray =
    left.length < 2
      ? undefined
      : left.find((part) => {
          const wished = wishedIn(
            left.filter((one) => one !== part),
            all,
          )
          return (
            wished !== undefined &&
            ((isStrict && (isHoldingBack(part) || unsure.includes(part))) || isStray(part, all, wished))
          )
        })
  const stray = astray === undefined ? {} : { stray: spell(astray) }
  if (told.length === 0) return { words, before, isTold: false, told: [], isLoose: false, isFragment: false, ...stray }
  const topics = told.map((part) =>
    targetsOf({ words: part, taken: verbishIn(part), all, can: () => true, zone: before.zone }),
  )
  if (left.length === 0) {
    // "It's movie night" asks for that scene.
    const isScene = topics.some(
      ({ devices, unknown }) =>
        devices.length === 1 &&
        unknown.length === 0 &&
        devices.every(({ intents }) => Object.hasOwn(intents, 'scene.activate')),
    )
    return { words, before, isTold: !isScene, told: isScene ? [] : said, isLoose: false, isFragment: false }
  }
  const topic = topics.findLast(
    ({ devices, isAmbiguous, isGuess, isEmpty, isPlaceOnly }) =>
      devices.length > 0 && !isAmbiguous && !isGuess && !isEmpty && !isPlaceOnly,
  )
  const zone = told.map((part) => placeIn(part, all)).findLast((place) => place !== undefined)
  const isClear = topic !== undefined && topic.unknown.every((word) => !isKnown(word))
  return {
    words: left.flatMap((part, i): Token[] => (i === 0 ? part : [{ word: ',' }, ...part])),
    before: {
      ...before,
      ...(isClear ? { devices: topic.devices.map(({ id }) => id), isStale: false } : {}),
      ...(zone === undefined ? {} : { zone }),
    },
    isTold: false,
    told: said,
    isLoose,
    isFragment,
    ...stray,
  }
}
