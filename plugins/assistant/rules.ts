// The rules: a sentence in, what was meant out. No model, no memory of its own, the same answer every time.
import type { Device } from '#hub/plugin'
import { everyword, fillers, languageOf, pronouns } from './fillers.ts'
import { catalogue, familyOf, intentsFor, isGrave, meantFor, verbOf } from './intents.ts'
import { joined } from './numbers.ts'
import { amountsIn, fieldsOf, fill, isUnit, optionWords, quoted } from './payload.ts'
import { isQuestion, QUESTION_WORDS, aspectOf } from './questions.ts'
import { type Known, saidIn, spelled, type Target, targetsOf, vocabularyOf } from './targets.ts'
import type { Before, Meant, Understander, Understanding, Wish, World } from './understander.ts'
import { type Family, type Found, SHARES, verbsIn } from './verbs.ts'
import { apart, meaningOf, type Token, tokens } from './words.ts'

const CANCEL =
  /^(?:(?:no|nein|nee|noe|stop|stopp|halt|cancel|abort|abbrechen|abbruch|never mind|nevermind|forget it|forget that|vergiss es|lass es|lass das|lieber nicht|doch nicht|dont|do not|cancel that|cancel it|abort that|brich ab|nicht|stop that|no thanks|nein danke|leave it|lass gut sein|zurueck|quit|undo)[ ,]*)+(?:please|bitte|jarvis|thanks|danke)*$/
const CONFIRM =
  /^(?:(?:confirm|proceed|yes|ja|jawohl|go ahead|bestaetigen?|bestaetigt|ich bestaetige|confirmed|ok|okay|sure)(?: .*)?|do it|mach das|mach es|tu es)$/
const CORRECTION =
  /^.*\b(?:i mean|i meant|no wait|ich meine|ich meinte|nein warte|sorry|besser gesagt|quatsch)[ ,.:…]+/i
const STOP_ALL =
  /\b(?:emergency stop|e stop|estop|not ?aus|notstopp?|not ?halt|stop (?:everything|all machines|all|the whole (?:shop|workshop))|everything stop|halt everything|alles (?:stopp?(?:en)?|anhalten|halt)|stopp? (?:alles|alle maschinen)|halte? (?:alles|alle maschinen) an|alle maschinen (?:stopp?(?:en)?|anhalten|halt))\b/
const THANKS = /^(?:thanks?(?: you)?|danke(?: schoen| dir)?|thx|cheers|great|super|perfekt|prima)(?: .{0,20})?$/
const HELP = /^(?:help|hilfe|what can you do|what can i say|was kannst du(?: alles)?|was kann ich sagen)$/
const NEGATED =
  /\b(?:dont|do not|never|must not|should not|shouldnt|wont|cant|niemals|nicht(?! (?:so|ganz|mehr))|auf keinen fall|keinesfalls|kein(?:e|en)?(?!(?: \w+)* mehr))\b/
const NOT_A_NO =
  /\b(?:why not|warum nicht|koenntest du nicht|kannst du nicht|wouldnt you|couldnt you|cant you|wont you|not so|nicht mehr|anymore)\b/
const CONDITION =
  /\b(?:if|when|whenever|once|unless|until|as soon as|wenn|falls|sobald|sofern|bis|solange|immer|always|every (?:day|morning|evening|night)|jeden (?:tag|morgen|abend))\b/
const WHETHER =
  /\b(?:tell me if|check if|see if|know if|wenn (?:du|sie|es) (?:kannst|koenntest|koennen|geht|moeglich)|if (?:you|it|possible)|when you (?:can|get)|at once|bis auf|once more|once again|all at once|immer noch|once)\b/
const LATER =
  /\b(?:in (?:\d+|an?|one|two|three|five|ten|fifteen|twenty|thirty|half|einer?|zwei|drei|fuenf|zehn|fuenfzehn|zwanzig|dreissig) ?(?:an? |halben? )?(?:s|sec|seconds?|min|minutes?|minuten?|hours?|stunden?|sekunden?|tagen?|days?|h)|(?:at|by|um|gegen|ab|after|nach) (?:\d{1,2}(?:[:.]\d\d)?|halb \w+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight|eins|zwei|drei|vier|fuenf|sechs|sieben|acht|neun|zehn|elf|zwoelf) ?(?:am|pm|oclock|o clock|uhr)|at (?:noon|midnight|sunset|sunrise)|tomorrow|morgen (?:frueh|abend|um|mittag)|uebermorgen|heute (?:abend|nacht|nachmittag)|later|spaeter|tonight|nachher|next (?:week|monday))\b/
