// Fills the payload of an intent from what was said, by the JSON Schema the device declared: numbers with units, shares, words of an enum.
import { type Amount, amountsIn, type Quantity } from './amounts.ts'
import { type Field, fieldFor, fieldsOf, isNumeric, type Json, numberIn, optionIn } from './fields.ts'
import type { Family } from './verb-patterns.ts'
import type { Token } from './words.ts'

const scaled = (field: Field, { value, share, quantity, scale }: Amount): number => {
  const lowest = numberIn(field.schema, 'minimum') ?? 0
  const highest = numberIn(field.schema, 'maximum')
  const whole = (n: number): number =>
    field.schema['type'] === 'integer' ? Math.round(n) : Math.round(n * 1000) / 1000
  if (share) {
    const top = highest ?? 100
    if (value === 0) return lowest
    const part = Math.max(lowest, lowest > 1 ? lowest + (top - lowest) * value : top * value)
    return top >= 20 ? Math.round(part) : whole(part)
  }
  if (quantity === 'percent' && field.quantity === 'percent' && (highest === 255 || highest === 254 || highest === 1))
    return whole((value / 100) * highest)
  if (quantity === 'time' && /minute/.test(field.name)) return whole((value * scale) / 60)
  if (quantity === 'time' && field.quantity === 'time') return value * scale
  return value
}

const STEP = 20
const SMALL_STEP = 10
const LITTLE = new Set('bit little slightly bisschen etwas wenig tick leicht touch tad notch'.split(' '))
const LOT = new Set('much lot viel deutlich way'.split(' '))

/** A value as it stands in the device's state: under the field's name or a usual one. */
const present = (field: Field, state: Json): number | undefined => {
  const names = [
    field.name,
    ...{
      percent: ['level', 'brightness', 'position', 'volume'],
      kelvin: ['kelvin', 'color_temp'],
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

/** A step up or down from where a device stands. */
const stepped = (
  numeric: readonly Field[],
  family: 'more' | 'less',
  words: readonly Token[],
  amounts: readonly Amount[],
  state: Json,
): { name: string; value: number; at: number[] } | undefined => {
  const hinted = words.map(({ word }) => RELATIVE[word]).find((quantity) => quantity !== undefined)
  const field =
    numeric.find(({ quantity }) => quantity === (hinted ?? 'percent')) ??
    (hinted === undefined ? numeric.find(({ quantity }) => quantity !== 'time') : undefined)
  if (field === undefined) return undefined
  const isLittle = words.some(({ word }) => LITTLE.has(word))
  const isLot = words.some(({ word }) => LOT.has(word))
  const said = amounts.find(({ share }) => !share)
  const span = field.quantity === 'degrees' ? 1 : isLittle ? SMALL_STEP : isLot ? 2 * STEP : STEP
  const high = numberIn(field.schema, 'maximum') ?? 100
  const unit = field.quantity === 'degrees' || high === 100 ? 1 : high / 100
  const by = said?.value ?? span * unit
  const now = present(field, state) ?? high / 2
  const low = numberIn(field.schema, 'minimum') ?? 0
  const value = Math.round(Math.min(high, Math.max(low, family === 'more' ? now + by : now - by)) * 10) / 10
  return { name: field.name, value, at: said === undefined ? [] : [said.at] }
}

/** A field it cannot do without and nobody named. */
const neededIn = (schema: Json, fields: readonly Field[], payload: Json): Pick<Filled, 'needs'> => {
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const needed = fields.find(
    ({ name, schema: field }) =>
      required.includes(name) && payload[name] === undefined && field['default'] === undefined,
  )
  return needed === undefined ? {} : { needs: { field: needed.name, schema: needed.schema } }
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

  const isTo = (at: number): boolean =>
    [at - 1, at - 2].some((place) => ['to', 'auf', 'at', 'on'].includes(words[place]?.word ?? ''))
  if (
    (family === 'more' || family === 'less') &&
    !amounts.some(({ at: place, share, value }) => isTo(place) || (share && (value === 0 || value === 1)))
  ) {
    const step = stepped(numeric, family, words, amounts, state)
    const payload = step === undefined ? {} : { [step.name]: step.value }
    return { payload, at: step?.at ?? [], over: false, ...neededIn(schema, fields, payload) }
  }

  for (const amount of amounts) {
    const field = fieldFor(
      amount,
      numeric.filter(({ name }) => payload[name] === undefined),
      words,
      schema,
    )
    if (field === undefined) over ||= !amount.share
    else {
      payload[field.name] = scaled(field, amount)
      at.push(amount.at)
    }
  }
  for (const field of fields) {
    if (payload[field.name] !== undefined) continue
    const found = optionIn(field.schema, words, taken)
    if (found === undefined) continue
    payload[field.name] = found.option
    at.push(found.at)
  }
  return {
    payload,
    at,
    over,
    ...neededIn(schema, fields, payload),
  }
}

/** A text in quotes, or a word that looks like a file, for fields that take text. */
export const quoted = (text: string): string | undefined =>
  /["“„«](.{1,200}?)["”“»]/u.exec(text)?.[1] ??
  /([\p{L}\p{N}_][\p{L}\p{N}_.-]*\.(?:gcode|gco|bgcode|3mf|stl|nc|svg|dxf|ngc|lbrn2?))\b/iu.exec(text)?.[1]
