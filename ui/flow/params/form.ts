// The params of a flow as a form: fields from their JSON Schema, with units and spans of time, and back to values.
import { isRecord, type Json } from '../../api/read.ts'
import type { FlowParams } from '../../api/types.ts'
import { fieldsOf, payloadFrom, type Field } from '../../devices/form.ts'
import { durationText, parseDuration } from './duration.ts'

export interface ParamField extends Field {
  /** Shown beside the value; '' for none. */
  unit: string
  /** A number of ms that is written as a span: `5 min`. */
  isSpan: boolean
}

/** `, µg/m³`, `, in ms` or `(ms)`, before the end or before what the form adds. */
const UNIT_AT_END = /\s*[,(]\s*(?:in )?([^\s,()]{1,8})\)?\.?(?=$| ·)/

/** A unit told by the schema, or at the end of its description: `Dust that starts it, µg/m³`. */
const unitOf = (schema: Json): string => {
  const told = schema['unit'] ?? schema['x-unit']
  if (typeof told === 'string') return told
  const description = schema['description']
  return typeof description === 'string' ? (UNIT_AT_END.exec(description)?.[1] ?? '') : ''
}

const spanHint = (schema: Json, min: number | undefined, max: number | undefined): string => {
  const described = typeof schema['description'] === 'string' ? schema['description'].replace(UNIT_AT_END, '') : ''
  const range =
    min !== undefined && max !== undefined
      ? `${durationText(min)} to ${durationText(max)}`
      : min !== undefined && min > 0
        ? `${durationText(min)} or longer`
        : max !== undefined
          ? `at most ${durationText(max)}`
          : ''
  return [described, range].filter((one) => one !== '').join(' · ')
}

const propertiesOf = ({ schema }: Pick<FlowParams, 'schema'>): Json =>
  isRecord(schema['properties']) ? schema['properties'] : {}

/** The fields of a flow's params, in the order of its file. */
export const paramFields = (params: Pick<FlowParams, 'schema'>): ParamField[] => {
  const properties = propertiesOf(params)
  return fieldsOf(params.schema).map((field) => {
    const own = properties[field.name]
    const schema = isRecord(own) ? own : {}
    const isNumber = field.type === 'number' || field.type === 'integer'
    const unit = isNumber ? unitOf(schema) : ''
    const isSpan = isNumber && (unit === 'ms' || schema['format'] === 'duration')
    const { hint: told = '', ...rest } = field
    // The unit stands beside the label; it need not be said twice.
    if (!isSpan) {
      const hint = unit === '' ? told : told.replace(UNIT_AT_END, '')
      return { ...rest, unit, isSpan, ...(hint === '' ? {} : { hint }) }
    }
    const hint = spanHint(schema, field.min, field.max)
    return { ...rest, unit: '', isSpan, ...(hint === '' ? {} : { hint }) }
  })
}

/** A value as the text of its field. */
export const textOf = (field: ParamField, value: unknown): string => {
  if (value === undefined) return field.type === 'boolean' ? 'false' : ''
  if (field.isSpan && typeof value === 'number') return durationText(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The texts of all fields: what was written, and the value where nothing was. */
export const textsOf = (
  fields: readonly ParamField[],
  values: Readonly<Record<string, unknown>>,
  written: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(fields.map((field) => [field.name, written[field.name] ?? textOf(field, values[field.name])]))

/** Values for the hub, or what is wrong with which field. */
export const valuesFrom = (
  params: Pick<FlowParams, 'schema'>,
  texts: Readonly<Record<string, string>>,
): { values: Json } | { problems: Record<string, string> } => {
  const problems: Record<string, string> = {}
  const plain = { ...texts }
  for (const { name, isSpan, min, max } of paramFields(params)) {
    const text = texts[name]
    if (!isSpan || text === undefined || text.trim() === '') continue
    const ms = parseDuration(text)
    if (ms === undefined) problems[name] = 'Write a time with its unit, such as 90 s, 5 min or 1 h 30 min.'
    else if (min !== undefined && ms < min) problems[name] = `Must be ${durationText(min)} or longer.`
    else if (max !== undefined && ms > max) problems[name] = `Must be ${durationText(max)} at most.`
    else plain[name] = String(ms)
  }
  const read = payloadFrom(params.schema, plain)
  if ('problems' in read) return { problems: { ...read.problems, ...problems } }
  return Object.keys(problems).length > 0 ? { problems } : { values: read.payload ?? {} }
}

export interface Change {
  name: string
  label: string
  before: string
  after: string
}

const withUnit = (field: ParamField, value: unknown): string => {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  const text = textOf(field, value)
  if (text === '') return 'not set'
  return field.unit === '' ? text : `${text} ${field.unit}`
}

/** What differs between two sets of values, in words. */
export const changesBetween = (
  fields: readonly ParamField[],
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Change[] =>
  fields
    .filter(({ name }) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((field) => ({
      name: field.name,
      label: field.label,
      before: withUnit(field, before[field.name]),
      after: withUnit(field, after[field.name]),
    }))