const DURATION =
  /\b(?:for|fuer) (?:(?:the )?(?:next|die naechsten?) )?(?:\d+|an?|one|two|three|five|ten|fifteen|twenty|thirty|einer?|eine|zwei|drei|fuenf|zehn|fuenfzehn|zwanzig|dreissig|half an) ?(?:s|sec|seconds?|min|minutes?|minuten?|hours?|stunden?|sekunden?|h)\b|\b(?:\d+|zehn|fuenf|zwanzig|dreissig) (?:minuten|stunden|sekunden) lang\b/
const EXCEPT = new Set('except excluding but without ausser ohne bis'.split(' '))
const AND = new Set(['and', 'und', 'then', 'dann', 'sowie', 'plus', 'also'])
const MOST_WISHES = 50
const MOST_OPTIONS = 8

/** With one of these a light is not meant to go on, whatever else is missing from the sentence. */
const LESS_LIGHT =
  /^(?:off|out|aus|ab|no|without|ohne|kein\w*|dark|dunkel|weg|away|down|runter|broken|kaputt|stop|halt)$/
const OTHER_WAYS: readonly Family[] = ['up', 'down', 'more', 'less', 'lock', 'unlock']
const PURPOSE =
  /^(?:night|nacht|day|tag|weekend|wochenende|evening|abend|now|moment|guests|gaeste|meeting|kids|kinder|sake|others)$/
const spell = (words: readonly Token[]): string => words.map(({ word }) => word).join(' ')
const isMark = ({ word }: Token): boolean => /^[?,;:]$/.test(word)

/** A part of a sentence with one verb. */
interface Clause {
  words: Token[]
  verb: Found | undefined
}

const strong = (found: Found | undefined): boolean => found !== undefined

/** Splits at `and`, `then` and commas, but not inside the name of a device. */
const clausesOf = (words: readonly Token[], all: readonly Known[]): Clause[] => {
  const names = new Set<number>()
  for (const { phrases } of all)
    for (const phrase of phrases)
      if (phrase.some((word) => AND.has(word)))
        for (let i = 0; i + phrase.length <= words.length; i++)
          if (phrase.every((word, j) => words[i + j]?.word === word)) phrase.forEach((_, j) => names.add(i + j))
  const parts: Token[][] = [[]]
  words.forEach((word, i) => {
    const isJoint = (AND.has(word.word) || word.word === ',' || word.word === ';') && !names.has(i)
    if (isJoint) parts.push([])
    else if (!isMark(word)) parts.at(-1)?.push(word)
  })
  const verbOfPart = (part: readonly Token[]): Found | undefined => {
    const its = spelled(part, all)
    return verbsIn(part).find(
      ({ at }) => !at.some((place) => its.has(place) && !/^(?:on|off|an|aus)$/.test(part[place]?.word ?? '')),
    )
  }
  const filled = parts.filter((part) =>
    part.some(({ word }) => !fillers.has(word) || verbsIn([{ word }]).length > 0 || pronouns.has(word)),
  )
  if (filled.length <= 1)
    return [
      {
        words: filled[0] ?? words.filter((word) => !isMark(word)),
        verb: verbOfPart(filled[0] ?? words.filter((word) => !isMark(word))),
      },
    ]
  const whole = verbsIn(words.filter((word) => !isMark(word)))[0]
  const clauses: Clause[] = filled.map((part) => ({ words: part, verb: verbOfPart(part) }))
  const has = clauses.filter(({ verb }) => strong(verb))
  if (has.length === 0)
    return clauses.map((clause) => ({ ...clause, verb: whole === undefined ? undefined : { ...whole, at: [] } }))
  // What says no verb of its own shares its neighbour's: before it, or after it as in "das Licht und die Lüftung an".
  return clauses.map((clause, i) => {
    if (clause.verb !== undefined) {
      // `mach das licht` … `an`: half a verb here, the whole one over the sentence.
      return clause
    }
    const before = clauses
      .slice(0, i)
      .reverse()
      .find(({ verb }) => verb !== undefined)?.verb
    const after = clauses.slice(i + 1).find(({ verb }) => verb !== undefined)?.verb
    const lent =
      before ?? (whole !== undefined && after !== undefined && whole.at.length > after.at.length ? whole : after)
    return { ...clause, verb: lent === undefined ? undefined : { ...lent, at: [] } }
  })
}

