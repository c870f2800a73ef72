// The rules: a sentence in, what was meant out. No model, no memory of its own, the same answer every time.
import { isDeepStrictEqual } from 'node:util'
import { answered } from './answers.ts'
import { readClause } from './clause-meaning.ts'
import type { Read } from './clause-wishes.ts'
import { clausesOf, isMark, spell } from './clauses.ts'
import { languageOf } from './fillers.ts'
import { explainedBy, readInPlace } from './joined-nouns.ts'
import { asCorrected } from './corrections.ts'
import { isGrave } from './intents.ts'
import { nearIntents } from './near.ts'
import { joined } from './numbers.ts'
import {
  AT_HOUR,
  ATTENTION,
  CANCEL,
  CONDITION,
  CONFIRM,
  DURATION,
  GREETING,
  HELP,
  LATER,
  NEGATED,
  NOT_A_NO,
  REMIND,
  SETS,
  STOP_ALL,
  SWITCHES,
  THANKS,
  WHETHER,
} from './phrases.ts'
import { isQuestion } from './questions.ts'
import { isTold } from './remarks.ts'
import { respelled } from './spelling.ts'
import { readQuestion } from './state-questions.ts'
import { withoutRemarks } from './topic.ts'
import type { Meant, Understander, Understanding, Wish, World } from './understander.ts'
import { verbsIn } from './verbs.ts'
import { vocabularyOf } from './vocabulary.ts'
import { worded } from './wording.ts'
import { tokens } from './words.ts'

/** Whether a later wish says the same of the same thing, or more: "turn it on and set it to 40 percent". */
const isWithin = (one: Wish, later: Wish): boolean =>
  one.device === later.device &&
  one.intent === later.intent &&
  isDeepStrictEqual({ ...later.payload, ...one.payload }, later.payload)

/** A little way that no number says: opened all the way would be more than was asked for. */
const EXTENT = /\b(?:an? (?:crack|gap|inch|slit|smidge)|(?:einen|nen|ein) (?:\w+ )?(?:spalt\w*|schlitz))\b/

/** Nobody says more at once; what follows is not read. */
const MOST_LETTERS = 2000

