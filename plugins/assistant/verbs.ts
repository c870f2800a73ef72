// What people do with things: verbs of both languages as patterns, each of one family. Of several that fit, the one that explains most words counts.
import type { Token } from './words.ts'

export type Family =
  | 'on'
  | 'off'
  | 'toggle'
  | 'start'
  | 'stop'
  | 'pause'
  | 'resume'
  | 'cancel'
  | 'open'
  | 'close'
  | 'lock'
  | 'unlock'
  | 'set'
  | 'more'
  | 'less'
  | 'up'
  | 'down'
  | 'show'
  | 'record'
  | 'press'
  | 'play'

export interface Found {
  family: Family
  language: 'en' | 'de'
  /** Places of the words it explains. */
  at: readonly number[]
  /** The words themselves, for the explanation. */
  text: string
}

/**
 * Patterns: `a|b` one word of these, `..` any words between, `>an` a particle that ends its part of the sentence, `#` a number
 * or a word such as `half`. Each word is a regular expression of the whole word.
 */
const PATTERNS: readonly (readonly [Family, 'en' | 'de', ...string[]])[] = [
  ['on', 'en', 'turn(ing)?|switch(ing)?|put|flip|power|get|leave|keep|click|crank|bring', 'on'],
  ['on', 'en', 'turn(ed)?|switch(ed)?|put|flip|power|get|leave|keep|want|have|need|should|go|click|bring', '..', '>on'],
  ['on', 'en', 'activate|enable|illuminate|energi[sz]e'],
  ['on', 'en', 'light|power|fire', 'up'],
  ['on', 'en', 'light|power|fire', '..', '>up'],
  ['on', 'en', '>on'],
  ['on', 'en', 'give', '..', 'power|juice|electricity'],
  ['on', 'de', 'freigeben|freizugeben|freischalten'],
  ['on', 'de', 'gib\\w?|gebt|schalt\\w{0,2}', '..', '>frei'],
  ['on', 'de', 'gib\\w?|gebt', '..', 'strom|saft'],
  ['on', 'de', 'mach\\w{0,2}', '..', 'hell'],
  ['on', 'en', 'make', '..', 'bright'],
  [
    'on',
    'de',
    'mach\\w{0,2}|schalt\\w{0,2}|stell\\w{0,2}|dreh\\w{0,2}|knips\\w{0,2}|tu|lass|haett\\w*|will|moechte|soll(en|te|ten)?|brauch\\w*',
    '..',
    '>an|>ein',
  ],
  ['on', 'de', '(an|ein)(zu)?(ge)?(mach|schalt|knips|stell|dreh|geh|zuend)(e|en|et|t|est|n)?'],
  ['on', 'de', 'aktivier\\w{0,2}'],
  ['on', 'de', '>an|>ein'],
  ['off', 'en', 'turn(ing)?|switch(ing)?|put|shut|power|cut|flip|get|leave|keep|click', 'off'],
  [
    'off',
    'en',
    'turn(ed)?|switch(ed)?|put|shut|power|cut|flip|get|want|have|need|should|go|take|click',
    '..',
    '>off|>out',
  ],
  ['off', 'en', 'put|turn|lights?', 'out'],
  ['off', 'en', 'kill|extinguish|deactivate|disable|cut'],
  ['off', 'en', 'shut|power|close', 'down'],
  ['off', 'en', 'shut|power', '..', '>down'],
  ['off', 'en', '>off'],
  ['off', 'en', 'take|cut|remove', '..', 'power'],
  ['off', 'en', 'no', 'more'],
  ['off', 'de', 'kein(e|en)?', '..', 'mehr'],
  ['off', 'de', 'nimm|nehm\\w?', '..', 'strom|saft', 'weg'],
  ['off', 'de', 'mach\\w{0,2}', '..', 'dunkel'],
  ['off', 'en', 'make', '..', 'dark'],
  [
    'off',
    'de',
    'mach\\w{0,2}|schalt\\w{0,2}|stell\\w{0,2}|dreh\\w{0,2}|knips\\w{0,2}|tu|lass|will|moechte|soll(en|te|ten)?',
    '..',
    '>aus|>ab',
  ],
  [
    'off',
    'de',
    '(aus|ab)(zu)?(ge)?(mach|schalt|knips|stell|dreh|geh|schalte)(e|en|et|t|est|n)?|herunterfahren|loesch\\w{0,2}|deaktivier\\w{0,2}',
  ],
  ['off', 'de', '>aus'],
  ['toggle', 'en', 'toggle'],
  ['toggle', 'de', 'umschalten|umzuschalten'],
  ['toggle', 'de', 'schalt\\w{0,2}', '..', '>um'],
  ['start', 'en', 'start|launch|begin|run|commence|initiate'],
  ['start', 'en', 'start|kick|fire|boot', 'up|off'],
  ['start', 'en', 'start|fire|boot', '..', '>up'],
  ['start', 'en', 'get|let|set|make|have', '..', 'going|run|running'],
  ['start', 'de', 'starte\\w?|anlaufen|anwerfen|anfahren|losleg\\w*|beginn\\w*|anlassen|inbetriebnehmen'],
  ['start', 'de', 'wirf|werf\\w?|lass\\w?|leg\\w?|fang\\w?', '..', '>an|>laufen|>los'],
  ['start', 'de', 'setz\\w{0,2}|nimm|bring\\w?', '..', 'in', 'gang|betrieb'],
  ['stop', 'en', 'stop|halt|quit|end|finish'],
  ['stop', 'de', 'stopp\\w{0,3}|anhalten|anzuhalten|beend\\w{0,3}'],
  ['stop', 'de', 'halt\\w{0,2}', '..', '>an'],
  ['pause', 'en', 'pause|suspend|interrupt|hold'],
  ['pause', 'en', 'put', '..', 'on', 'hold'],
  ['pause', 'de', 'pausier\\w{0,2}|unterbrich|unterbrech\\w{0,2}|anzuhalten'],
  ['pause', 'de', 'halt\\w{0,2}', '..', 'kurz|mal|voruebergehend|einen', '..', '>an'],
  ['pause', 'de', 'mach\\w{0,2}|leg\\w?', '..', 'pause', '..', '>ein'],
  ['pause', 'de', 'mach\\w{0,2}', '..', 'pause'],
  ['resume', 'en', 'resume|continue|unpause|proceed'],
  ['resume', 'en', 'carry', 'on'],
  ['resume', 'en', 'keep|go|get', '..', 'going|printing|again'],
  [
    'resume',
    'de',
    'fortsetzen|fortzusetzen|fortfahren|weitermachen|weiterdrucken|weiterlaufen|weiterfahren|weiterarbeiten',
  ],
  ['resume', 'de', 'setz\\w{0,2}|fahr\\w{0,2}', '..', '>fort'],
  ['resume', 'de', 'mach\\w{0,2}|druck\\w{0,2}|lass\\w?|geht', '..', 'weiter|weiterlaufen|weiterdrucken|weitermachen'],
  ['resume', 'de', 'weiter'],
  ['cancel', 'en', 'cancel|abort|scrap'],
  ['cancel', 'en', 'call', 'off'],
  ['cancel', 'de', 'abbrechen|abzubrechen|stornier\\w{0,2}'],
  ['cancel', 'de', 'brich|brech\\w{0,2}', '..', '>ab'],
  ['open', 'en', 'open(ing)?'],
  ['open', 'en', 'open|roll|pull|put|wind', '..', '>up'],
  ['open', 'de', 'oeffne\\w?|aufmachen|aufzumachen|aufziehen|auffahren|aufrollen'],
  ['open', 'de', 'mach\\w{0,2}|fahr\\w{0,2}|zieh\\w{0,2}|geh', '..', '>auf'],
  ['open', 'de', '>auf'],
  ['close', 'en', 'close|shut|closing'],
  ['close', 'de', 'schliess\\w{0,2}|zumachen|zuzumachen|zuziehen|zufahren'],
  ['close', 'de', 'mach\\w{0,2}|fahr\\w{0,2}|zieh\\w{0,2}', '..', '>zu'],
  ['close', 'de', '>zu'],
  ['lock', 'en', 'lock'],
  ['lock', 'en', 'lock', '..', '>up'],
  [
    'lock',
    'de',
    'verriegel\\w?|verriegle|absperren|abschliessen|abzuschliessen|zusperren|zuschliessen|verschliess\\w{0,2}|abschliess',
  ],
  ['lock', 'de', 'schliess\\w{0,2}|sperr\\w{0,2}', '..', '>ab|>zu'],
  ['lock', 'de', 'sperr\\w{0,2}'],
  ['unlock', 'en', 'unlock'],
  ['unlock', 'de', 'entriegel\\w?|entriegle|entsperr\\w{0,2}|aufschliessen|aufzuschliessen|aufsperren'],
  ['unlock', 'de', 'schliess\\w{0,2}|sperr\\w{0,2}', '..', '>auf'],
  [
    'set',
    'en',
    'set|adjust|change|make|turn|bring|put|dim|lower|raise|increase|decrease|reduce|heat|move|get|limit|drop|have|want',
    '..',
    'to|at|by',
    '#',
  ],
  ['set', 'en', 'set|dim', '..', '#'],
  ['set', 'en', 'set|change|make|turn', '..', 'to'],
  ['set', 'en', 'set|adjust|change|make'],
  ['set', 'en', 'to|at', '#'],
  [
    'set',
    'de',
    'stell\\w{0,2}|setz\\w{0,2}|regel\\w{0,2}|regle|mach\\w{0,2}|dreh\\w{0,2}|dimm\\w{0,2}|fahr\\w{0,2}|heiz\\w{0,2}|bring\\w?|aender\\w?|schalt\\w{0,2}|erhoeh\\w{0,2}|senk\\w{0,2}|reduzier\\w{0,2}|will|moechte',
    '..',
    'auf|um',
    '#',
  ],
  ['set', 'de', 'stell\\w{0,2}|setz\\w{0,2}|mach\\w{0,2}|schalt\\w{0,2}', '..', 'auf'],
  ['set', 'de', 'stell\\w{0,2}|mach\\w{0,2}|dimm\\w{0,2}', '..', '#'],
  ['set', 'de', 'auf', '#'],
  ['set', 'de', 'auf', 'ein|eine|die', '#'],
  ['set', 'en', 'to|at', 'a|the', '#'],
  ['set', 'de', 'einstellen|einzustellen|regeln|stellen|setzen'],
  ['set', 'en', '#', '%|percent|degrees?'],
  ['set', 'de', '#', 'prozent|grad'],
  ['more', 'en', 'brighter|brighten|louder|warmer|hotter|faster|higher|increase'],
  ['more', 'en', 'turn|crank|bring|push', 'up'],
  ['more', 'en', 'turn|crank|bring|push', '..', '>up'],
  ['more', 'en', 'more'],
  ['more', 'de', 'heller|lauter|waermer|heisser|schneller|hoeher|mehr|aufhellen|erhoeh\\w{0,2}|aufdrehen|hochdrehen'],
  ['more', 'de', 'dreh\\w{0,2}|stell\\w{0,2}|regel\\w{0,2}', '..', '>auf|>hoch|>rauf'],
  ['less', 'en', 'dimmer|dim|darker|quieter|softer|colder|cooler|slower|decrease|reduce|darken'],
  ['less', 'en', 'turn|bring', 'down'],
  ['less', 'en', 'turn|bring', '..', '>down'],
  ['less', 'en', 'less'],
  [
    'less',
    'de',
    'dunkler|leiser|kaelter|kuehler|langsamer|niedriger|weniger|abdunkeln|dimm\\w{0,2}|herunterdrehen|runterdrehen|senk\\w{0,2}|reduzier\\w{0,2}|verringer\\w?',
  ],
  ['less', 'de', 'dreh\\w{0,2}|stell\\w{0,2}|regel\\w{0,2}', '..', '>runter|>herunter'],
  ['up', 'en', 'raise|lift'],
  ['up', 'en', '>up'],
  ['up', 'de', 'hochfahren|hochziehen|hochmachen|rauffahren|hochlassen'],
  ['up', 'de', 'fahr\\w{0,2}|zieh\\w{0,2}|mach\\w{0,2}|lass\\w?', '..', '>hoch|>rauf'],
  ['up', 'de', '>hoch|>rauf'],
  ['down', 'en', 'lower'],
  ['down', 'en', 'put|roll|pull|let|bring', '..', '>down'],
  ['down', 'en', '>down'],
  ['down', 'de', 'runterfahren|herunterlassen|runterlassen|runtermachen|ablassen'],
  ['down', 'de', 'fahr\\w{0,2}|zieh\\w{0,2}|mach\\w{0,2}|lass\\w?', '..', '>runter|>herunter'],
  ['down', 'de', '>runter|>herunter'],
  ['show', 'en', 'show|display|view'],
  ['show', 'en', 'let', 'me', 'see'],
  ['show', 'en', 'pull', 'up'],
  ['show', 'de', 'zeig\\w{0,2}|anzeigen'],
  ['record', 'en', 'record|film'],
  ['record', 'en', 'start', 'recording'],
  ['record', 'en', 'recording'],
  ['record', 'de', 'aufnehmen|aufzeichnen|mitschneiden|filme|filmen'],
  ['record', 'de', 'nimm|nehm\\w?|zeichne', '..', '>auf'],
  ['record', 'de', 'aufnahme|aufzeichnung', '..', 'starte\\w?|beginn\\w*|machen|an'],
  ['record', 'en', 'start|make|take', '..', 'recording|video'],
  ['record', 'de', 'starte\\w?', '..', 'aufnahme|aufzeichnung'],
  ['press', 'en', 'push'],
  ['press', 'de', 'drueck\\w{0,2}'],
  ['play', 'en', 'play'],
  ['play', 'de', 'spiel\\w{0,2}|abspielen'],
]

