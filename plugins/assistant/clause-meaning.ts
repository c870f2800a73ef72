// What one part of a sentence means: its verb, its devices and its numbers together, or the question that is left.
import type { Device } from '#hub/plugin'
import { type Clause, spell } from './clauses.ts'
import { familyOf, intentsFor, isGrave, meantFor, verbOf } from './intents.ts'
import { nearDevices } from './near.ts'
import { amountsIn, fieldsOf, fill, isUnit, optionWords } from './payload.ts'
import { type Known, saidIn, type Target, targetsOf } from './targets.ts'
import type { Meant, Understanding, Wish, World } from './understander.ts'
import { type Family, SHARES, verbsIn } from './verbs.ts'
import { meaningOf, type Token } from './words.ts'
import { canBeAsked, namedIntent, safest, wishFor } from './wishes.ts'

const EXCEPT = new Set('except excluding but without ausser ohne bis'.split(' '))
export const MOST_WISHES = 50
const MOST_OPTIONS = 8

/** With one of these a light is not meant to go on, whatever else is missing from the sentence. */
const LESS_LIGHT =
  /^(?:off|out|aus|ab|no|without|ohne|kein\w*|dark|dunkel|weg|away|down|runter|broken|kaputt|stop|halt)$/
const OTHER_WAYS: readonly Family[] = ['up', 'down', 'more', 'less', 'lock', 'unlock']
const PURPOSE =
  /^(?:night|nacht|day|tag|weekend|wochenende|evening|abend|now|moment|guests|gaeste|meeting|kids|kinder|sake|others)$/

/** Words that belong to a verb wherever they stand: they name nothing. */
const VERBISH =
  /^(?:turn|turning|turned|switch|switching|mach\w{0,2}|schalt\w{0,3}|stell\w{0,3}|dreh\w{0,2}|knips\w{0,2}|fahr\w{0,2}|setz\w{0,2}|lass\w?|halt\w{0,2}|brich|brech\w{0,2}|nimm|leg\w?|wirf|zieh\w{0,2}|regel\w{0,2}|regle|schliess\w{0,2}|sperr\w{0,2}|will|moechte|hold|go|get|keep|leave|starte\w?|starten|stopp\w{0,2}|on|off|an|aus|ein|auf|zu|hoch|runter|ab|um|to|up|down|going|running|laufen|weiter|prozent|percent|grad|fort|tell|ask|say|shut|put|heiz\w{0,2}|dimm\w{0,2}|dim|set|make|change|level|start|stop|open|close|show|gang|betrieb|druck(?:e|en)|spiel\w{0,2}|play|print|recording|aufnahme)$/

export interface Read {
  meant: Meant
  confidence: number
  matched: Understanding['matched']
  considered: Understanding['considered']
  target?: Target
}

export const consideredOf = (target: Target): Understanding['considered'] =>
  target.considered
    .filter(({ device }) => !target.devices.some(({ id }) => id === device))
    .map(({ device, why, score }) => ({ what: device, why: `${why}, ${score}` }))

export const readClause = (
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
    family === undefined ? Object.keys(device.intents).length > 0 : canBeAsked(device, family)
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
    can: (device) =>
      can(device) || OTHER_WAYS.some((way) => family === way && meantFor([device], way, canBeAsked) !== way),
    zone,
    lend,
    fits: quantity === 'degrees' ? fits : undefined,
  })
  if (family !== undefined && target.devices.length > 0) family = meantFor(target.devices, family, canBeAsked)
  if (
    family === undefined &&
    amountsIn(main, target.numbers).length > 0 &&
    target.devices.some((device) => canBeAsked(device, 'set'))
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
