// Words as the rules see them: lower case, umlauts written out, numbers as numbers, compounds taken apart.
import { lexicon } from './lexicon.ts'
import { numberOf } from './numbers.ts'

export interface Token {
  /** As it is compared: lower case, `ä` as `ae`. */
  word: string
  /** When it is a number, in digits or words. */
  number?: number
}

const LETTERS: Readonly<Record<string, string>> = { ä: 'ae', ö: 'oe', ü: 'ue', ß: 'ss', '’': "'", '´': "'", '`': "'" }
const UNIT =
  /^(\d+(?:[.,]\d+)?)(c|f|k|grad|a|amp|amps|ampere|w|v|s|sec|sek|m|min|h|x|percent|prozent|pct|rpm|bar|mm|cm)$/
const PIECE = /\d+[.,]\d+(?![a-z\d])|[a-z0-9]+|[%°?,;:]/g
/** Longer sentences are cut: nobody says so much at once. */
const MOST_TOKENS = 80

/** Lower case, umlauts and accents written out. */
export const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[äöüß’´`]/g, (letter) => LETTERS[letter] ?? letter)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/([a-z])'([a-z])/g, '$1$2')

const tokenOf = (word: string): Token => {
  const number = numberOf(word)
  return number === undefined ? { word } : { word, number }
}

/** The words, numbers and marks of a sentence, in order. */
export const tokens = (text: string): Token[] =>
  [...plain(text).matchAll(PIECE)].slice(0, MOST_TOKENS).flatMap(([piece]) => {
    const [, digits, unit] = UNIT.exec(piece) ?? []
    return digits === undefined || unit === undefined ? [tokenOf(piece)] : [tokenOf(digits), tokenOf(unit)]
  })

const ENDINGS = ['ern', 'ies', 'en', 'er', 'es', 'n', 's', 'e'] as const
/** Between the parts of a German compound. */
const JOINTS = ['', 's', 'n', 'en', 'es', 'er'] as const
const SHORTEST_PART = 3

/** The concept of a word, and whether it was a plural form. */
const conceptOf = (word: string): { atom: string; plural: boolean } | undefined => {
  const known = lexicon.get(word)
  if (known !== undefined) return known
  for (const ending of ENDINGS) {
    if (!word.endsWith(ending) || word.length - ending.length < SHORTEST_PART) continue
    const found = lexicon.get(word.slice(0, -ending.length) + (ending === 'ies' ? 'y' : ''))
    if (found !== undefined) return { atom: found.atom, plural: true }
  }
  return undefined
}

/** `kuechenlicht` → kitchen and light: the longest known end, and a known beginning. */
const parted = (word: string): Meaning | undefined => {
  for (let i = SHORTEST_PART; i <= word.length - SHORTEST_PART; i++) {
    const end = conceptOf(word.slice(i))
    if (end === undefined) continue
    for (const joint of JOINTS) {
      const head = word.slice(0, i)
      if (!head.endsWith(joint) || head.length - joint.length < SHORTEST_PART) continue
      const bare = head.slice(0, head.length - joint.length)
      const begin = conceptOf(bare) ?? parted(bare)
      if (begin !== undefined)
        return { atoms: [...('atoms' in begin ? begin.atoms : [begin.atom]), end.atom], plural: end.plural }
    }
  }
  return undefined
}

/** Without the `s` of a plural or genitive, then without one more ending. */
const stem = (word: string): string => {
  const bare = word.length > 4 && word.endsWith('s') ? word.slice(0, -1) : word
  for (const ending of ENDINGS)
    if (bare.endsWith(ending) && bare.length - ending.length >= 4) return bare.slice(0, -ending.length)
  return bare
}

export interface Meaning {
  /** Concepts, or stems of words the lexicon does not know. */
  atoms: readonly string[]
  plural: boolean
}

const REMEMBERED = 20_000
const known = new Map<string, Meaning>()

/** What a word means, the same in both languages where the lexicon knows it. */
export const meaningOf = ({ word, number }: Token): Meaning => {
  const seen = known.get(word)
  if (seen !== undefined) return seen
  const concept = conceptOf(word)
  const made =
    number !== undefined && concept === undefined
      ? { atoms: [String(number)], plural: false }
      : concept === undefined
        ? (parted(word) ?? { atoms: [stem(word)], plural: false })
        : { atoms: concept.atom.split('+'), plural: concept.plural }
  if (known.size >= REMEMBERED) known.clear()
  known.set(word, made)
  return made
}

/** Whether the lexicon knows a word, whole or in parts. */
export const isKnown = (word: string): boolean => conceptOf(word) !== undefined || parted(word) !== undefined

/** Letters to insert, delete, replace or swap, up to `most`; `most + 1` beyond. */
export const apart = (a: string, b: string, most: number): number => {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      row.push(least)
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