const read = (
  text: string,
  world: World,
  isStrict: boolean,
): Understanding & { isLoose?: boolean; isFragment?: boolean } => {
  const all = world.devices.map((device) => vocabularyOf(device, world.synonyms))
  const everyWord = joined(tokens(asCorrected(worded(text.slice(0, MOST_LETTERS)).replace(ATTENTION, ''))))
  const whole = spell(everyWord.filter((word) => !isMark(word)))
  const language = languageOf(everyWord, world.before.language ?? 'en')
  const plainly = (meant: Meant, matched: Understanding['matched'], confidence = 1): Understanding => ({
    meant,
    language,
    confidence,
    matched,
    considered: [],
  })
  const no = (why: 'negated' | 'later' | 'condition' | 'duration' | 'told', said: string, as: string): Understanding =>
    plainly({ kind: 'no', why, said }, [{ words: said, as }])

  if (whole === '') return plainly({ kind: 'unknown', near: [] }, [], 0)
  if (STOP_ALL.test(whole) && !NEGATED.test(whole))
    return plainly({ kind: 'stop' }, [{ words: whole, as: 'stop everything' }])
  if (CANCEL.test(whole)) return plainly({ kind: 'cancel' }, [{ words: whole, as: 'cancel' }])
  if (CONFIRM.test(whole) && verbsIn(tokens(whole).slice(1)).every(({ family }) => family === 'resume'))
    return plainly({ kind: 'confirm', phrase: text.trim() }, [{ words: whole, as: 'confirm' }])
  if (THANKS.test(whole)) return plainly({ kind: 'thanks' }, [{ words: whole, as: 'thanks' }])
  if (GREETING.test(whole)) return plainly({ kind: 'greeting' }, [{ words: whole, as: 'greeting' }])
  if (HELP.test(whole)) return plainly({ kind: 'help' }, [{ words: whole, as: 'help' }])

  const {
    words,
    before,
    isTold: onlyTells,
    told,
    isLoose,
    isFragment,
    stray,
  } = withoutRemarks(everyWord, all, world.before, isStrict)
  const bare = words.filter((word) => !isMark(word))
  const line = spell(bare)
  const scene: World = { ...world, before }
  if (isQuestion(words, text)) return readQuestion(bare, all, scene, language)
  if (onlyTells || isTold(line, text)) return no('told', line, 'told, not asked for')

  if (NEGATED.test(line) && !NOT_A_NO.test(line)) return no('negated', NEGATED.exec(line)?.[0] ?? '', 'no')
  const without = whole.replace(WHETHER, '')
  if (REMIND.test(whole)) return no('later', REMIND.exec(whole)?.[0] ?? '', 'later')
  if (LATER.test(whole)) return no('later', LATER.exec(whole)?.[0] ?? '', 'later')
  const hour = SETS.test(whole) || !SWITCHES.test(whole) ? undefined : AT_HOUR.exec(whole)?.[0]
  if (hour !== undefined) return no('later', hour, 'later')
  if (CONDITION.test(without)) return no('condition', CONDITION.exec(without)?.[0] ?? '', 'a condition')

  const narrowing = stray ?? EXTENT.exec(whole)?.[0]
  if (narrowing !== undefined)
    return {
      ...plainly({ kind: 'question', about: 'name', options: [], said: narrowing.slice(0, 80) }, [], 0.3),
      considered: [{ what: narrowing.slice(0, 80), why: 'may change what else was said' }],
    }

  const asSpelled = clausesOf(words, all)
  const other = asSpelled.some(({ verb }) => verb !== undefined) ? undefined : respelled(words, all)
  const clauses = other === undefined ? asSpelled : clausesOf(other, all)
  const { asked } = before
  if (asked !== undefined && clauses.every(({ verb }) => verb === undefined || verb.at.length <= 1)) {
    const read = answered(bare, all, asked, text)
    if (read !== undefined) return { language, ...read }
  }
  const reads: Read[] = []
  for (const clause of clauses) {
    const spokenOf = reads.flatMap(({ meant }) =>
      meant.kind === 'wishes' ? meant.wishes.map(({ device }) => device) : [],
    )
    const now = spokenOf.length === 0 ? scene : { ...scene, before: { ...before, devices: spokenOf, isStale: false } }
    const read = readClause(clause, text, all, now, clauses, other !== undefined)
    reads.push(
      readInPlace(read, clause, clauses, all, (one) => readClause(one, text, all, now, clauses, other !== undefined)),
    )
  }
  const duration = DURATION.exec(line)?.[0]
  const explained = explainedBy(reads, clauses)
  const bad = reads.find((one) => one.meant.kind !== 'wishes' && one !== explained)
  const good = reads.filter(({ meant }) => meant.kind === 'wishes')
  if (bad !== undefined && !(bad.meant.kind === 'unknown' && good.length > 0)) {
    if (duration !== undefined && bad.meant.kind === 'no' && bad.meant.why === 'limit')
      return no('duration', duration, 'a duration')
    if (clauses.some(({ verb }) => verb?.family === 'status')) return readQuestion(bare, all, scene, language)
    const meant: Meant =
      bad.meant.kind === 'unknown' ? { kind: 'unknown', near: nearIntents(text, world.devices) } : bad.meant
    return { language, meant, confidence: bad.confidence, matched: bad.matched, considered: bad.considered }
  }
  const wishes = good.flatMap(({ meant }) => (meant.kind === 'wishes' ? meant.wishes : []))
  const unique = wishes.filter((wish, i) => !wishes.some((one, j) => j > i && isWithin(wish, one)))
  if (
    duration !== undefined &&
    unique.some(
      ({ device, intent }) =>
        !Object.keys(all.find((one) => one.device.id === device)?.device.intents[intent] ?? {}).length,
    )
  )
    return no('duration', duration, 'a duration')
  return {
    language,
    meant: { kind: 'wishes', wishes: unique },
    confidence: Math.min(...good.map((one) => one.confidence)),
    matched: good.flatMap((one) => one.matched),
    considered: [
      ...good.flatMap((one) => one.considered),
      ...told.map((what) => ({ what: what.slice(0, 80), why: 'tells something, not looked at' })),
    ],
    isLoose,
    isFragment,
  }
}

/** Beside what may be more than a remark nothing grave is begun: then it is read as a part of the wish. */
const understand = (text: string, world: World): Understanding => {
  const { isLoose = false, isFragment = false, ...meant } = read(text, world, false)
  const wishes = meant.meant.kind === 'wishes' ? meant.meant.wishes : []
  const isBegun = wishes.some(({ device, intent }) => {
    const its = world.devices.find(({ id }) => id === device)
    return its === undefined || isGrave(its, intent)
  })
  const isSeveral = new Set(wishes.map(({ device }) => device)).size > 1
  if (!(isLoose && isBegun) && !(isFragment && isSeveral)) return meant
  const { isLoose: _, isFragment: __, ...strictly } = read(text, world, true)
  return strictly
}

/** The rules as an understander: sentences in English and German, without a language model. */
export const rules: Understander = { id: 'rules', tier: 'local', understand }
