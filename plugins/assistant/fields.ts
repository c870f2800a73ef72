// The fields of a payload by the JSON Schema a device declared: which amount and which word of a sentence is for which.
import { type Amount, amountsIn, isUnit, type Quantity } from './amounts.ts'
import { meaningOf, type Token, tokens } from './words.ts'

export type Json = Record<string, unknown>

export interface Field {
  name: string
  schema: Json
  quantity: Quantity
}

const QUANTITIES: readonly (readonly [Quantity, RegExp])[] = [
  ['percent', /percent|level|brightness|dim|position|volume|intensity|tilt|opening|humidity|power_level/],
  ['kelvin', /kelvin|colou?r_temp/],
  ['degrees', /celsius|temp|degree|heat|setpoint|nozzle|bed/],
  ['current', /amp|current/],
  ['time', /second|minute|hour|duration|blink|timer|time|delay|transition/],
  ['speed', /speed|rpm|fan|rate|feed/],
]
const WORDS: Readonly<Record<string, string>> = {
  rot: 'red',
  blau: 'blue',
  gruen: 'green',
  gelb: 'yellow',
  weiss: 'white',
  warmweiss: 'warm',
  kaltweiss: 'cold',
  lila: 'purple',
  orange: 'orange',
  rosa: 'pink',
  niedrig: 'low',
  langsam: 'low',
  slow: 'low',
  mittel: 'medium',
  hoch: 'high',
  schnell: 'high',
  fast: 'high',
  leise: 'quiet',
  automatisch: 'auto',
  automatik: 'auto',
  automatikbetrieb: 'auto',
  automatikmodus: 'auto',
  heizbetrieb: 'heat',
  heizmodus: 'heat',
  automatic: 'auto',
  heizen: 'heat',
  kuehlen: 'cool',
  cooling: 'cool',
  heating: 'heat',
  sparsam: 'eco',
  sparmodus: 'eco',
  aus: 'off',
  warm: 'warm',
  kalt: 'cold',
  komfort: 'comfort',
}

/** Whether a word usually says a mode or a colour: `red`, `langsam`. */
export const isOptionWord = (word: string): boolean =>
  Object.hasOwn(WORDS, word) || /^(?:red|blue|green|yellow|white|purple|pink|auto|eco)$/.test(word)