/** Words that may stand in for a number: shares and ends of a scale. */
export const SHARES: Readonly<Record<string, number>> = {
  half: 0.5,
  halb: 0.5,
  halbe: 0.5,
  halber: 0.5,
  haelfte: 0.5,
  halben: 0.5,
  full: 1,
  fully: 1,
  voll: 1,
  volle: 1,
  voller: 1,
  volles: 1,
  max: 1,
  maximum: 1,
  maximal: 1,
  maximale: 1,
  maximaler: 1,
  ganz: 1,
  minimum: 0,
  min: 0,
  minimal: 0,
  minimale: 0,
  minimaler: 0,
  quarter: 0.25,
  viertel: 0.25,
  third: 1 / 3,
  drittel: 1 / 3,
  dreiviertel: 0.75,
  fullest: 1,
  brightest: 1,
}

const AFTER_PARTICLE = new Set(
  'in im am auf bei beim und bitte jetzt mal wieder mit fuer sofort gleich danke oder ueber neben hinter vorne hinten oben unten draussen drinnen ueberall please now again and or for at thanks thank for immediately too also auch right everywhere there here dort hier da to so kurz schnell lassen sein werden wird ist gehen machen , ? ; : then dann of with inside outside as when um if falls wenn sobald until bis nach except excluding but without ausser ohne except'.split(
    ' ',
  ),
)
/** After an `on` in mid-sentence these begin a place, and the `on` is a preposition. */
const isParticleAt = (words: readonly Token[], i: number): boolean => {
  const next = words[i + 1]
  if (next === undefined) return true
  if (next.number !== undefined && !['an', 'auf', 'ein', 'zu', 'um'].includes(words[i]?.word ?? '')) return true
  return AFTER_PARTICLE.has(next.word)
}