/** Words that belong to a verb wherever they stand: they name nothing. */
const VERBISH =
  /^(?:turn|turning|turned|switch|switching|mach\w{0,2}|schalt\w{0,3}|stell\w{0,3}|dreh\w{0,2}|knips\w{0,2}|fahr\w{0,2}|setz\w{0,2}|lass\w?|halt\w{0,2}|brich|brech\w{0,2}|nimm|leg\w?|wirf|zieh\w{0,2}|regel\w{0,2}|regle|schliess\w{0,2}|sperr\w{0,2}|will|moechte|hold|go|get|keep|leave|starte\w?|starten|stopp\w{0,2}|on|off|an|aus|ein|auf|zu|hoch|runter|ab|um|to|up|down|going|running|laufen|weiter|prozent|percent|grad|fort|tell|ask|say|shut|put|heiz\w{0,2}|dimm\w{0,2}|dim|set|make|change|level|start|stop|open|close|show|gang|betrieb|druck(?:e|en)|spiel\w{0,2}|play|print|recording|aufnahme)$/

interface Read {
  meant: Meant
  confidence: number
  matched: Understanding['matched']
  considered: Understanding['considered']
  target?: Target
}

const consideredOf = (target: Target): Understanding['considered'] =>
  target.considered
    .filter(({ device }) => !target.devices.some(({ id }) => id === device))
    .map(({ device, why, score }) => ({ what: device, why: `${why}, ${score}` }))

/** An intent of a device that only its own words name, such as `printer.preheat`. */
const namedIntent = (devices: readonly Device[], words: readonly Token[]): { device: Device; intent: string }[] => {
  const said = new Set(words.flatMap((token) => meaningOf(token).atoms))
  return devices.flatMap((device) =>
    Object.keys(device.intents)
      .filter((intent) => familyOf(intent) === undefined || verbOf(intent).startsWith('set_'))
      .filter((intent) => {
        const verb = tokens(verbOf(intent).replaceAll('_', ' ')).flatMap((token) => meaningOf(token).atoms)
        return verb.length > 0 && verb.every((atom) => said.has(atom) || (atom === 'set' && said.has('stell')))
      })
      .map((intent) => ({ device, intent })),
  )
}

const textField = (schema: Record<string, unknown>): string | undefined =>
  fieldsOf(schema).find(({ schema: field }) => field['type'] === 'string' && !Array.isArray(field['enum']))?.name

/** The best intent of a device for a verb, with its payload; or what stands against it. */
const wishFor = (
  device: Device,
  family: Family,
  clause: readonly Token[],
  taken: ReadonlySet<number>,
  text: string,
): { wish: Wish; over: boolean; needs?: string } | undefined => {
  const isSet = family === 'set' || family === 'more' || family === 'less'
  const options = intentsFor(device, family).filter((intent) => !isSet || !isGrave(device, intent))
  const open =
    isSet && options.every((intent) => familyOf(intent) !== 'set')
      ? options
      : [
          ...options,
          ...(isSet
            ? intentsFor(device, 'on').filter((intent) => familyOf(intent) === 'on' && !isGrave(device, intent))
            : []),
        ]
  const filled = [...new Set(open)].map((intent) => {
    const schema = device.intents[intent] ?? {}
    const result = fill(schema, family, clause, taken, device.state)
    const field = textField(schema)
    const words = quoted(text)
    if (field !== undefined && words !== undefined && result.payload[field] === undefined) {
      result.payload[field] = words
      if (result.needs?.field === field) delete result.needs
    }
    return { intent, ...result }
  })
  const rank = ({ payload, needs, over }: (typeof filled)[number]): number =>
    Object.keys(payload).length * 2 - (needs === undefined ? 0 : 3) - (over ? 2 : 0)
  const [best] = filled.sort((a, b) => rank(b) - rank(a))
  if (best === undefined) return undefined
  if (isSet && Object.keys(best.payload).length === 0 && best.needs === undefined && familyOf(best.intent) !== 'set')
    return fieldsOf(device.intents[best.intent] ?? {}).length === 0
      ? undefined
      : {
          wish: { device: device.id, intent: best.intent, payload: {} },
          over: best.over,
          needs: fieldsOf(device.intents[best.intent] ?? {})[0]?.name ?? '',
        }
  return {
    wish: { device: device.id, intent: best.intent, payload: best.payload },
    over: best.over,
    ...(best.needs === undefined ? {} : { needs: best.needs.field }),
  }
}

