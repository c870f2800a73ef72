// Words that belong to a verb wherever they stand.
import type { Token } from './words.ts'

/** Words before what is left out. */
export const EXCEPT = new Set('except excluding but without ausser ohne bis'.split(' '))

/** Words that belong to a verb wherever they stand: they name nothing. */
const VERBISH =
  /^(?:turn|turning|turned|switch|switching|mach\w{0,2}|schalt\w{0,3}|stell\w{0,3}|dreh\w{0,2}|knips\w{0,2}|fahr\w{0,2}|setz\w{0,2}|lass\w?|halt\w{0,2}|brich|brech\w{0,2}|nimm|leg\w?|wirf|zieh\w{0,2}|regel\w{0,2}|regle|schliess\w{0,2}|sperr\w{0,2}|will|moechte|hold|go|get|keep|leave|starte\w?|starten|stopp\w{0,2}|on|off|an|aus|ein|auf|zu|hoch|runter|ab|um|to|up|down|going|running|laufen|weiter|prozent|percent|grad|fort|tell|ask|say|shut|put|heiz\w{0,2}|dimm\w{0,2}|dim|set|make|change|level|start|stop|open|close|show|gang|betrieb|druck(?:e|en)|spiel\w{0,2}|play|print|recording|aufnahme)$/

export const isVerbish = (word: string): boolean => VERBISH.test(word)

/** Places of words that belong to a verb wherever they stand. */
export const verbishIn = (words: readonly Token[]): Set<number> =>
  new Set(words.flatMap(({ word }, i) => (VERBISH.test(word) ? [i] : [])))
