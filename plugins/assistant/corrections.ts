// What somebody corrects in the same breath: "turn on the fan, no sorry, I meant the compressor".
import { amountsIn } from './amounts.ts'
import { fillers } from './fillers.ts'
import { CORRECTION } from './phrases.ts'
import { verbsIn } from './verbs.ts'
import { type Token, tokens } from './words.ts'

const isBare = (words: readonly Token[]): boolean =>
  words.every(({ word, number }) => fillers.has(word) || number !== undefined || !/[a-z]{3}/.test(word))

/** The sentence as it was meant in the end: what was corrected keeps the verb, or the things, that were said before. */
export const asCorrected = (line: string): string => {
  const [whole = '', before = ''] = CORRECTION.exec(line) ?? []
  if (whole === '') return line
  const rest = line.slice(whole.length)
  const words = tokens(rest)
  const [verb] = verbsIn(words)
  const isNumberOnly = isBare(words) && amountsIn(words, new Set()).length > 0
  if (isNumberOnly) {
    const said = tokens(before)
    const kept = said.filter((_, i) => !amountsIn(said, new Set()).some(({ at }) => at === i || at + 1 === i))
    return `${kept.map(({ word }) => word).join(' ')} ${rest}`
  }
  if (verb !== undefined) return rest
  const [first] = verbsIn(tokens(before).filter(({ word }) => !/^[?,;:]$/.test(word)))
  return first === undefined ? rest : `${rest} ${first.text}`
}
