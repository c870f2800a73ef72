// Parts of a sentence beside a whole wish that give a reason or a mood: "…, something's burning!", "…, chop chop", "…, bin fertig". What could narrow the wish is none.
import { isUnit } from './amounts.ts'
import { isOptionWord } from './fields.ts'
import { everyword, fillers } from './fillers.ts'
import { CONDITIONAL } from './remarks.ts'
import { saidIn } from './said.ts'
import { SHARES } from './verb-patterns.ts'
import { verbsIn } from './verbs.ts'
import { type Known, WEAK } from './vocabulary.ts'
import { isKnown, meaningOf, type Token } from './words.ts'

/** With one of these a part may change what is wished, when, how or whether. */
const NARROWS =
  /^(?:not|no|never|dont|doesnt|didnt|wont|isnt|arent|cant|cannot|without|except|besides|excluding|only|just|but|instead|rather|else|otherwise|first|next|wait|hold|stop|halt|forget|cancel|undo|mean|meant|mind|kidding|joking|mistake|wrong|later|soon|then|afterwards|tomorrow|tonight|minutes?|seconds?|hours?|while|during|every|one|ones|other|others|another|both|same|again|too|maybe|perhaps|unsure|probably|instead|slowly|slow|gently|carefully|softly|quietly|dimmed|dimly|low|high|nicht|nichts|kein\w*|nie|niemals|ohne|ausser|nur|bloss|aber|statt|stattdessen|lieber|sonst|zuerst|erst|warte\w*|moment|vergiss|meine|meinte|falsch\w*|versehen|scherz|spass|witz|ueberleg\w*|spaeter|nachher|bald|gleich|dann|danach|morgen|abends?|nachts?|minuten?|sekunden?|stunden?|waehrend|jede\w*|eine[rsn]?|ander\w*|beide\w*|auch|nochmal|wieder|vielleicht|langsam|vorsichtig|sachte|sanft|leise|gedimmt|niedrig|hoch|doch|egal|obwohl|although|though|whether|ob|which|where|welche\w*|wo|dort|drueben|sometimes?|eventually|anytime|someday|occasionally|regularly|often|always|irgendwann|manchmal|regelmaessig|oefters?|immer|eventuell|zeitweise|noon|midnight|mittags?|left|right|upper|lower|inner|outer|links|rechts|oben|unten|vorne|hinten|outside|inside|upstairs|downstairs|draussen)$/

const PERSON =
  /^(?:i|we|he|she|they|someone|somebody|something|everyone|everybody|people|ich|wir|jemand|einer|alle|man|leute|etwas|was|irgend(?:was|etwas|wer|jemand|einer))$/
/** A person and the verb in one. */
const CONTRACTED = /^(?:im|ive|were|weve|hes|shes|theyre|theyve|someones|somebodys|somethings|everyones|everybodys)$/
const THING = /^(?:mir|mich|uns|it|es|er|sie|da|hier|das|that|there|here|gleich)$/
const ASKS =
  /^(?:want|wants|wanna|like|love|prefer|wish|need|needs|should|shall|must|please|bitte|better|let|lets|can|could|would|will|soll|sollen|sollte|sollten|moechte|moechten|will|wollen|haette|haetten|kann|koennte|koennten|wuerde|wuerden|brauchen|brauch|brauche|muss|muessen|darf|may|might|mag|moegen|gotta)$/
/** Said without a subject: `bin fertig`, `all done`, `gotta run`. */
const BRIEF =
  /^(?:(?:im|am|were|bin|sind|bist)? ?(?:all |schon |hier |jetzt |endlich )*(?:done|finished|fertig|durch|weg|gone|ready|bereit|soweit|hungry|tired|muede|home)(?: here| now| for today| for the day| hier| fuer heute| damit)*|(?:gotta|have to|got to|need to|must|muss|muessen|off to|time to|zeit zu|zeit fuer) \w+(?: home| now| los| nach hause)?|(?:feierabend|lunchtime|hometime|mahlzeit|home time|will (?:mal |kurz |eben )*(?:gucken|schauen|sehen|nachsehen|nachschauen)|lunch time|end of shift|schichtende|mittagspause|time for lunch|off home|lets (?:rock|roll|go|do this|dance|get (?:started|going|to work|on with it))|(?:los|auf|ab) gehts|(?:here|off) we go|an die arbeit|all (?:set|clear|good|ready)|alles (?:bereit|klar|gut|ok|sicher|frei)|everything(?:s| is) (?:ready|set|fine|in place|clear)|thanks a (?:lot|million|bunch)|vielen dank|danke (?:schoen|dir))(?: now| jetzt)?)$/
