// Parts of a sentence that tell and ask for nothing: "it's boiling in here", "der nervt", "I already switched it off".
import { isKnown, type Token } from './words.ts'

/** A subject and its verb in one: `it's`, `I'm`, `somebody's`. */
const CONTRACTED =
  /^(?:im|ive|its|hes|shes|weve|theyre|theyve|youre|youve|somebodys|someones|nobodys|everybodys|everyones|theres|thats|whats|heres|ill|well|youll|id|isnt|arent)$/
const SUBJECT =
  /^(?:i|we|it|he|she|they|you|there|that|this|these|those|somebody|someone|nobody|everybody|everyone|people|ich|wir|er|sie|es|der|die|das|jemand|niemand|hier|da|dort|draussen|drinnen|mir|uns|man|alle|ihr|du)$/
const ARTICLE = /^(?:the|my|our|your|his|her|a|an|that|this|der|die|das|mein\w*|unser\w*|dein\w*|ein|eine)$/
const VERB =
  /^(?:is|are|was|were|be|been|has|have|had|got|gets|goes|going|went|comes?|came|cant|cannot|dont|doesnt|didnt|wont|smells?|stinks?|looks?|sounds?|seems?|feels?|hates?|loves?|keeps?|makes?|made|think|know|guess|see|hear|leave|leaving|forgot|left|bin|bist|ist|sind|war|waren|hat|habe|hab|haben|hatte|wird|werde|werden|kommt|kommen|komme|gehe|geht|gehen|nervt|nerven|stinkt|riecht|zieht|friert|friere|klingelt|schlaeft|schlafen|brauche|mag|muss|weiss|hoere|sehe|glaube)$/
/** With one of these a telling sentence asks for something all the same. */
const ASKS =
  /^(?:want|wants|wanna|need|needs|should|shall|must|please|bitte|gotta|better|let|lets|can|could|would|will|soll|sollen|sollte|sollten|moechte|moechten|will|wollen|haette|haetten|kannst|kann|koennte|koenntest|koennt|wuerde|wuerdest|brauchen|brauch|brauche|muss|muessen|darf|may|mal)$/
const CAUSE = /^(?:because|cause|cos|coz|weil|denn|since)$/

/** What hangs on a condition or a time is never left out. */
export const CONDITIONAL =
  /^(?:if|when|whenever|unless|until|till|once|after|before|as|wenn|falls|sobald|sofern|bis|solange|bevor|nachdem|erst)$/

/** Words in front of what is told: `and it's late`. */
const LINK = /^(?:and|but|so|und|aber|also|oh|ach|well|now|jetzt|na|hey|uh|um|because|cause|cos|coz|weil|denn|since)$/

const bareOf = (part: readonly Token[]): string[] => {
  const words = part.map(({ word }) => word)
  const from = words.findIndex((word) => !LINK.test(word))
  return from < 0 ? [] : words.slice(from)
}

/** Whether a part of a sentence, between commas, only tells something. `isNoun` knows the things there are. */
export const isRemark = (part: readonly Token[], isNoun: (word: string) => boolean): boolean => {
  const words = bareOf(part)
  const [first = '', second = '', third = '', fourth = ''] = words
  if (words.some((word) => CONDITIONAL.test(word))) return false
  if (first === 'i' && second === 'am') return words.length > 2
  if (words.some((word) => ASKS.test(word)) && !/^(?:cant|dont)$/.test(second)) return false
  if (first === 'id') return false
  if (CAUSE.test(part[0]?.word ?? '') && words.length > 1) return true
  // `im Flur` is no `I'm`.
  if (first === 'im' && isKnown(second) && !/ing$/.test(second)) return false
  if (CONTRACTED.test(first)) return words.length > 1
  const isVerb = (word: string): boolean => VERB.test(word) || (/^[a-z]{3,}(?:ing|t)$/.test(word) && !isNoun(word))
  if (SUBJECT.test(first) && VERB.test(second)) return true
  if (/^(?:der|er|sie|es|das|die|it|he|she)$/.test(first) && words.length === 2 && isVerb(second)) return true
  return (
    ARTICLE.test(first) &&
    words.length > 2 &&
    (isVerb(third) || VERB.test(fourth) || (/s$/.test(second) && /ing$/.test(third)))
  )
}

const TOLD =
  /^(?:(?:i|we|he|she|they|somebody|someone|you)(?: ve| have| had| has)?(?: already| just)+ \w+|(?:i|we|he|she|they|somebody|someone) (?:have|had|has) (?:already |just )?\w+(?:ed|t|n)\b|(?:ive|weve|hes|shes|theyve|somebodys|someones) (?:already |just )?\w+(?:ed|ut|t|n)\b|(?:i|we|he|she|they) (?:turned|switched|closed|opened|locked|started|stopped|forgot|left|saw|heard|noticed|bought|fixed|broke|changed)\b|(?:ich|wir|er|sie|jemand) (?:habe|hab|haben|hat|hatte|hatten)\b.*(?:\w*ge\w+t|\w*ge\w+en|schon|bereits)\b)/
const STANDS =
  /^(?:the|der|die|das|my|our|mein\w*|unser\w*|it|its|es|this|that|alle|all) (?:.* )?(?:is|are|was|were|has been|have been|ist|sind|war|waren|wurde|wurden|ging|gingen|works?|worked|funktioniert|laeuft|lief)\b/

/** A whole sentence that tells what has been done or how something is, and asks for nothing. */
export const isTold = (line: string, text: string): boolean =>
  !text.includes('?') &&
  (TOLD.test(line) ||
    (STANDS.test(line) && !/\b(?:should|supposed|soll|sollen|sollte|please|bitte|to be)\b/.test(line)))