/** Stopping something that has a safe way to stop takes that way. */
const safest = (device: Device, intents: readonly string[]): string[] => {
  const safe = intents.filter((intent) => device.safe.includes(intent))
  return safe.length > 0 ? safe : [...intents]
}

/** Whether a device has anything a verb may mean; for more and less, a number to change. */
const able0 = (device: Device, family: Family): boolean =>
  family === 'more' || family === 'less' || family === 'set'
    ? intentsFor(device, family).some(
        (intent) => !isGrave(device, intent) && fieldsOf(device.intents[intent] ?? {}).length > 0,
      )
    : intentsFor(device, family).length > 0

const readClause = (
  clause: Clause,
  text: string,
  all: readonly Known[],
  { before }: World,
  neighbours: readonly Clause[],
): Read => {
  const { words } = clause
  const inherited =
    clause.verb === undefined && before.lastIntent !== undefined ? familyOf(before.lastIntent) : undefined
  const verb = clause.verb
  const taken = new Set<number>(verb?.at.filter((at) => words[at]?.number === undefined) ?? [])
  words.forEach(({ word }, i) => {
    if (VERBISH.test(word)) taken.add(i)
    if (
      PURPOSE.test(word) &&
      (/^(?:for|fuer)$/.test(words[i - 1]?.word ?? '') || (i > 1 && /^(?:for|fuer)$/.test(words[i - 2]?.word ?? '')))
    )
      taken.add(i)
    if (i > 0 && words[i - 1]?.number !== undefined && isUnit(word)) taken.add(i)
  })
  const except = words.findIndex(
    ({ word }, i) => EXCEPT.has(word) && i > 0 && !(word === 'bis' && words[i + 1]?.word !== 'auf'),
  )
  const main = except > 0 ? words.slice(0, except) : words
  const optionAt = new Set<number>()
  const schemas = all.flatMap(({ device }) => Object.values(device.intents))
  if (verb !== undefined) {
    const options = new Set(schemas.flatMap((schema) => [...optionWords(schema)]))
    main.forEach(({ word }, i) => {
      const named = all.some(({ words: its }) => its.includes(word))
      if (options.has(word) && !named) {
        taken.add(i)
        optionAt.add(i)
      }
    })
  }
  const spoken = new Set(taken)
  amountsIn(main, new Set()).forEach(({ at, share }) => {
    if (share) taken.add(at)
  })
  const forPayload = (): Set<number> =>
    new Set(
      [...spoken]
        .filter((at) => words[at]?.number === undefined && !isShare(words[at]) && !optionAt.has(at))
        .concat([...target.numbers]),
    )

  let family: Family | undefined = verb?.family ?? inherited
  const can = (device: Device): boolean =>
    family === undefined ? Object.keys(device.intents).length > 0 : able0(device, family)
  const zone = before.zone
  const lend = neighbours
    .filter((one) => one !== clause)
    .flatMap(
      (one) =>
        saidIn({
          words: one.words,
          taken: new Set(one.words.flatMap(({ word }, i) => (VERBISH.test(word) ? [i] : []))),
          all,
        }).said,
    )
  const quantity = amountsIn(main, new Set()).find((amount) => amount.quantity !== undefined)?.quantity
  const fits =
    quantity === undefined
      ? undefined
      : (device: Device): boolean =>
          Object.values(device.intents).some((schema) => fieldsOf(schema).some((field) => field.quantity === quantity))
  let target = targetsOf({
    words: main,
    taken,
    all,
    can: (device) => can(device) || OTHER_WAYS.some((way) => family === way && meantFor([device], way, able0) !== way),
    zone,
    lend,
    fits: quantity === 'degrees' ? fits : undefined,
  })
  if (family !== undefined && target.devices.length > 0) family = meantFor(target.devices, family, able0)
  if (
    family === undefined &&
    amountsIn(main, target.numbers).length > 0 &&
    target.devices.some((device) => able0(device, 'set'))
  )
    family = 'set'
  if (
    family === undefined &&
    target.devices.length > 0 &&
    target.unknown.length === 0 &&
    !words.some(({ word }) => LESS_LIGHT.test(word)) &&
    target.devices.every(({ kind }) => /light|lamp/.test(kind.toLowerCase())) &&
    before.asked === undefined
  )
    family = 'on'
  const matched: Understanding['matched'] = verb === undefined ? [] : [{ words: verb.text, as: verb.family }]

  // A noun may read as a verb: "dim", "pause", "print". When the better verb leaves no device able, the next one is tried.
  if (family !== undefined && target.devices.length > 0 && target.devices.every((device) => !can(device))) {
    for (const other of verbsIn(words)) {
      const possible = target.devices.filter((device) => intentsFor(device, other.family).length > 0)
      if (other.family === family || possible.length === 0 || other.at.length < (verb?.at.length ?? 0) - 1) continue
      family = other.family
      matched.push({ words: other.text, as: other.family })
      break
    }
  }

  const named = namedIntent(target.devices.length > 0 ? target.devices : all.map(({ device }) => device), words)
  const setLike =
    family === undefined ||
    family === 'set' ||
    (family !== 'on' &&
      family !== 'off' &&
      target.devices.every((device) => intentsFor(device, family ?? 'set').length === 0))
  const special =
    setLike && !target.isEmpty
      ? named.filter(({ device }) => target.devices.includes(device))
      : target.isEmpty && family === undefined
        ? named
        : []
  if (special.length > 0 && special.length <= (target.isGroup ? MOST_WISHES : 1)) {
    const wishes = special.map(({ device, intent }): Wish & { needs?: string } => {
      const { payload, needs } = fill(device.intents[intent] ?? {}, 'set', words, forPayload(), device.state)
      return { device: device.id, intent, payload, ...(needs === undefined ? {} : { needs: needs.field }) }
    })
    const [first] = wishes
    if (first?.needs !== undefined)
      return {
        meant: {
          kind: 'question',
          about: 'value',
          options: [first.device],
          intent: first.intent,
          field: first.needs,
          payload: first.payload,
        },
        confidence: 0.7,
        matched,
        considered: [],
        target,
      }
    return {
      meant: { kind: 'wishes', wishes: wishes.map(({ device, intent, payload }) => ({ device, intent, payload })) },
      confidence: 0.85,
      matched: [
        ...matched,
        ...wishes.map(({ intent, device }) => ({ words: verbOf(intent), as: `${intent} of ${device}` })),
      ],
      considered: consideredOf(target),
      target,
    }
  }

  const asOf = (found: Target): void => {
    for (const device of found.devices.slice(0, MOST_OPTIONS))
      matched.push({ words: spell(main.filter((_, i) => !taken.has(i))), as: device.id })
  }

  // No device named: the ones spoken of before.
  let byPronoun = false
  if (target.isEmpty) {
    const asked = before.asked
    const ids = before.devices.length > 0 ? before.devices : (asked?.devices ?? [])
    const devices = ids.flatMap((id) => all.find(({ device }) => device.id === id)?.device ?? [])
    if (family === undefined) return { meant: { kind: 'unknown', near: [] }, confidence: 0, matched, considered: [] }
    if (devices.length > 0) {
      target = { ...target, devices, isGroup: devices.length > 1, isEmpty: false }
      byPronoun = true
      matched.push({ words: 'context', as: devices.map(({ id }) => id).join(', ') })
    } else {
      const able = all.filter(({ device }) => can(device)).map(({ device }) => device)
      const [only] = able
      if (able.length === 1 && only !== undefined && !intentsFor(only, family).some((intent) => isGrave(only, intent)))
        target = { ...target, devices: able, isEmpty: false }
      else
        return {
          meant: {
            kind: 'question',
            about: 'device',
            options: able.slice(0, MOST_OPTIONS).map(({ id }) => id),
            family,
          },
          confidence: 0.5,
          matched,
          considered: [],
        }
    }
  }

  if (except > 0) {
    const out = targetsOf({ words: words.slice(except + 1), taken: new Set(), all, can: () => true })
    target = {
      ...target,
      devices: target.devices.filter((device) => !out.devices.includes(device)),
      isGroup: true,
      isAmbiguous: false,
    }
    matched.push({ words: 'except', as: out.devices.map(({ id }) => id).join(', ') })
  }

  const lost = target.unknown
  const sure = target.devices.length === 1 && (target.considered[0]?.why.includes('100 %') ?? false)
  const strangers = lost.filter((word) => !/\d/.test(word))
  if (family === undefined && (lost.length > 0 || target.devices.length === 0))
    return {
      meant: { kind: 'unknown', near: [] },
      confidence: 0,
      matched,
      considered: consideredOf({ ...target, devices: [] }),
    }
  if (
    target.devices.length === 0 ||
    (lost.length > 0 &&
      !(sure && strangers.every((word) => !all.some(({ words: its }) => its.includes(word)) && !knownNoun(word))))
  ) {
    return {
      meant: {
        kind: 'question',
        about: 'name',
        options: nearDevices(target, main, all, can),
        ...(family === undefined ? {} : { family }),
        said: lost.join(' ').slice(0, 80),
      },
      confidence: 0.3,
      matched,
      considered: consideredOf({ ...target, devices: [] }),
      target,
    }
  }
  if (family === undefined) {
    const scenes = target.devices.filter((device) => Object.hasOwn(device.intents, 'scene.activate'))
    if (scenes.length === target.devices.length && scenes.length > 0) family = 'on'
    else if (before.asked !== undefined) family = undefined
    if (family === undefined)
      return {
        meant: {
          kind: 'question',
          about: 'intent',
          options: target.devices.slice(0, MOST_OPTIONS).map(({ id }) => id),
        },
        confidence: 0.4,
        matched,
        considered: consideredOf(target),
        target,
      }
  }
  asOf(target)

  if (target.isAmbiguous) {
    return {
      meant: {
        kind: 'question',
        about: 'device',
        options: target.devices.slice(0, MOST_OPTIONS).map(({ id }) => id),
        family,
        payload: {},
      },
      confidence: 0.5,
      matched,
      considered: consideredOf(target),
      target,
    }
  }

  const chosen = family
  const able = target.devices.filter((device) => intentsFor(device, chosen).length > 0)
  const [firstOf] = target.devices
  if (able.length === 0)
    return {
      meant: {
        kind: 'no',
        why: 'cannot',
        ...(firstOf === undefined ? {} : { device: firstOf.id, can: Object.keys(firstOf.intents) }),
        said: chosen,
      },
      confidence: 0.7,
      matched,
      considered: consideredOf(target),
      target,
    }
  const wishes: Wish[] = []
  for (const device of able) {
    const read = wishFor(
      chosen === 'stop' || chosen === 'off'
        ? {
            ...device,
            intents: Object.fromEntries(
              safest(device, intentsFor(device, chosen)).map((intent) => [intent, device.intents[intent] ?? {}]),
            ),
          }
        : device,
      chosen,
      words,
      forPayload(),
      text,
    )
    if (read === undefined) continue
    const { wish, over, needs } = read
    if (needs !== undefined)
      return {
        meant: {
          kind: 'question',
          about: 'value',
          options: [device.id],
          family: chosen,
          intent: wish.intent,
          field: needs,
          payload: wish.payload,
        },
        confidence: 0.6,
        matched,
        considered: consideredOf(target),
        target,
      }
    if (over && !target.isGroup)
      return {
        meant: {
          kind: 'no',
          why: 'limit',
          device: device.id,
          said: String(amountsIn(words, forPayload())[0]?.value ?? ''),
        },
        confidence: 0.6,
        matched,
        considered: consideredOf(target),
        target,
      }
    if (
      isGrave(device, wish.intent) &&
      ((byPronoun && (before.isStale === true || able.length > 1)) ||
        target.isGuess ||
        (target.isGroup && able.length > 1) ||
        target.isPlaceOnly)
    )
      return {
        meant: {
          kind: 'question',
          about: 'device',
          options: able.slice(0, MOST_OPTIONS).map(({ id }) => id),
          family: chosen,
          intent: wish.intent,
        },
        confidence: 0.5,
        matched: [...matched, { words: 'hazard', as: 'has to be named' }],
        considered: consideredOf(target),
        target,
      }
    wishes.push(wish)
  }
  if (wishes.length === 0)
    return {
      meant: {
        kind: 'no',
        why: 'cannot',
        ...(firstOf === undefined ? {} : { device: firstOf.id, can: Object.keys(firstOf.intents) }),
        said: chosen,
      },
      confidence: 0.6,
      matched,
      considered: consideredOf(target),
      target,
    }
  const confidence = target.isGuess ? 0.75 : lost.length > 0 ? 0.8 : byPronoun ? 0.85 : 0.95
  return {
    meant: { kind: 'wishes', wishes: wishes.slice(0, MOST_WISHES) },
    confidence,
    matched,
    considered: consideredOf(target),
    target,
  }
}

