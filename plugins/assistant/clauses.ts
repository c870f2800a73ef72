// Takes a sentence apart into parts with one verb each.
import { fillers, pronouns } from './fillers.ts'
import { spelled } from './targets.ts'
import { type Found, verbsIn } from './verbs.ts'
import type { Known } from './vocabulary.ts'
import type { Token } from './words.ts'

const AND = new Set(['and', 'und', 'then', 'dann', 'sowie', 'plus', 'also'])
export const spell = (words: readonly Token[]): string => words.map(({ word }) => word).join(' ')
export const isMark = ({ word }: Token): boolean => /^[?,;:]$/.test(word)

/** A part of a sentence with one verb. */
export interface Clause {
  words: Token[]
  verb: Found | undefined
}

const strong = (found: Found | undefined): boolean => found !== undefined

/** Splits at `and`, `then` and commas, but not inside the name of a device. */
export const clausesOf = (words: readonly Token[], all: readonly Known[]): Clause[] => {
  const names = new Set<number>()
  for (const { phrases } of all)
    for (const phrase of phrases)
      if (phrase.some((word) => AND.has(word)))
        for (let i = 0; i + phrase.length <= words.length; i++)
          if (phrase.every((word, j) => words[i + j]?.word === word)) phrase.forEach((_, j) => names.add(i + j))
  const parts: Token[][] = [[]]
  words.forEach((word, i) => {
    const isJoint = (AND.has(word.word) || word.word === ',' || word.word === ';') && !names.has(i)
    if (isJoint) parts.push([])
    else if (!isMark(word)) parts.at(-1)?.push(word)
  })
  const verbOfPart = (part: readonly Token[]): Found | undefined => {
    const its = spelled(part, all)
    return verbsIn(part).find(
      ({ at }) => !at.some((place) => its.has(place) && !/^(?:on|off|an|aus)$/.test(part[place]?.word ?? '')),
    )
  }
  const filled = parts.filter((part) =>
    part.some(({ word }) => !fillers.has(word) || verbsIn([{ word }]).length > 0 || pronouns.has(word)),
  )
  if (filled.length <= 1)
    return [
      {
        words: filled[0] ?? words.filter((word) => !isMark(word)),
        verb: verbOfPart(filled[0] ?? words.filter((word) => !isMark(word))),
      },
    ]
  const whole = verbsIn(words.filter((word) => !isMark(word)))[0]
  const clauses: Clause[] = filled.map((part) => ({ words: part, verb: verbOfPart(part) }))
  const has = clauses.filter(({ verb }) => strong(verb))
  if (has.length === 0)
    return clauses.map((clause) => ({ ...clause, verb: whole === undefined ? undefined : { ...whole, at: [] } }))
  // What says no verb of its own shares its neighbour's: before it, or after it as in "das Licht und die Lüftung an".
  return clauses.map((clause, i) => {
    if (clause.verb !== undefined) {
      // `mach das licht` … `an`: half a verb here, the whole one over the sentence.
      return clause
    }
    const before = clauses
      .slice(0, i)
      .reverse()
      .find(({ verb }) => verb !== undefined)?.verb
    const after = clauses.slice(i + 1).find(({ verb }) => verb !== undefined)?.verb
    const lent =
      before ?? (whole !== undefined && after !== undefined && whole.at.length > after.at.length ? whole : after)
    return { ...clause, verb: lent === undefined ? undefined : { ...lent, at: [] } }
  })
}
