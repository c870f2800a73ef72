// The words of a part of a sentence that may name a device, with slips put right.
import { fillers } from './fillers.ts'
import { lexicon } from './lexicon.ts'
import { respelled } from './spelling.ts'
import { verbsIn } from './verbs.ts'
import { type Known, STRUCTURE } from './vocabulary.ts'
import { apart, isKnown, meaningOf, type Token } from './words.ts'

/** A word that may name something, with the things it stands for. */
export interface Said {
  word: string
  atoms: readonly string[]
  plural: boolean
}

const isMark = (word: string): boolean => /^[%°?,;:]$/.test(word)

/** The nearest word anybody knows, for one that nobody does. */
const corrected = (word: string, all: readonly Known[]): string | undefined => {
  if (word.length === 4) {
    // Two letters that changed places.
    const same = [...word].sort().join('')
    return all.flatMap(({ words }) => words).find((one) => one.length === 4 && [...one].sort().join('') === same)
  }
  if (word.length < 5) return undefined
  const most = word.length < 8 ? 1 : 2
  let best: { word: string; by: number } | undefined
  const consider = (candidate: string): void => {
    const by = apart(word, candidate, most)
    if (by <= most && by < (best?.by ?? most + 1)) best = { word: candidate, by }
  }
  for (const { words } of all) for (const candidate of words) if (candidate.length >= 4) consider(candidate)
  if (best === undefined) for (const candidate of lexicon.keys()) if (candidate.length >= 5) consider(candidate)
  return best?.word ?? correctedCompound(word)
}

/** `kaffemaschine`: a known end, and a beginning with one slip. */
const correctedCompound = (word: string): string | undefined => {
  for (let i = 4; i <= word.length - 4; i++) {
    const end = word.slice(i)
    if (!lexicon.has(end)) continue
    const head = word.slice(0, i)
    for (const candidate of lexicon.keys())
      if (candidate.length >= 4 && apart(head, candidate, 1) <= 1) return candidate + end
  }
  for (let i = 4; i <= word.length - 4; i++) {
    const head = word.slice(0, i)
    if (!isKnown(head)) continue
    const end = word.slice(i)
    for (const candidate of lexicon.keys())
      if (candidate.length >= 4 && apart(end, candidate, 1) <= 1) return head + candidate
  }
  return undefined
}

/** Places of the words that spell a whole device name, so that small words in names count too. */
export const spelled = (words: readonly Token[], all: readonly Known[]): Set<number> => {
  const places = new Set<number>()
  const said = new Set(words.map(({ word }) => word))
  for (const { phrases, places: areas } of all)
    for (const phrase of [...phrases, ...areas]) {
      if (phrase.length < 2 || !said.has(phrase[0] ?? '')) continue
      for (let i = 0; i + phrase.length <= words.length; i++)
        if (phrase.every((word, j) => words[i + j]?.word === word)) phrase.forEach((_, j) => places.add(i + j))
    }
  return places
}

/** The words of a part that may name something. */
export const saidIn = ({
  words,
  taken,
  all,
}: {
  words: readonly Token[]
  /** Places of words that are the verb, a number or otherwise spoken for. */
  taken: ReadonlySet<number>
  all: readonly Known[]
}): { said: Said[]; isGuess: boolean; numbers: Set<number> } => {
  const names = spelled(words, all)
  let isGuess = false
  const numbers = new Set<number>()
  const vocabulary = new Set(all.flatMap(({ all: atoms }) => [...atoms]))
  const said = words.flatMap((token, i): Said[] => {
    const { word, number } = token
    if (isMark(word) || STRUCTURE.has(word)) return []
    if (!names.has(i) && (taken.has(i) || (fillers.has(word) && number === undefined && !isBackOf(words, i)))) return []
    if (number !== undefined) {
      if (!names.has(i) && !isNameNumber(words, i, all)) return []
      numbers.add(i)
    }
    const meaning = meaningOf(token)
    if (meaning.atoms.some((atom) => vocabulary.has(atom)) || isKnown(word)) return [{ word, ...meaning }]
    if (verbsIn([token]).length > 0) return []
    if (respelled([token], all) !== undefined) return []
    const other = corrected(word, all)
    if (other === undefined) return [{ word, ...meaning }]
    if (fillers.has(other)) return []
    isGuess = true
    return [{ word: `${word} (${other}?)`, ...meaningOf({ word: other }) }]
  })
  return { said, isGuess, numbers }
}

/** `the back door`, not `turn it back on`. */
const isBackOf = (words: readonly Token[], i: number): boolean => {
  const next = words[i + 1]?.word ?? ''
  return words[i]?.word === 'back' && isKnown(next) && !fillers.has(next)
}

/** `printer 1`: a number right after a word that names a device, where some device has that number in its name. */
const isNameNumber = (words: readonly Token[], i: number, all: readonly Known[]): boolean => {
  const before = words[i - 1]
  const next = words[i + 1]?.word ?? ''
  if (
    before === undefined ||
    /^(%|percent|prozent|grad|degrees?|°|to|auf|at|um|by)$/.test(next + '') ||
    fillers.has(before.word)
  )
    return false
  const number = String(words[i]?.number)
  const atoms = meaningOf(before).atoms
  return all.some(({ names }) => names.some((name) => name.has(number) && atoms.some((atom) => name.has(atom))))
}