const isShare = (token: Token | undefined): boolean => token !== undefined && Object.hasOwn(SHARES, token.word)

const knownNoun = (word: string): boolean => meaningOf({ word }).atoms.join() !== word && meaningOf({ word }).plural

/** Devices whose names come near what was said. */
const nearDevices = (
  target: Target,
  words: readonly Token[],
  all: readonly Known[],
  can: (device: Device) => boolean,
): string[] => {
  const near = target.considered.map(({ device }) => device)
  if (near.length > 0) return near.slice(0, MOST_OPTIONS)
  const said = words.filter(({ word }) => !fillers.has(word) && word.length > 2)
  const close = all
    .filter(({ device }) => can(device))
    .map(({ device, words: its }) => ({
      id: device.id,
      by: Math.min(...said.map(({ word }) => Math.min(...its.map((one) => apart(word, one, 3)), 4)), 4),
    }))
    .sort((a, b) => a.by - b.by)
  return close
    .filter(({ by }) => by <= 3)
    .slice(0, 3)
    .map(({ id }) => id)
}

/** The intents that come nearest to what was said, at most three. */
export const nearIntents = (said: string, devices: readonly Device[]): string[] => {
  const words = tokens(said.replaceAll(/[._]/g, ' '))
  const names = [
    ...new Set([...devices.flatMap((device) => Object.keys(device.intents)), ...catalogue.map(({ intent }) => intent)]),
  ]
  return names
    .map((intent) => ({
      intent,
      by: Math.min(
        ...words.flatMap(({ word }) =>
          [verbOf(intent), ...intent.split(/[._]/)].map((piece) => apart(word, piece, 3) + (word.length < 3 ? 3 : 0)),
        ),
        4,
      ),
    }))
    .sort((a, b) => a.by - b.by || (a.intent < b.intent ? -1 : 1))
    .slice(0, 3)
    .map(({ intent }) => intent)
}

