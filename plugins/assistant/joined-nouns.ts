// Nouns that belong together over an `and`: "light and coffee machine in the kitchen on"; "both print jobs, the Prusa and the Voron".
import type { Clause } from './clauses.ts'
import type { Read } from './clause-wishes.ts'
import type { Known } from './vocabulary.ts'
import { meaningOf, type Token } from './words.ts'
import { WEAK } from './vocabulary.ts'

const AT = /^(?:in|at|on|im|am|auf|beim)$/

/** The words of a place at the end of a part: "in the kitchen". */
const placeOf = (words: readonly Token[], all: readonly Known[]): Token[] => {
  const from = words.findIndex(
    ({ word }, i) =>
      AT.test(word) &&
      words
        .slice(i + 1, i + 5)
        .some((token) =>
          meaningOf(token).atoms.some((atom) => !WEAK.has(atom) && all.some(({ area }) => area.has(atom))),
        ),
  )
  if (from < 0) return []
  const atoms = new Set(all.flatMap(({ area }) => [...area]))
  const to = words.findLastIndex((token, i) => i > from && meaningOf(token).atoms.some((atom) => atoms.has(atom)))
  return words.slice(from, to + 1)
}

/**
 * A part that was ambiguous by itself, read with the place its next neighbour names, where both share one verb. What was ambiguous gets
 * fewer devices that way, never more.
 */
export const readInPlace = (
  read: Read,
  clause: Clause,
  clauses: readonly Clause[],
  all: readonly Known[],
  again: (clause: Clause) => Read,
): Read => {
  const next = clauses[clauses.indexOf(clause) + 1]
  if (next === undefined || read.meant.kind !== 'question' || read.meant.about !== 'device') return read
  const isShared = clause.verb?.at.length === 0 || next.verb?.at.length === 0
  const place = isShared ? placeOf(next.words, all) : []
  if (place.length === 0) return read
  const there = again({ ...clause, words: [...clause.words, ...place] })
  const could = read.meant.options
  return there.meant.kind === 'wishes' && there.meant.wishes.every(({ device }) => could.includes(device))
    ? there
    : read
}

const HOW_MANY: Readonly<Record<string, number>> = { both: 2, beide: 2, beiden: 2, two: 2, zwei: 2, three: 3, drei: 3 }

/** A part with a count that its neighbours then name one by one: it adds nothing to them. */
export const explainedBy = (reads: readonly Read[], clauses: readonly Clause[]): Read | undefined => {
  const [first] = reads
  const [clause] = clauses
  const count = clause?.words.map(({ word }) => HOW_MANY[word]).find((n) => n !== undefined)
  if (first === undefined || count === undefined || first.meant.kind === 'wishes') return undefined
  const rest = reads.slice(1)
  const isNamed =
    rest.length === count &&
    clauses.slice(1).every(({ verb }) => verb?.at.length === 0) &&
    rest.every(({ meant, target }) => meant.kind === 'wishes' && meant.wishes.length === 1 && target?.isGroup === false)
  return isNamed ? first : undefined
}
