// The rules: a sentence in, what was meant out. No model, no memory of its own, the same answer every time.
import { answered } from './answers.ts'
import { readClause } from './clause-meaning.ts'
import { clausesOf, isMark, spell } from './clauses.ts'
import { languageOf } from './fillers.ts'
import { nearIntents } from './near.ts'
import { joined } from './numbers.ts'
import {
  CANCEL,
  CONDITION,
  CONFIRM,
  CORRECTION,
  DURATION,
  HELP,
  LATER,
  NEGATED,
  NOT_A_NO,
  STOP_ALL,
  THANKS,
  WHETHER,
} from './phrases.ts'
import { isQuestion } from './questions.ts'
import { readQuestion } from './state-questions.ts'
import type { Meant, Understander, Understanding, World } from './understander.ts'
import { verbsIn } from './verbs.ts'
import { vocabularyOf } from './vocabulary.ts'
import { tokens } from './words.ts'

const understand = (spoken: string, world: World): Understanding => {
  const text = spoken.replace(CORRECTION, '')
  const all = world.devices.map((device) => vocabularyOf(device, world.synonyms))
  const words = joined(tokens(text))
  const bare = words.filter((word) => !isMark(word))
  const line = spell(bare)
  const language = languageOf(bare, world.before.language ?? 'en')
  const plainly = (meant: Meant, matched: Understanding['matched'], confidence = 1): Understanding => ({
    meant,
    language,
    confidence,
    matched,
    considered: [],
  })

  if (bare.length === 0) return plainly({ kind: 'unknown', near: [] }, [], 0)
  if (STOP_ALL.test(line) && !NEGATED.test(line))
    return plainly({ kind: 'stop' }, [{ words: line, as: 'stop everything' }])
  if (CANCEL.test(line)) return plainly({ kind: 'cancel' }, [{ words: line, as: 'cancel' }])
  if (CONFIRM.test(line) && verbsIn(bare.slice(1)).every(({ family }) => family === 'resume'))
    return plainly({ kind: 'confirm', phrase: text.trim() }, [{ words: line, as: 'confirm' }])
  if (THANKS.test(line)) return plainly({ kind: 'thanks' }, [{ words: line, as: 'thanks' }])
  if (HELP.test(line)) return plainly({ kind: 'help' }, [{ words: line, as: 'help' }])

  const question = isQuestion(words, text)
  if (question) return readQuestion(bare, all, world, language)

  if (NEGATED.test(line) && !NOT_A_NO.test(line))
    return plainly({ kind: 'no', why: 'negated' }, [{ words: NEGATED.exec(line)?.[0] ?? '', as: 'no' }])
  const without = line.replace(WHETHER, '')
  if (LATER.test(line))
    return plainly({ kind: 'no', why: 'later', said: LATER.exec(line)?.[0] ?? '' }, [
      { words: LATER.exec(line)?.[0] ?? '', as: 'later' },
    ])
  if (CONDITION.test(without))
    return plainly({ kind: 'no', why: 'condition', said: CONDITION.exec(without)?.[0] ?? '' }, [
      { words: CONDITION.exec(without)?.[0] ?? '', as: 'a condition' },
    ])

  const clauses = clausesOf(words, all)
  const asked = world.before.asked
  if (asked !== undefined && clauses.every(({ verb }) => verb === undefined || verb.at.length <= 1)) {
    const read = answered(bare, all, asked, text)
    if (read !== undefined) return { language, ...read }
  }
  const reads = clauses.map((clause) => readClause(clause, text, all, world, clauses))
  const duration = DURATION.exec(line)?.[0]
  const bad = reads.find(({ meant }) => meant.kind !== 'wishes')
  const good = reads.filter(({ meant }) => meant.kind === 'wishes')
  if (bad !== undefined && !(bad.meant.kind === 'unknown' && good.length > 0)) {
    if (duration !== undefined && bad.meant.kind === 'no' && bad.meant.why === 'limit')
      return plainly({ kind: 'no', why: 'duration', said: duration }, [{ words: duration, as: 'a duration' }])
    const meant: Meant =
      bad.meant.kind === 'unknown' ? { kind: 'unknown', near: nearIntents(text, world.devices) } : bad.meant
    return { language, meant, confidence: bad.confidence, matched: bad.matched, considered: bad.considered }
  }
  const wishes = good.flatMap(({ meant }) => (meant.kind === 'wishes' ? meant.wishes : []))
  const unique = wishes.filter(
    (wish, i) => wishes.findIndex((one) => JSON.stringify(one) === JSON.stringify(wish)) === i,
  )
  if (
    duration !== undefined &&
    unique.some(
      ({ device, intent }) =>
        !Object.keys(all.find((one) => one.device.id === device)?.device.intents[intent] ?? {}).length,
    )
  )
    return plainly({ kind: 'no', why: 'duration', said: duration }, [{ words: duration, as: 'a duration' }])
  return {
    language,
    meant: { kind: 'wishes', wishes: unique },
    confidence: Math.min(...good.map((one) => one.confidence)),
    matched: good.flatMap((one) => one.matched),
    considered: good.flatMap((one) => one.considered),
  }
}

/** The rules as an understander: sentences in English and German, without a language model. */
export const rules: Understander = { id: 'rules', tier: 'local', understand }