/** An answer to an open question that names one of its options. */
const answered = (
  words: readonly Token[],
  all: readonly Known[],
  asked: NonNullable<Before['asked']>,
  text: string,
): Read | undefined => {
  const options = all.filter(({ device }) => asked.devices.includes(device.id))
  if (options.length === 0) return undefined
  const family = asked.family as Family | undefined
  const chosen = ((): Device[] => {
    if (words.some(({ word }) => everyword.has(word))) return options.map(({ device }) => device)
    if (options.length === 1) return options.map(({ device }) => device)
    const target = targetsOf({ words, taken: new Set(), all: options, can: () => true })
    return target.isAmbiguous ? [] : target.devices
  })()
  if (chosen.length === 0 || (family === undefined && asked.intent === undefined)) return undefined
  const wishes = chosen.flatMap((device): Wish[] => {
    const intent = asked.intent !== undefined && Object.hasOwn(device.intents, asked.intent) ? asked.intent : undefined
    const made =
      intent === undefined
        ? family === undefined
          ? undefined
          : wishFor(device, family, words, new Set(), text)
        : {
            wish: {
              device: device.id,
              intent,
              payload: {
                ...asked.payload,
                ...fill(device.intents[intent] ?? {}, 'set', words, new Set(), device.state).payload,
              },
            },
          }
    return made === undefined ? [] : [{ ...made.wish, payload: { ...asked.payload, ...made.wish.payload } }]
  })
  const [first] = wishes
  const device = chosen[0]
  if (first === undefined || device === undefined || (wishes.length > 1 && isGrave(device, first.intent)))
    return undefined
  return {
    meant: { kind: 'wishes', wishes },
    confidence: 0.85,
    matched: [{ words: spell(words), as: `answer: ${chosen.map(({ id }) => id).join(', ')}` }],
    considered: [],
  }
}

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

