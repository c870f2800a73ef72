// Verbs with a slip in them: `einschlten`, `swich`.
import { fillers } from './fillers.ts'
import { PATTERNS } from './verb-patterns.ts'
import type { Known } from './vocabulary.ts'
import { apart, isKnown, type Token } from './words.ts'

const BEGINNINGS = ['ein', 'aus', 'an', 'ab', 'um', 'zu', 'auf', 'frei']
const STEMS = ['schalten', 'machen', 'stellen', 'drehen', 'sperren', 'schliessen', 'geben']
const SHORTEST = 5
/** Short ones, where two letters changed places. */
const SHORT = ['turn', 'stop', 'open', 'lock', 'show', 'play', 'mach', 'dreh', 'fahr']
const sorted = (word: string): string => [...word].sort().join('')

const known: readonly string[] = [
  ...new Set([
    ...PATTERNS.flatMap(([, , ...elements]) => elements.flatMap((element) => element.split('|'))).filter((word) =>
      /^[a-z]{5,}$/.test(word),
    ),
    ...BEGINNINGS.flatMap((beginning) => STEMS.map((stem) => beginning + stem)),
    ...'schalte schaltest stelle mache oeffne schliesse starte stoppe pausiere zeige sperre verriegele entriegele dimme aktiviere'.split(
      ' ',
    ),
  ]),
]

/** The words with what looks like a slip in a verb put right; undefined when there is none. */
export const respelled = (words: readonly Token[], all: readonly Known[]): Token[] | undefined => {
  const isNamed = (word: string): boolean => all.some(({ words: its }) => its.includes(word))
  let changed = false
  const made = words.map((token): Token => {
    const { word, number } = token
    if (number !== undefined || fillers.has(word) || isKnown(word) || isNamed(word)) return token
    const turned =
      word.length === 4
        ? (SHORT.find((verb) => sorted(verb) === sorted(word)) ??
          known.find((verb) => verb.length === 5 && verb.startsWith(word)))
        : undefined
    if (turned !== undefined) {
      changed = true
      return { word: turned }
    }
    if (word.length < SHORTEST) return token
    const most = word.length < 8 ? 1 : 2
    const [best] = known
      .map((verb) => ({ verb, by: apart(word, verb, most) }))
      .filter(({ by }) => by <= most)
      .sort((a, b) => a.by - b.by)
    if (best === undefined) return token
    changed = true
    return { word: best.verb }
  })
  return changed ? made : undefined
}
