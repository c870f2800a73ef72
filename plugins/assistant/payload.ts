// Fills the payload of an intent from what was said, by the JSON Schema the device declared: numbers with units, shares, words of an enum.
import { type Amount, amountsIn, type Quantity } from './amounts.ts'
import type { Family } from './verb-patterns.ts'
import { type Token, tokens } from './words.ts'

type Json = Record<string, unknown>

interface Field {
  name: string
  schema: Json
  quantity: Quantity
}

const QUANTITIES: readonly (readonly [Quantity, RegExp])[] = [
  ['percent', /percent|level|brightness|dim|position|volume|intensity|tilt|opening|humidity|power_level/],
  ['degrees', /celsius|temp|degree|heat|setpoint|kelvin/],
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
const numberIn = (schema: Json, key: string): number | undefined =>
  typeof schema[key] === 'number' ? schema[key] : undefined

/** The fields of an intent's payload. */
export const fieldsOf = (schema: Json): Field[] => {
  const { properties } = schema
  if (!isObject(properties)) return []
  return Object.entries(properties).flatMap(([name, value]) =>
    isObject(value) ? [{ name, schema: value, quantity: quantityOf(name, value) }] : [],
  )
}
const isNumeric = ({ schema }: Field): boolean => schema['type'] === 'number' || schema['type'] === 'integer'

const scaled = (field: Field, { value, share, quantity, scale }: Amount): number => {
  const lowest = numberIn(field.schema, 'minimum') ?? 0
  const highest = numberIn(field.schema, 'maximum')
  const whole = (n: number): number =>
    field.schema['type'] === 'integer' ? Math.round(n) : Math.round(n * 1000) / 1000
  if (share) {
    const top = highest ?? 100
    if (value === 0) return lowest
    return whole(Math.max(lowest, lowest > 1 ? lowest + (top - lowest) * value : top * value))
  }
  if (quantity === 'percent' && field.quantity === 'percent' && (highest === 255 || highest === 254 || highest === 1))
    return whole((value / 100) * highest)
  if (quantity === 'time' && /minute/.test(field.name)) return whole((value * scale) / 60)
  if (quantity === 'time' && field.quantity === 'time') return value * scale
  return value
}

const STEP = 20
const SMALL_STEP = 10

/** A value as it stands in the device's state: under the field's name or a usual one. */
const present = (field: Field, state: Json): number | undefined => {
  const names = [
    field.name,
    ...{
      percent: ['level', 'brightness', 'position', 'volume'],
      degrees: ['target', 'temperature', 'target_temperature', 'setpoint'],
      speed: ['speed', 'percentage'],
      current: ['amps'],
      time: [],
      other: [],
    }[field.quantity],
  ]
  for (const name of names) if (typeof state[name] === 'number') return state[name]
  return undefined
}

export interface Filled {
  payload: Json
  /** Places of the words it took. */
  at: number[]
  /** An amount was said that this intent has no field for. */
  over: boolean
  /** A field it cannot do without and nobody named. */
  needs?: { field: string; schema: Json }
}

const RELATIVE: Readonly<Record<string, Quantity>> = {
  warmer: 'degrees',
  hotter: 'degrees',
  colder: 'degrees',
  cooler: 'degrees',
  waermer: 'degrees',
  kaelter: 'degrees',
  kuehler: 'degrees',
  heisser: 'degrees',
  brighter: 'percent',
  dimmer: 'percent',
  darker: 'percent',
  heller: 'percent',
  dunkler: 'percent',
  louder: 'percent',
  lauter: 'percent',
  leiser: 'percent',
  quieter: 'percent',
  faster: 'speed',
  slower: 'speed',
  schneller: 'speed',
  langsamer: 'speed',
}

/** What of a sentence becomes the payload of an intent with this schema. */
export const fill = (
  schema: Json,
  family: Family | undefined,
  words: readonly Token[],
  taken: ReadonlySet<number>,
  state: Json,
): Filled => {
  const fields = fieldsOf(schema)
  const numeric = fields.filter(isNumeric)
  const payload: Json = {}
  const at: number[] = []
  let over = false
  const amounts = amountsIn(words, taken)

  if (
    (family === 'more' || family === 'less') &&
    !amounts.some(
      ({ share, quantity }) => !share && quantity === undefined && /\b(to|auf|at)\b/.test(words[0]?.word ?? ''),
    )
  ) {
    const hinted = words.map(({ word }) => RELATIVE[word]).find((quantity) => quantity !== undefined)
    const field =
      numeric.find(({ quantity }) => quantity === (hinted ?? 'percent')) ??
      (hinted === undefined ? numeric.find(({ quantity }) => quantity !== 'time') : undefined)
    if (field !== undefined) {
      const isLittle = words.some(({ word }) =>
        ['bit', 'little', 'slightly', 'bisschen', 'etwas', 'wenig', 'tick', 'leicht'].includes(word),
      )
      const lot = words.some(({ word }) => ['much', 'lot', 'viel', 'deutlich', 'way'].includes(word))
      const said = amounts.find(({ share }) => !share)
      const span = field.quantity === 'degrees' ? 1 : isLittle ? SMALL_STEP : lot ? 2 * STEP : STEP
      const unit =
        field.quantity === 'degrees' || field.schema['maximum'] === undefined || field.schema['maximum'] === 100
          ? 1
          : (numberIn(field.schema, 'maximum') ?? 100) / 100
      const isTo = said !== undefined && ['to', 'auf', 'at'].includes(words[said.at - 1]?.word ?? '')
      const now = present(field, state) ?? (numberIn(field.schema, 'maximum') ?? 100) / 2
      const by = (said?.value ?? span) * (said === undefined ? unit : 1)
      const wanted = isTo ? (said?.value ?? 0) : family === 'more' ? now + by : now - by
      const low = numberIn(field.schema, 'minimum') ?? 0
      const high = numberIn(field.schema, 'maximum') ?? 100
      payload[field.name] = Math.round(Math.min(high, Math.max(low, wanted)) * 10) / 10
      if (said !== undefined) at.push(said.at)
    }
    return { payload, at, over: false }
  }

  for (const amount of amounts) {
    const free = numeric.filter(({ name }) => payload[name] === undefined)
    const required = Array.isArray(schema['required']) ? schema['required'] : []
    const field =
      (amount.quantity === undefined ? undefined : free.find(({ quantity }) => quantity === amount.quantity)) ??
      (amount.quantity === undefined || amount.quantity === 'percent'
        ? (free.find(({ name, quantity }) => required.includes(name) && quantity !== 'time') ??
          free.find(({ quantity }) => quantity !== 'time') ??
          (amount.quantity === undefined ? free[0] : undefined))
        : free.find(({ quantity }) => quantity === 'other'))
    if (field === undefined) over ||= !amount.share
    else {
      payload[field.name] = scaled(field, amount)
      at.push(amount.at)
    }
  }
  for (const { name, schema: field } of fields) {
    const among: unknown = field['enum']
    if (payload[name] !== undefined || !Array.isArray(among)) continue
    const place = words.findIndex(({ word }) =>
      among.some(
        (option) =>
          typeof option === 'string' && (option.toLowerCase() === word || option.toLowerCase() === WORDS[word]),
      ),
    )
    const said = words[place]?.word
    const option: unknown = among.find(
      (one) => typeof one === 'string' && (one.toLowerCase() === said || one.toLowerCase() === WORDS[said ?? '']),
    )
    if (option === undefined || taken.has(place)) continue
    payload[name] = option
    at.push(place)
  }
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const needed = fields.find(
    ({ name, schema: field }) =>
      required.includes(name) && payload[name] === undefined && field['default'] === undefined,
  )
  return {
    payload,
    at,
    over,
    ...(needed === undefined ? {} : { needs: { field: needed.name, schema: needed.schema } }),
  }
}

/** A text in quotes, or a word that looks like a file, for fields that take text. */
export const quoted = (text: string): string | undefined =>
  /["“„«](.{1,200}?)["”“»]/u.exec(text)?.[1] ?? /\b([\w-]+\.(?:gcode|gco|bgcode|3mf|stl|nc|svg|dxf))\b/i.exec(text)?.[1]

/** Whether a word is one of an enum's, so that it is not taken for part of a name. */
export const optionWords = (schema: Json): Set<string> => {
  const options = new Set(
    fieldsOf(schema)
      .flatMap(({ schema: field }) => (Array.isArray(field['enum']) ? (field['enum'] as unknown[]) : []))
      .flatMap((option) => (typeof option === 'string' ? tokens(option).map(({ word }) => word) : [])),
  )
  for (const [word, option] of Object.entries(WORDS)) if (options.has(option)) options.add(word)
  return options
}
