// An amount at the end of several things that share one verb is for each of them: "dim the desk lamp and the kitchen light to 40 percent".
import { amountsIn, isUnit } from './amounts.ts'
import type { Clause } from './clauses.ts'
import type { Token } from './words.ts'
import type { Family } from './verb-patterns.ts'

/** Verbs that say nothing without an amount, or take it as their own. */
const WITH_AMOUNT: readonly Family[] = ['set', 'more', 'less', 'record', 'preheat']
/** A step from where a thing stands, not to an amount. */
const RELATIVE =
  /(?:(?:bright|dark|dimm|loud|quiet|soft|warm|cold|cool|hott|high|low|fast|slow|hell|dunkl|laut|leis|waerm|kaelt|kuehl|hoeh|niedrig|schnell|langsam)er|\b(?:up|down|more|less|mehr|weniger|rauf|runter|hoch))\b/
const TO = /^(?:to|at|by|auf|um|for|fuer|mit)$/

/** The amount that ends a part, with the word before it and its unit; undefined when there is not exactly one. */
const endOf = (words: readonly Token[]): Token[] | undefined => {
  const amounts = amountsIn(words, new Set())
  const [only] = amounts
  if (only === undefined || amounts.length > 1) return undefined
  const hasUnit = isUnit(words[only.at + 1]?.word ?? '')
  const hasTo = TO.test(words[only.at - 1]?.word ?? '')
  if (!hasUnit && !hasTo) return undefined
  return words.slice(only.at - (hasTo ? 1 : 0), only.at + (hasUnit ? 2 : 1))
}

/** Gives each part that shares its verb with the next, and says no amount itself, the amount of the next. */
export const withSharedAmounts = (clauses: readonly Clause[], isNumeric: (clause: Clause) => boolean): Clause[] => {
  const out = [...clauses]
  for (let i = out.length - 2; i >= 0; i--) {
    const clause = out[i]
    const next = out[i + 1]
    if (clause?.verb === undefined || next?.verb === undefined) continue
    const isShared = clause.verb.at.length === 0 || next.verb.at.length === 0 || isNumeric(next)
    if (
      !isShared ||
      !WITH_AMOUNT.includes(clause.verb.family) ||
      RELATIVE.test(clause.words.map(({ word }) => word).join(' '))
    )
      continue
    if (amountsIn(clause.words, new Set()).length > 0) continue
    const end = endOf(next.words)
    if (end !== undefined) out[i] = { ...clause, words: [...clause.words, ...end] }
  }
  return out
}