const quantityOf = (name: string, schema: Json): Quantity => {
  const about =
    `${name} ${typeof schema['description'] === 'string' ? schema['description'] : ''} ${typeof schema['unit'] === 'string' ? schema['unit'] : ''}`.toLowerCase()
  return (
    QUANTITIES.find(([, words]) => words.test(name.toLowerCase()))?.[0] ??
    QUANTITIES.find(([, words]) => words.test(about))?.[0] ??
    'other'
  )
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
/** A number a schema names. */
export const numberIn = (schema: Json, key: string): number | undefined =>
  typeof schema[key] === 'number' ? schema[key] : undefined

/** The fields of an intent's payload. */
export const fieldsOf = (schema: Json): Field[] => {
  const { properties } = schema
  if (!isObject(properties)) return []
  return Object.entries(properties).flatMap(([name, value]) =>
    isObject(value) ? [{ name, schema: value, quantity: quantityOf(name, value) }] : [],
  )
}
export const isNumeric = ({ schema }: Field): boolean => schema['type'] === 'number' || schema['type'] === 'integer'

/** Things the name of a field stands for. */
export const labelsOf = ({ name }: Field): Set<string> => {
  const found = labels.get(name)
  if (found !== undefined) return found
  const made = new Set(tokens(name.replaceAll('_', ' ')).flatMap((token) => meaningOf(token).atoms))
  if (labels.size < MOST_LABELS) labels.set(name, made)
  return made
}
const labels = new Map<string, Set<string>>()
const MOST_LABELS = 2000

/** Things that fields of payloads stand for, such as a nozzle: beside a number they name a field, not a device. */
export const labelWordsIn = (devices: readonly { intents: Readonly<Record<string, Json>> }[]): ReadonlySet<string> =>
  new Set(devices.flatMap(({ intents }) => Object.values(intents).flatMap((schema) => labelWordsOf(schema))))

const labelsKnown = new WeakMap<Json, readonly string[]>()
const labelWordsOf = (schema: Json): readonly string[] => {
  const found = labelsKnown.get(schema)
  if (found !== undefined) return found
  const made = fieldsOf(schema).flatMap((field) => (isNumeric(field) ? [...labelsOf(field)] : []))
  labelsKnown.set(schema, made)
  return made
}

const NEAR = 5
const OF_IT = /^(?:on|for|at|in|of|am|an|auf|fuer|beim|im)$/

/** The field whose name stands beside an amount: "nozzle 210", "210 on the nozzle". */
const labelled = (at: number, fields: readonly Field[], words: readonly Token[]): Field | undefined => {
  const isOther = (place: number): boolean => place !== at && words[place]?.number !== undefined
  const named = (place: number): Field | undefined => {
    const token = words[place]
    if (token === undefined || isUnit(token.word)) return undefined
    const { atoms } = meaningOf(token)
    return fields.find((field) => atoms.some((atom) => labelsOf(field).has(atom)))
  }
  let hasLink = false
  for (let place = at + 1; place <= at + NEAR - 1 && !isOther(place); place++) {
    hasLink ||= OF_IT.test(words[place]?.word ?? '')
    const field = hasLink ? named(place) : undefined
    if (field !== undefined) return field
  }
  for (let place = at - 1; place >= at - NEAR && !isOther(place); place--) {
    const field = named(place)
    if (field !== undefined) return field
  }
  return undefined
}

const isWithin = ({ schema }: Field, value: number): boolean =>
  value >= (numberIn(schema, 'minimum') ?? -Infinity) && value <= (numberIn(schema, 'maximum') ?? Infinity)

/** Quantities that stand only where they are named. */
const OWN: readonly Quantity[] = ['time', 'kelvin', 'current', 'degrees']

/** The field an amount is for: by the word beside it, by its unit, by its size. */
export const fieldFor = (
  amount: Amount,
  free: readonly Field[],
  words: readonly Token[],
  schema: Json,
): Field | undefined => {
  const label = labelled(amount.at, free, words)
  if (label !== undefined) return label
  const { quantity, value, share } = amount
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  if (quantity === 'speed' && !free.some((field) => field.quantity === 'speed'))
    return free.find((field) => field.quantity === 'percent')
  if (quantity !== undefined && quantity !== 'percent')
    return free.find((field) => field.quantity === quantity) ?? free.find((field) => field.quantity === 'other')
  if (quantity === 'percent')
    return (
      free.find((field) => field.quantity === 'percent') ??
      free.find(({ name, quantity: its }) => required.includes(name) && !OWN.includes(its)) ??
      free.find(({ quantity: its }) => !OWN.includes(its))
    )
  const plausible = share ? free : free.filter((field) => isWithin(field, value))
  const first = (fields: readonly Field[]): Field | undefined =>
    fields.find(({ name, quantity: its }) => required.includes(name) && its !== 'time') ??
    fields.find(({ quantity: its }) => its !== 'time') ??
    fields[0]
  return first(plausible) ?? first(free)
}

/** Whether an amount is certainly for this intent: its unit or the word beside it is a field's own. */
export const isMeantFor = (schema: Json, words: readonly Token[], taken: ReadonlySet<number>): boolean => {
  const numeric = fieldsOf(schema).filter(isNumeric)
  return amountsIn(words, taken).some(
    ({ at, quantity }) =>
      labelled(at, numeric, words) !== undefined ||
      (quantity !== undefined && OWN.includes(quantity) && numeric.some((field) => field.quantity === quantity)),
  )
}

/** The option of an enum that was said, in either language, alone or in a compound such as `Abendszene`. */
export const optionIn = (
  schema: Json,
  words: readonly Token[],
  taken: ReadonlySet<number>,
): { option: string; at: number } | undefined => {
  const among: unknown = schema['enum']
  if (!Array.isArray(among)) return undefined
  const options = among.filter((option) => typeof option === 'string')
  const plainly = words.flatMap(({ word }, at) => {
    const option = options.find((one) => one.toLowerCase() === word || one.toLowerCase() === WORDS[word])
    return option === undefined || taken.has(at) ? [] : [{ option, at }]
  })
  const byMeaning = words.flatMap((token, at) => {
    const { atoms } = meaningOf(token)
    const option = options.find((one) => {
      const its = tokens(one.replaceAll('_', ' ')).flatMap((part) => meaningOf(part).atoms)
      return its.length > 0 && its.every((atom) => atoms.includes(atom))
    })
    return option === undefined || taken.has(at) ? [] : [{ option, at }]
  })
  // `heating` is first of all a thing: any other mode beside it is the one that is meant.
  return plainly.find(({ at }) => words[at]?.word !== 'heating') ?? plainly[0] ?? byMeaning[0]
}

const optionsKnown = new WeakMap<Json, ReadonlySet<string>>()

/** Whether a word is one of an enum's, so that it is not taken for part of a name. */
export const optionWords = (schema: Json): ReadonlySet<string> => {
  const found = optionsKnown.get(schema)
  if (found !== undefined) return found
  const options = new Set(
    fieldsOf(schema)
      .flatMap(({ schema: field }) => (Array.isArray(field['enum']) ? (field['enum'] as unknown[]) : []))
      .flatMap((option) => (typeof option === 'string' ? tokens(option).map(({ word }) => word) : [])),
  )
  for (const [word, option] of Object.entries(WORDS)) if (options.has(option)) options.add(word)
  optionsKnown.set(schema, options)
  return options
}