const readQuestion = (
  bare: readonly Token[],
  all: readonly Known[],
  { before }: World,
  language: 'en' | 'de',
): Understanding => {
  const taken = new Set(bare.flatMap(({ word }, i) => (QUESTION_WORDS.has(word) ? [i] : [])))
  const target = targetsOf({ words: bare, taken, all, can: () => true, zone: before.zone })
  const aspect = aspectOf(bare)
  const matched = [{ words: spell(bare), as: `question${aspect === undefined ? '' : ` about ${aspect}`}` }]
  if (target.isEmpty) {
    const about =
      aspect === 'temperature' || aspect === 'humidity'
        ? all.filter(({ device }) => readsOf(device, aspect)).map(({ device }) => device.id)
        : []
    const ids = about.length > 0 ? about : before.devices.filter((id) => all.some(({ device }) => device.id === id))
    if (ids.length > 0)
      return {
        meant: { kind: 'state', devices: [...ids], aspect, words: [] },
        language,
        confidence: 0.8,
        matched,
        considered: [],
      }
    return { meant: { kind: 'unknown', near: [] }, language, confidence: 0.2, matched, considered: [] }
  }
  const devices =
    aspect === 'temperature' || aspect === 'humidity' ? preferReading(target.devices, aspect, all) : target.devices
  if (devices.length === 0 || (target.unknown.length > 0 && !(target.considered[0]?.why.includes('100 %') ?? false)))
    return {
      meant: {
        kind: 'question',
        about: 'name',
        options: target.considered.map(({ device }) => device).slice(0, 3),
        said: target.unknown.join(' ').slice(0, 80),
      },
      language,
      confidence: 0.3,
      matched,
      considered: consideredOf({ ...target, devices: [] }),
    }
  return {
    meant: {
      kind: 'state',
      devices: devices.map(({ id }) => id).slice(0, MOST_OPTIONS),
      aspect,
      words: bare.map(({ word }) => word),
    },
    language,
    confidence: 0.9,
    matched: [...matched, ...devices.slice(0, MOST_OPTIONS).map(({ id }) => ({ words: spell(bare), as: id }))],
    considered: consideredOf(target),
  }
}

const readsOf = (device: Device, aspect: string): boolean =>
  aspect === 'temperature'
    ? ['celsius', 'temperature', 'current_temperature'].some((key) => typeof device.state[key] === 'number') &&
      /climate|thermo|temp|sensor/.test(`${device.kind} ${device.id}`)
    : typeof device.state['humidity'] === 'number'

/** A place was asked about: of its devices the one that measures it. */
const preferReading = (devices: readonly Device[], aspect: string, all: readonly Known[]): Device[] => {
  const reading = devices.filter((device) => readsOf(device, aspect))
  if (reading.length > 0) return reading
  const area = devices[0]?.area
  const near = all
    .map(({ device }) => device)
    .filter((device) => device.area === area && area !== undefined && readsOf(device, aspect))
  return devices.length > 1 && near.length > 0 ? near : [...devices]
}

/** The rules as an understander: sentences in English and German, without a language model. */
export const rules: Understander = { id: 'rules', tier: 'local', understand }