type Step = { gap: true } | { gap: false; word: RegExp; particle: RegExp | undefined; isNumber: boolean }
const stepOf = (element: string): Step => {
  if (element === '..') return { gap: true }
  const parts = element.split('|')
  const particles = parts.filter((part) => part.startsWith('>')).map((part) => part.slice(1))
  return {
    gap: false,
    word: new RegExp(`^(?:${element})$`),
    particle: particles.length > 0 ? new RegExp(`^(?:${particles.join('|')})$`) : undefined,
    isNumber: element === '#',
  }
}
const compiled = PATTERNS.map(([family, language, ...elements]) => ({ family, language, steps: elements.map(stepOf) }))

const fits = (step: Exclude<Step, { gap: true }>, words: readonly Token[], i: number): boolean => {
  const token = words[i]
  if (token === undefined) return false
  if (step.isNumber) return token.number !== undefined || SHARES[token.word] !== undefined
  if (step.particle !== undefined) return step.particle.test(token.word) && isParticleAt(words, i)
  return step.word.test(token.word)
}

const MOST_BETWEEN = 14

/** The places of the words a pattern explains from `i` on; undefined when it does not fit there. */
const matched = (steps: readonly Step[], s: number, words: readonly Token[], i: number): number[] | undefined => {
  const step = steps[s]
  if (step === undefined) return []
  if (step.gap) {
    for (let j = i; j <= Math.min(words.length, i + MOST_BETWEEN); j++) {
      const rest = matched(steps, s + 1, words, j)
      if (rest !== undefined) return rest
    }
    return undefined
  }
  if (!fits(step, words, i)) return undefined
  const rest = matched(steps, s + 1, words, i + 1)
  return rest === undefined ? undefined : [i, ...rest]
}

/** Every verb that fits, the best first: most words explained, then the earliest. */
export const verbsIn = (words: readonly Token[]): Found[] => {
  const found: (Found & { rank: number })[] = []
  for (const [rank, { family, language, steps }] of compiled.entries()) {
    for (let i = 0; i < words.length; i++) {
      const at = matched(steps, 0, words, i)
      if (at === undefined) continue
      found.push({ family, language, at, rank, text: at.map((place) => words[place]?.word ?? '').join(' ') })
      break
    }
  }
  return found.sort((a, b) => b.at.length - a.at.length || (a.at[0] ?? 0) - (b.at[0] ?? 0) || a.rank - b.rank)
}