/** Moods that ask for hurry, or for nothing. */
const HURRY =
  /^(?:chop|quick|quickly|hurry|fast|pronto|snappy|sharpish|rapido|asap|move|it|up|make|come|on|go|now|please|come|schnell|schneller|zackig|zack|dalli|flott|fix|hopp|husch|los|tempo|beeilung|beeil|dich|komm|mach|schon|hinne|marsch|ein|bisschen|bitte|aber|ganz|and|und|be|about|step|lively|thanks|danke|man|mate|buddy|love|darling|folks|guys|leute|jungs|chef|boss|alter|schatz|mensch|quick|jetzt|pretty|yay|juhu|hurra|woohoo|hooray|yippee|ta|sweet|nice|cool|super|toll|prima|klasse|sapperlot|wow|ugh|phew|puh|brr|igitt|yuck|ouch|aua|autsch|heavens|christ|god|gott|himmel|herrje|verflixt|verdammt|damn|bloody|hell)$/
const HURRIES =
  /^(?:chop|quick|quickly|hurry|pronto|snappy|sharpish|rapido|asap|lively|zackig|zack|dalli|flott|fix|hopp|husch|tempo|beeilung|beeil|hinne|marsch|schnell|thanks|danke|mate|buddy|man|darling|love|chef|boss|alter|schatz|mensch|leute|jungs|folks|guys|yay|juhu|hurra|woohoo|hooray|yippee|ta|nice|cool|super|toll|prima|klasse|wow|ugh|phew|puh|brr|igitt|yuck|ouch|aua|autsch|heavens|christ|god|gott|himmel|herrje|verflixt|verdammt|damn|hell)$/
const WEATHER =
  /^(?:(?:its|it is|es ist|ist|is) )?(?:(?:far |way |viel )?(?:too|so|zu|ganz schoen|ziemlich|pretty|quite|really|very|sehr|echt|richtig|wirklich|voll|getting|bloody|damn|freezing) ?)+(?:dark|bright|loud|noisy|cold|hot|warm|stuffy|dusty|smoky|messy|dunkel|finster|hell|laut|kalt|heiss|warm|stickig|staubig|rauchig)?(?: in here| here| hier| hier drin| hier drinnen| out there)*$/

/** Beside what is grave these hold back, whatever sentence they are in. */
const HOLDS =
  /^(?:not|never|mind|yet|wait|hands?|fingers?|arm|stuck|injured|hurt|nicht|noch|kein\w*|ueberlegt|anders|verletzt|haende|unsicher|unsure|guards?|visitors?|child\w*|kids?|kinder|kind|underneath|darunter|schutzhaube|haube)$/

/** Whether what somebody tells is a reason to ask back before anything grave is begun. */
export const isHoldingBack = (part: readonly Token[]): boolean => part.some(({ word }) => HOLDS.test(word))

/** "All lights off, I'm still working in the hall": says what is not meant. */
const STILL =
  /^(?:im|i|were|we|shes|she|hes|he|theyre|someones|somebodys|ich|wir|jemand)\b.*\b(?:still|noch)\b.*\b(?:in|im|am|at|on)\b/
export const isStillThere = (part: readonly Token[]): boolean => STILL.test(part.map(({ word }) => word).join(' '))

