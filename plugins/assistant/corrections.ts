// What somebody corrects in the same breath: "turn on the fan, no sorry, I meant the compressor".
import { amountsIn } from './amounts.ts'
import { fillers } from './fillers.ts'
import { CORRECTION } from './phrases.ts'
import { verbsIn } from './verbs.ts'
import { type Token, tokens } from './words.ts'

/** Whether words name nothing, beside those of a verb. */
const isBare = (words: readonly Token[], verb: readonly number[]): boolean =>
  words.every(
    ({ word, number }, i) => verb.includes(i) || fillers.has(word) || number !== undefined || !/[a-z]{3}/.test(word),
  )

const spoken = (words: readonly Token[]): string => words.map(({ word }) => word).join(' ')

/** The sentence as it was meant in the end: what was corrected keeps the verb, or the things, that were said before. */
export const asCorrected = (line: string): string => {
  const [whole = '', said = ''] = CORRECTION.exec(line) ?? []
  if (whole === '') return line
  const rest = line.slice(whole.length).replace(/[\s,]+$/, '')
  const words = tokens(rest)
  const [verb] = verbsIn(words)
  const before = tokens(said.replace(/(?:\b(?:no|nein|nee|oh|ach|wait|warte)\b|[\s,])+$/, '')).filter(
    ({ word }) => !/^[?,;:]$/.test(word),
  )
  if (isBare(words, []) && amountsIn(words, new Set()).length > 0) {
    const amounts = amountsIn(before, new Set())
    return `${spoken(before.filter((_, i) => !amounts.some(({ at }) => at === i || at + 1 === i)))} ${rest}`
  }
  const [first] = verbsIn(before)
  if (verb === undefined) return first === undefined ? rest : `${rest} ${first.text}`
  return isBare(words, verb.at) ? `${spoken(before.filter((_, i) => first?.at.includes(i) !== true))} ${rest}` : rest
}
