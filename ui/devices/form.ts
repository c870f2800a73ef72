// An intent's JSON Schema as a form, and the form's values as a payload.
import { isRecord, type Json } from '../api/read.ts'
import type { JsonSchema } from '../api/types.ts'
import { words } from './value.ts'

export interface Field {
  name: string
  label: string
  /** `json`: what the form cannot show in fields is written as JSON. */
  type: 'number' | 'integer' | 'text' | 'boolean' | 'choice' | 'json'
  required: boolean
  hint?: string
  initial: string
  options: readonly string[]
  min?: number
  max?: number
  maxLength?: number
  pattern?: string
}

const schemaType = (schema: Json): string => {
  const type = schema['type']
  if (typeof type === 'string') return type
  return Array.isArray(type) ? String(type.find((one) => one !== 'null') ?? '') : ''
}

const numberIn = (schema: Json, ...keys: string[]): number | undefined => {
  for (const key of keys) {
    const value = schema[key]
    // The range of a whole number in JavaScript is no bound that anyone chose.
    if (typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER) return value
  }
  return undefined
}

const constants = (schema: Json): unknown[] => {
  if (Array.isArray(schema['enum'])) return schema['enum']
  const branches = schema['anyOf'] ?? schema['oneOf']
  if (!Array.isArray(branches) || !branches.every((one) => isRecord(one) && 'const' in one)) return []
  return branches.flatMap((one: unknown) => (isRecord(one) ? [one['const']] : []))
}

const initialText = (value: unknown): string => {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const fieldType = (schema: Json, options: readonly unknown[]): Field['type'] => {
  if (options.length > 0 && options.every((one) => typeof one !== 'object')) return 'choice'
  const type = schemaType(schema)
  if (type === 'number' || type === 'integer' || type === 'boolean') return type
  return type === 'string' ? 'text' : 'json'
}

const rangeHint = (min: number | undefined, max: number | undefined): string | undefined => {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`
  if (min !== undefined) return `${min} or more`
  return max === undefined ? undefined : `${max} or less`
}

const field = (name: string, schema: Json, required: boolean): Field => {
  const options = constants(schema)
  const type = fieldType(schema, options)
  const min = numberIn(schema, 'minimum', 'exclusiveMinimum')
  const max = numberIn(schema, 'maximum', 'exclusiveMaximum')
  const maxLength = numberIn(schema, 'maxLength')
  const described = typeof schema['description'] === 'string' ? schema['description'] : undefined
  const numeric = type === 'number' || type === 'integer'
  const hint = [described, numeric ? rangeHint(min, max) : undefined].filter((one) => one !== undefined).join(' · ')
  return {
    name,
    label: typeof schema['title'] === 'string' ? schema['title'] : words(name),
    type,
    required,
    initial: initialText(schema['default']),
    options: options.map(String),
    ...(hint === '' ? {} : { hint }),
    ...(numeric && min !== undefined ? { min } : {}),
    ...(numeric && max !== undefined ? { max } : {}),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(typeof schema['pattern'] === 'string' ? { pattern: schema['pattern'] } : {}),
  }
}

/** The fields of an intent's payload; none for `{}`. A schema that is no object of properties becomes one JSON field. */
export const fieldsOf = (schema: JsonSchema): Field[] => {
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const properties = schema['properties']
  if (isRecord(properties))
    return Object.entries(properties)
      .filter(([, one]) => isRecord(one))
      .map(([name, one]) => field(name, isRecord(one) ? one : {}, required.includes(name)))
  const says = Object.keys(schema).filter(
    (key) => !['$schema', 'type', 'additionalProperties', 'description'].includes(key),
  )
  return says.length === 0
    ? []
    : [{ name: '', label: 'Payload', type: 'json', required: true, initial: '{}', options: [] }]
}

const parsed = (one: Field, text: string): { value: unknown } | { problem: string } => {
  switch (one.type) {
    case 'boolean':
      return { value: text === 'true' }
    case 'number':
    case 'integer': {
      const value = Number(text.trim().replace(',', '.'))
      if (!Number.isFinite(value)) return { problem: 'Write a number.' }
      if (one.type === 'integer' && !Number.isInteger(value)) return { problem: 'Write a whole number.' }
      if ((one.min !== undefined && value < one.min) || (one.max !== undefined && value > one.max))
        return { problem: `Must be ${rangeHint(one.min, one.max) ?? 'in range'}.` }
      return { value }
    }
    case 'choice':
      return one.options.includes(text) ? { value: text } : { problem: 'Choose one.' }
    case 'json':
      try {
        return { value: JSON.parse(text) }
      } catch {
        return { problem: 'Write valid JSON.' }
      }
    case 'text':
      return one.maxLength !== undefined && text.length > one.maxLength
        ? { problem: `At most ${one.maxLength} characters.` }
        : { value: text }
  }
}

/** Gives a choice back the type it has in the schema: `3` is a number where the schema lists numbers. */
const typed = (schema: JsonSchema, one: Field, value: unknown): unknown => {
  if (one.type !== 'choice') return value
  const properties = schema['properties']
  const own = isRecord(properties) ? properties[one.name] : undefined
  return isRecord(own) ? constants(own).find((option) => String(option) === value) : value
}

/** The payload of filled-in fields, or what is wrong with which field. Empty optional fields are left out. */
export const payloadFrom = (
  schema: JsonSchema,
  values: Readonly<Record<string, string>>,
): { payload: Json | undefined } | { problems: Record<string, string> } => {
  const fields = fieldsOf(schema)
  if (fields.length === 0) return { payload: undefined }
  const payload: Json = {}
  const problems: Record<string, string> = {}
  for (const one of fields) {
    const text = values[one.name] ?? one.initial
    if (text === '' && one.type !== 'boolean') {
      if (one.required) problems[one.name] = one.type === 'choice' ? 'Choose one.' : 'Fill this in.'
      continue
    }
    const result = parsed(one, text)
    if ('problem' in result) problems[one.name] = result.problem
    else if (one.name === '' && isRecord(result.value)) Object.assign(payload, result.value)
    else if (one.name === '') problems[one.name] = 'Write a JSON object: { … }.'
    else payload[one.name] = typed(schema, one, result.value)
  }
  return Object.keys(problems).length > 0 ? { problems } : { payload }
}

/** The field an error body names (`payload.level`, `body/payload/level`), if it is one of the form's. */
export const namedField = (fields: readonly Field[], at: string | undefined): string | undefined =>
  fields.find(({ name }) => name !== '' && at !== undefined && at.split(/[./]/).includes(name))?.name