/** A part that asks for nothing itself, and yet may change what its neighbours ask for: "only the left one", "we need the hall light". */
export const isStray = (part: readonly Token[], all: readonly Known[], elsewhere: ReadonlySet<string>): boolean => {
  const [first = '', second = ''] = part.map(({ word }) => word)
  if (isStillThere(part)) return true
  if (
    part.length < 2 ||
    part.some(({ number, word }) => number !== undefined && !/^(?:an?|eine?[rnms]?|one)$/.test(word))
  )
    return false
  if (/^(?:only|nur|bloss)$/.test(first) || (/^(?:i|we|ich|wir)$/.test(first) && /^(?:only|just|nur)$/.test(second)))
    return verbsIn(part).length === 0
  return (
    /^(?:i|we|ich|wir)$/.test(first) &&
    verbsIn(part).length === 0 &&
    (isHoldingBack(part) ||
      part.some(
        (token) =>
          !fillers.has(token.word) &&
          meaningOf(token).atoms.some((atom) => !elsewhere.has(atom) && all.some(({ all: its }) => its.has(atom))),
      ))
  )
}

const NOBODY =
  /^(?:(?:da|hier|es|there|theres|there is) )?(?:ist |is )?(?:eh |ja |doch )?(?:keiner|niemand|nobody|nobodys|no one|noone|no ones)(?: is| ist| mehr)* (?:da|hier|there|here|drin|in|home|around|left|zuhause|daheim)(?: any ?more| mehr)?$/
const SENSES =
  /^(?:(?:i|we|you|ich|man|wir|hier) )?(?:can(?:no)?t|can (?:hardly|barely)|kann|koennen|sehe?n?|sieht|versteh\w*|hoere?n?|hoert) (?:(?:ja|hier|man|ich|gar|myself|ourselves|even|hardly|kaum|anything|mein eigenes|a) )*(?:see|hear|breathe|sleep|think|concentrate|nichts|nix|kein wort|kaum was|word|thing)(?: (?:a thing|anything|sehen|hoeren|mehr|schlafen|think|myself think|in here|here|hier))*$/
/** What fills a room: no thing that could be switched. */
const AIRY: ReadonlySet<string> = new Set(['smoke', 'dust', 'water', 'air'])

/** `fragment`: no whole clause; it cannot narrow a wish for one thing, and may narrow one for several. */
export type Telling = 'sure' | 'loose' | 'fragment'

const LINK = /^(?:and|but|so|und|aber|also|oh|ach|well|na|hey|uh|um|because|denn|weil)$/

/** Indefinite: nobody waits for this, it says why. */
export const BEFORE_ANYONE =
  /^(?:before|bevor) (?:noch )?(?:someone|somebody|anyone|anybody|something|anything|jemand|einer|was|etwas) \w+/

/**
 * Whether a part beside a whole wish only tells why or in what mood: `sure` when its form says so, `loose` when it may be more than that,
 * so that nothing grave is begun beside it. `elsewhere` are the things the rest of the sentence names.
 */
