// Questions about how things are: how they are recognised, and which part of a state answers them.
import { verbsIn } from './verbs.ts'
import type { Token } from './words.ts'

const ASKS =
  /^(?:is|are|was|were|what|whats|which|who|how|hows|where|when|why|does|do|did|has|have|isnt|arent|ist|sind|war|wie|was|welche\w?|wer|wo|warum|wann|laeuft|laufen|brennt|brennen|steht|stehen|hat|hast|habt|hab|habe|haben|hatte|hatten|wurde|wurden|had|gibt|leuchtet|leuchten|druckt|schneidet|spielt|heizt|dreht|arbeitet|faehrt|nimmt|funktioniert|any|anything|anyone|wieviel|bist|schlaeft|kommt|wohin|woher|wessen|wozu)$/
const INDIRECT =
  /\b(?:tell me (?:if|whether|what|how|the)|do you know|can you tell|could you tell|check (?:if|whether|the|on)|see if|let me know|i want to know|give me the|sag(?:e|st)? mir|weisst du|schau(?:e|st)? (?:mal )?(?:ob|nach)|pruefe? (?:mal )?ob|pruef mal|kontrollier\w* ob|check mal|guck(?:e|st)? (?:mal )?(?:ob|nach)|ob (?:der|die|das)|wie (?:ist|steht|viel|warm|hell|voll|weit)|whats the|what is the|how is|how far|how long|read me)\b/
const POLITE =
  /^(?:(?:hey|hi|hallo|ok|okay|jarvis|computer|bitte|please|so|und|and|sag|mal|now) )*(?:can|could|would|will|may|kannst|koenntest|koennten|koennen|wuerdest|wuerden|magst|darf|can we|soll|sollen|how about|what about|why dont|do me|hast du lust)\b/
/** "In welchem Modus …", "at what speed …" */
const WHICH = /^(?:in|auf|an|mit|bei|at|to|on|from|for) (?:welch\w+|what|which|wie|wem)\b/
/** Asks for a judgement, not for the thing: "should I turn off the laser?" */
const ADVICE =
  /^(?:(?:und|and|so|hey|jarvis) )*(?:(?:should|shall|must|do|does|soll|sollen|sollte|sollten|muss|muessen) (?:i|we|one|ich|wir|man)\b|(?:can|kann|darf) (?:one|man)\b|(?:can|should|must|shall) (?:the|my|our|that|this|it|they)\b.*\bbe\b|kann (?:der|die|das) .*\bwerden\b)/
const POSSIBLE =
  /\b(?:is it possible|would it be possible|ist es moeglich|waere es moeglich|geht es dass|would you mind)\b/
/** The device is to be asked, not the hub. */
const ASK_DEVICE =
  /\b(?:get|fetch|request|query|poll|refresh|update|pull|ask|hol\w?|frag\w?|aktualisier\w*|ruf\w?|fordere?)\b.*(?:status|zustand)\b|(?:status|zustand)\b.*\b(?:abfragen|abrufen|holen|aktualisieren|auslesen)\b/
const READINGS = ['temperature', 'humidity']
const STATUS = /\b(?:status|zustand|stand)\b/

/** Whether a sentence wants to know, not to have done. "Can you turn on …?" wants it done. */
export const isQuestion = (words: readonly Token[], text: string): boolean => {
  const bare = words.filter(({ word }) => !/^[?,;:]$/.test(word)).map(({ word }) => word)
  const line = bare.join(' ')
  if (POSSIBLE.test(line)) return false
  if (ASK_DEVICE.test(line)) return false
  if (INDIRECT.test(line)) return true
  if (WHICH.test(line)) return true
  if (ADVICE.test(line) && !/\b(?:please|bitte)\b/.test(line)) return true
  if (POLITE.test(line)) return false
  if (STATUS.test(line)) return true
  const first =
    bare.find(
      (word) =>
        ![
          'hey',
          'hi',
          'hallo',
          'jarvis',
          'computer',
          'ok',
          'okay',
          'so',
          'und',
          'and',
          'now',
          'mal',
          'denn',
          'eigentlich',
          'sag',
          'bitte',
          'please',
        ].includes(word),
    ) ?? ''
  if (first === 'do' && bare[bare.indexOf('do') + 1] === 'not') return false
  if (first === 'have' && !text.includes('?')) return false
  if (ASKS.test(first)) return true
  // "Temperature in the wood shop?"
  return text.trim().endsWith('?') && verbsIn(words).length === 0 && READINGS.includes(aspectOf(words) ?? '')
}

/** Words of a question that name no device. */
export const QUESTION_WORDS: ReadonlySet<string> = new Set(
  'hast habt hab habe hatte hatten wurde wurden had gestartet gestoppt ausgemacht angemacht zugemacht aufgemacht welche welcher welches welchen du spaet like doing showing recording playing spinning blowing cutting drawing using anything something was los is are was were what whats which who how hows where when why does do did has have ist sind war wie wer wo warum wann laeuft laufen brennt brennen steht stehen hat haben gibt leuchtet leuchten on off open opened closed shut locked unlocked running idle busy hot warm cold offen auf zu geschlossen geoeffnet abgeschlossen verriegelt an aus ein eingeschaltet ausgeschaltet angeschaltet heiss kalt warm bright hell status state zustand stand tell know check whether if ob sag sage weisst schau schaue pruef pruefe guck moment now any anyone somebody someone jemand viel viele many much far weit long lange doing going finished fertig done ready bereit printing druckt printed turned switched active aktiv currently gerade noch still left uebrig value reading wert value report fein los mit about current jetzt aktuelle aktuellen aktueller let want give read me per cent eigentlich denn isnt arent there'.split(
    ' ',
  ),
)

const ASPECTS: readonly (readonly [string, RegExp])[] = [
  ['temperature', /^(?:temperature|temp|temperatur|warm|hot|cold|kalt|heiss|degrees|grad|celsius)$/],
  ['humidity', /^(?:humidity|humid|luftfeuchtigkeit|luftfeuchte|feucht|feuchtigkeit)$/],
  ['open', /^(?:open|opened|offen|geoeffnet|auf)$/],
  ['closed', /^(?:closed|shut|zu|geschlossen)$/],
  ['locked', /^(?:locked|abgeschlossen|verriegelt|abgesperrt|unlocked|zugesperrt)$/],
  ['off', /^(?:off|aus|ausgeschaltet)$/],
  ['on', /^(?:on|an|ein|eingeschaltet|angeschaltet|brennt|brennen|leuchtet|leuchten)$/],
  ['running', /^(?:running|laeuft|laufen|active|aktiv|busy|printing|druckt|schneidet)$/],
  ['progress', /^(?:far|weit|progress|fortschritt|finished|fertig|done|long|lange|layer)$/],
  ['level', /^(?:bright|hell|brightness|helligkeit|level|percent|prozent)$/],
  ['occupied', /^(?:anyone|somebody|someone|jemand|anybody|people|leute|occupied)$/],
]

/** What about a thing is asked. */
export const aspectOf = (words: readonly Token[]): string | undefined =>
  ASPECTS.find(([, pattern]) => words.some(({ word }) => pattern.test(word)))?.[0]
