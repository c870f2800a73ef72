// The words of a part of a sentence that name nothing: its verb, units, purposes and the options of a payload.
import { amountsIn, isUnit } from './amounts.ts'
import type { Clause } from './clauses.ts'
import { labelWordsIn, optionWords } from './fields.ts'
import { SHARES } from './verb-patterns.ts'
import { EXCEPT, verbishIn } from './verbish.ts'
import type { Known } from './vocabulary.ts'
import { meaningOf, type Token } from './words.ts'

const PURPOSE =
  /^(?:night|nacht|day|tag|weekend|wochenende|evening|abend|now|moment|guests|gaeste|meeting|kids|kinder|sake|others)$/

const isShare = (token: Token | undefined): boolean => token !== undefined && Object.hasOwn(SHARES, token.word)

export interface SpokenFor {
  /** The words before `except`. */
  main: readonly Token[]
  /** The words after it. */
  excepted: readonly Token[] | undefined
  /** Places of words that name no device. */
  taken: ReadonlySet<number>
  /** Places that say nothing for a payload either, but for `numbers`, which are part of a name. */
  notForPayload(numbers: ReadonlySet<number>): Set<number>
}

const isPurpose = (words: readonly Token[], i: number): boolean =>
  PURPOSE.test(words[i]?.word ?? '') &&
  (/^(?:for|fuer)$/.test(words[i - 1]?.word ?? '') || (i > 1 && /^(?:for|fuer)$/.test(words[i - 2]?.word ?? '')))

/** Which words of a clause are spoken for before anybody asks what they name. */
export const spokenForIn = ({ words, verb }: Clause, all: readonly Known[]): SpokenFor => {
  const fixed = new Set([
    ...(verb?.at.filter((at) => words[at]?.number === undefined) ?? []),
    ...verbishIn(words),
    ...words.flatMap((_, i) =>
      isPurpose(words, i) || (i > 0 && words[i - 1]?.number !== undefined && isUnit(words[i]?.word ?? '')) ? [i] : [],
    ),
  ])
  const except = words.findIndex(
    ({ word }, i) => EXCEPT.has(word) && i > 0 && !(word === 'bis' && words[i + 1]?.word !== 'auf'),
  )
  const main = except > 0 ? words.slice(0, except) : words
  const options = new Set<number>()
  if (verb !== undefined) {
    const possible = new Set(all.flatMap(({ device }) => Object.values(device.intents).flatMap(optionWordsOf)))
    main.forEach(({ word }, i) => {
      if (possible.has(word) && !all.some(({ words: its }) => its.includes(word))) options.add(i)
    })
  }
  const labels = labelWordsIn(all.map(({ device }) => device))
  main.forEach((token, i) => {
    if (isLabel(token, labels) && hasAmountNear(main, i)) fixed.add(i)
  })
  const spoken = new Set([...fixed, ...options])
  return {
    main,
    excepted: except > 0 ? words.slice(except + 1) : undefined,
    taken: new Set([...spoken, ...amountsIn(main, new Set()).flatMap(({ at, share }) => (share ? [at] : []))]),
    notForPayload: (numbers) =>
      new Set([
        ...[...spoken].filter((at) => words[at]?.number === undefined && !isShare(words[at]) && !options.has(at)),
        ...numbers,
      ]),
  }
}

const isLabel = (token: Token, labels: ReadonlySet<string>): boolean =>
  token.number === undefined && meaningOf(token).atoms.some((atom) => labels.has(atom))

const hasAmountNear = (words: readonly Token[], at: number): boolean =>
  [1, 2, 3, 4, 5, -1, -2, -3].some((by) => words[at + by]?.number !== undefined)

const optionWordsOf = (schema: Record<string, unknown>): string[] => [...optionWords(schema)]
