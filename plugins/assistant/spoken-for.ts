// The words of a part of a sentence that name nothing: its verb, units, purposes and the options of a payload.
import { amountsIn, isUnit } from './amounts.ts'
import type { Clause } from './clauses.ts'
import { optionWords } from './payload.ts'
import { SHARES } from './verb-patterns.ts'
import type { Known } from './vocabulary.ts'
import type { Token } from './words.ts'

const EXCEPT = new Set('except excluding but without ausser ohne bis'.split(' '))
const PURPOSE =
  /^(?:night|nacht|day|tag|weekend|wochenende|evening|abend|now|moment|guests|gaeste|meeting|kids|kinder|sake|others)$/

/** Words that belong to a verb wherever they stand: they name nothing. */
const VERBISH =
  /^(?:turn|turning|turned|switch|switching|mach\w{0,2}|schalt\w{0,3}|stell\w{0,3}|dreh\w{0,2}|knips\w{0,2}|fahr\w{0,2}|setz\w{0,2}|lass\w?|halt\w{0,2}|brich|brech\w{0,2}|nimm|leg\w?|wirf|zieh\w{0,2}|regel\w{0,2}|regle|schliess\w{0,2}|sperr\w{0,2}|will|moechte|hold|go|get|keep|leave|starte\w?|starten|stopp\w{0,2}|on|off|an|aus|ein|auf|zu|hoch|runter|ab|um|to|up|down|going|running|laufen|weiter|prozent|percent|grad|fort|tell|ask|say|shut|put|heiz\w{0,2}|dimm\w{0,2}|dim|set|make|change|level|start|stop|open|close|show|gang|betrieb|druck(?:e|en)|spiel\w{0,2}|play|print|recording|aufnahme)$/

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

/** Places of words that belong to a verb wherever they stand. */
export const verbishIn = (words: readonly Token[]): Set<number> =>
  new Set(words.flatMap(({ word }, i) => (VERBISH.test(word) ? [i] : [])))

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

const optionWordsOf = (schema: Record<string, unknown>): string[] => [...optionWords(schema)]