export const tellingOf = (
  part: readonly Token[],
  all: readonly Known[],
  elsewhere: ReadonlySet<string>,
): Telling | undefined => {
  const from = part.findIndex(({ word }) => !LINK.test(word))
  const words = from < 0 ? [] : part.slice(from)
  const line = words.map(({ word }) => word).join(' ')
  const [first = '', second = '', third = ''] = words.map(({ word }) => word)
  if (first === '' || words.length > 14) return undefined
  const isAmount = ({ word, number }: Token): boolean =>
    (number !== undefined && !/^(?:an?|eine?[rnms]?|one)$/.test(word)) ||
    (Object.hasOwn(SHARES, word) && !/^(?:ganz|voll)$/.test(word)) ||
    (number === undefined && /^[a-z]{3,}$/.test(word) && isUnit(word))
  if (words.some(isAmount)) return undefined
  if (HURRIES.test(first) && words.every(({ word }) => HURRY.test(word))) return 'sure'
  if (words.every(({ word }) => HURRY.test(word)) && words.some(({ word }) => HURRIES.test(word))) return 'sure'
  // Said twice: "chop chop".
  if (
    words.length === 2 &&
    first === second &&
    verbsIn([{ word: first }]).length === 0 &&
    !isKnown(first) &&
    !NARROWS.test(first)
  )
    return 'sure'
  if (WEATHER.test(line) || NOBODY.test(line) || SENSES.test(line)) return 'sure'
  const rest = BEFORE_ANYONE.test(line) ? words.slice(2) : words
  if (rest.some(({ word }) => NARROWS.test(word) || CONDITIONAL.test(word))) return undefined
  if (rest.some(({ word }) => isOptionWord(word))) return undefined
  const named = new Set(all.flatMap(({ all: atoms }) => [...atoms]))
  // "Wir sägen jetzt": what follows a person is what that person does.
  const does = PERSON.test(first) && !ASKS.test(second) ? words[1] : undefined
  const isForeign = rest.some(
    (token) =>
      token !== does &&
      !fillers.has(token.word) &&
      meaningOf(token).atoms.some((atom) => named.has(atom) && !WEAK.has(atom) && !elsewhere.has(atom)),
  )
  if (BRIEF.test(line)) return 'sure'
  if (isForeign) return undefined
  if (rest !== words) return words.some(({ word }) => everyword.has(word)) ? undefined : 'loose'
  const hasNoun = rest.some(
    (token) => isKnown(token.word) && !meaningOf(token).atoms.every((atom) => elsewhere.has(atom) || WEAK.has(atom)),
  )
  if (CONTRACTED.test(first) && words.length > 1 && first !== 'im') return ASKS.test(second) ? undefined : 'sure'
  if (PERSON.test(first) && words.length > 1) {
    if (!ASKS.test(second) && !ASKS.test(third)) return 'sure'
    // "I need compressed air", "ich muss los": no verb that something could be asked with.
    const isPlain = !words.some(({ word }) =>
      /^(?:on|off|an|aus|ein|ab|it|them|this|that|es|ihn|die|das|den|open|closed|offen|zu)$/.test(word),
    )
    // "Ich will sägen" beside the band saw says the same again.
    const isSame = words.slice(2).every((token) => meaningOf(token).atoms.every((atom) => elsewhere.has(atom)))
    if (isPlain && isSame && words.length > 2) return 'sure'
    return isPlain &&
      words.length > 2 &&
      (verbsIn(words.slice(1)).length === 0 || third === 'to' || /^(?:muss|muessen|must|gotta)$/.test(second)) &&
      !saidIn({ words: words.slice(2), taken: new Set(), all }).isGuess
      ? 'loose'
      : undefined
  }
  if (
    !hasNoun &&
    /^(?:the |die |der |das )?\w+(?: is| are| ist| sind)? (?:here|done|finished|over|ready|coming|da|fertig|vorbei)$/.test(
      line,
    )
  )
    return 'loose'
  const isThird = /(?:s|t|te|ed|en)$/.test(second) && second.length > 2 && !isKnown(second)
  if (THING.test(first) && words.length > 1 && !hasNoun && isThird && !ASKS.test(second)) return 'sure'
  // "Goggles are on": of something that is no device.
  if (/^(?:is|are|was|ist|sind|war|hat|has)$/.test(second) && !/^(?:what|which|who|how|was|wer|wie|wo)$/.test(first))
    return 'sure'
  const isOther = rest.some(
    (token) => isKnown(token.word) && !meaningOf(token).atoms.every((atom) => elsewhere.has(atom) || AIRY.has(atom)),
  )
  if (isOther || words.some(({ word }) => everyword.has(word)) || ASKS.test(first)) return undefined
  if (/^(?:my|our|mein\w*|unser\w*)$/.test(first)) return 'fragment'
  // "Carefully", "on weekdays": a manner or a time.
  if (
    words.some(({ word }) =>
      /(?:ly|ish|wise|weise|sam|days?|tags?|weeks?|woche|months?|monat|nights?|clock)$/.test(word),
    )
  )
    return undefined
  const isNew = words.some(({ word }) => !fillers.has(word) && /[a-z]{3}/.test(word))
  return isNew && words.length <= 6 && verbsIn(words).length === 0 && !saidIn({ words, taken: new Set(), all }).isGuess
    ? 'fragment'
    : undefined
}
