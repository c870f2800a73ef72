// Takes a sentence apart into parts with one verb each.
import { amountsIn, isUnit } from './amounts.ts'
import { labelWordsIn } from './fields.ts'
import { withSharedAmounts } from './shared-amounts.ts'
import { fillers, pronouns } from './fillers.ts'
import { EXCEPT, isVerbish } from './verbish.ts'
import { spelled } from './said.ts'
import { type Found, verbsIn } from './verbs.ts'
import type { Known } from './vocabulary.ts'
import { meaningOf, type Token } from './words.ts'

const AND = new Set(['and', 'und', 'then', 'dann', 'sowie', 'plus', 'also'])
export const spell = (words: readonly Token[]): string => words.map(({ word }) => word).join(' ')
export const isMark = ({ word }: Token): boolean => /^[?,;:]$/.test(word)

/** A part of a sentence with one verb. */
export interface Clause {
  words: Token[]
  verb: Found | undefined
}

const strong = (found: Found | undefined): boolean => found !== undefined

/** A verb that is no more than a number with its preposition: "to forty percent". */
const isNumeric = (found: Found | undefined, part: readonly Token[]): boolean =>
  found === undefined ||
  found.at.every(
    (place) =>
      part[place]?.number !== undefined ||
      /^(?:to|at|by|on|auf|um|mit|ein|eine|die|a|the)$/.test(part[place]?.word ?? '') ||
      isUnit(part[place]?.word ?? ''),
  )

const ARTICLES = new Set(['die', 'das', 'den', 'der', 'this', 'that', 'one'])

/** Parts that say nothing without their neighbour are one with it: "nozzle 210, bed 60", "quieter please, radio to ten percent". */
const mended = (
  parts: readonly Token[][],
  all: readonly Known[],
  verbOf: (part: readonly Token[]) => Found | undefined,
): Token[][] => {
  const labels = labelWordsIn(all.map(({ device }) => device))
  const readPart = (words: Token[]) => {
    const verb = verbOf(words)
    const hasNoun = words.some(
      (token, i) =>
        token.number === undefined &&
        !fillers.has(token.word) &&
        !isUnit(token.word) &&
        !isVerbish(token.word) &&
        verb?.at.includes(i) !== true &&
        !meaningOf(token).atoms.every((atom) => labels.has(atom)),
    )
    const hasPronoun = words.some(({ word }) => pronouns.has(word) && !ARTICLES.has(word))
    const isPlain = isNumeric(verb, words)
    return {
      words,
      hasVerb: verb !== undefined,
      hasNoun,
      isAmount: !hasNoun && !hasPronoun && isPlain && amountsIn(words, new Set()).length > 0,
      isVerbOnly: !hasNoun && !hasPronoun && !isPlain,
      isOfIt: !hasNoun && hasPronoun && !isPlain,
      isOpen: hasNoun && isPlain,
    }
  }
  const out: ReturnType<typeof readPart>[] = []
  for (const part of parts.map(readPart)) {
    const last = out.at(-1)
    const isRest =
      last !== undefined &&
      !part.hasVerb &&
      [...last.words, ...part.words.slice(0, 1)].some(({ word }) => EXCEPT.has(word))
    if (
      last !== undefined &&
      (isRest ||
        (part.isAmount && last.hasNoun) ||
        (part.isVerbOnly && last.isOpen) ||
        (part.isOfIt && last.isOpen && !last.hasVerb) ||
        (last.isVerbOnly && part.isOpen))
    )
      out[out.length - 1] = readPart([...last.words, { word: ',' }, ...part.words])
    else out.push(part)
  }
  return out.map(({ words }) => words)
}

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
    else if (word.word === ':' && (parts.at(-1)?.length ?? 0) > 0) parts.at(-1)?.push({ word: ',' })
    else if (!isMark(word)) parts.at(-1)?.push(word)
  })
  const verbOfPart = (part: readonly Token[]): Found | undefined => {
    const its = spelled(part, all)
    return verbsIn(part).find(
      ({ at }) => !at.some((place) => its.has(place) && !/^(?:on|off|an|aus)$/.test(part[place]?.word ?? '')),
    )
  }
  const filled = mended(parts, all, verbOfPart).filter((part) =>
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
  const [only] = has
  const isHalf = (found: Found): boolean =>
    has.length === 1 &&
    found === only?.verb &&
    found.at.length === 1 &&
    whole !== undefined &&
    whole.at.length > 1 &&
    whole.family === 'record' &&
    whole.text.endsWith(` ${found.text}`)
  const shared = clauses.map((clause, i): Clause => {
    // `nimm den hof` … `auf`: half a verb here, the whole one over the sentence.
    if (clause.verb !== undefined)
      return whole !== undefined && isHalf(clause.verb) ? { ...clause, verb: { ...whole, at: clause.verb.at } } : clause
    const before = clauses
      .slice(0, i)
      .reverse()
      .find(({ verb }) => verb !== undefined)?.verb
    const after = clauses.slice(i + 1).find(({ verb }) => verb !== undefined)?.verb
    const lent =
      before ?? (whole !== undefined && after !== undefined && whole.at.length > after.at.length ? whole : after)
    return { ...clause, verb: lent === undefined ? undefined : { ...lent, at: [] } }
  })
  // "Record the yard for a minute, the hall": only what an `and` joins shares what stands at the end.
  const joint = words.findLast(({ word }, i) => !names.has(i) && (AND.has(word) || word === ',' || word === ';'))
  return joint !== undefined && AND.has(joint.word)
    ? withSharedAmounts(shared, ({ verb, words: its }) => isNumeric(verb, its))
    : shared
}
