// Amounts in a sentence: numbers and shares with their units.
import { SHARES } from './verb-patterns.ts'
import type { Token } from './words.ts'

export type Quantity = 'percent' | 'degrees' | 'kelvin' | 'current' | 'time' | 'speed' | 'other'

const UNITS: Readonly<Record<string, Quantity>> = {
  '%': 'percent',
  percent: 'percent',
  prozent: 'percent',
  pct: 'percent',
  grad: 'degrees',
  degree: 'degrees',
  degrees: 'degrees',
  '°': 'degrees',
  c: 'degrees',
  celsius: 'degrees',
  kelvin: 'kelvin',
  k: 'kelvin',
  a: 'current',
  amp: 'current',
  amps: 'current',
  ampere: 'current',
  amperes: 'current',
  s: 'time',
  sec: 'time',
  sek: 'time',
  second: 'time',
  seconds: 'time',
  secs: 'time',
  mins: 'time',
  sekunde: 'time',
  sekunden: 'time',
  min: 'time',
  minute: 'time',
  minutes: 'time',
  minuten: 'time',
  hour: 'time',
  hours: 'time',
  stunde: 'time',
  stunden: 'time',
  h: 'time',
  rpm: 'speed',
  stufe: 'speed',
}
const SECONDS: Readonly<Record<string, number>> = {
  min: 60,
  minute: 60,
  mins: 60,
  minutes: 60,
  minuten: 60,
  hour: 3600,
  hours: 3600,
  stunde: 3600,
  stunden: 3600,
  h: 3600,
}
export interface Amount {
  at: number
  value: number
  quantity: Quantity | undefined
  share: boolean
  /** Seconds in one of its unit, for times. */
  scale: number
}

/** `the hall one`, `the two in the bay`: how many are meant, not how much. */
const isCount = (words: readonly Token[], at: number, hasUnit: boolean): boolean => {
  const word = words[at]?.word ?? ''
  const before = words[at - 1]?.word ?? ''
  if (
    hasUnit ||
    words[at]?.number === undefined ||
    /^\d/.test(word) ||
    /^(?:to|at|auf|um|by|level|stufe|mit)$/.test(before)
  )
    return false
  return word === 'one' || /^(?:the|these|those|die|other|beiden)$/.test(before)
}

/** Numbers and shares in a part of a sentence, with their units. */
export const amountsIn = (words: readonly Token[], taken: ReadonlySet<number>): Amount[] =>
  words.flatMap((token, at): Amount[] => {
    if (taken.has(at)) return []
    const next = words[at + 1]?.word ?? ''
    const after = words[at + 2]?.word ?? ''
    const unit = next === '°' && UNITS[after] !== undefined ? after : next
    const share = SHARES[token.word]
    if (isCount(words, at, UNITS[unit] !== undefined)) return []
    if (token.number !== undefined)
      return [{ at, value: token.number, quantity: UNITS[unit], share: false, scale: SECONDS[unit] ?? 1 }]
    if (share === undefined) return []
    return [{ at, value: share, quantity: UNITS[unit], share: true, scale: 1 }]
  })

/** Words that are units: they belong to the number before them. */
export const isUnit = (word: string): boolean => UNITS[word] !== undefined
