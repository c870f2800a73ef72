// From a flow's schema to a form, and from the form to values.
import { expect, test } from 'vitest'
import { durationText, parseDuration } from './duration.ts'
import { changesBetween, paramFields, textsOf, valuesFrom } from './form.ts'

const schema = {
  type: 'object',
  properties: {
    above: { type: 'number', minimum: 0, maximum: 1000, default: 80, description: 'Dust that starts it, µg/m³' },
    quiet: {
      type: 'integer',
      minimum: 1000,
      maximum: 3_600_000,
      default: 120_000,
      description: 'How long it must be clean, ms',
    },
    weekend: { type: 'boolean', default: false, description: 'Also on Saturday and Sunday' },
    speed: { type: 'string', enum: ['low', 'high'], default: 'low' },
    device: { type: 'string', maxLength: 8 },
  },
  required: ['above', 'quiet', 'weekend', 'speed'],
}
const values = { above: 80, quiet: 120_000, weekend: false, speed: 'low' }
const fields = paramFields({ schema })
const texts = (written: Record<string, string> = {}): Record<string, string> => textsOf(fields, values, written)

test('each kind of param has its field, with unit and bounds', () => {
  expect(fields.map(({ name, type, unit, isSpan, hint }) => [name, type, unit, isSpan, hint])).toEqual([
    ['above', 'number', 'µg/m³', false, 'Dust that starts it · 0 to 1000'],
    ['quiet', 'integer', '', true, 'How long it must be clean · 1 s to 1 h'],
    ['weekend', 'boolean', '', false, 'Also on Saturday and Sunday'],
    ['speed', 'choice', '', false, undefined],
    ['device', 'text', '', false, undefined],
  ])
  expect(texts()).toEqual({ above: '80', quiet: '2 min', weekend: 'false', speed: 'low', device: '' })
})

test('a unit told by the schema wins over one in the description', () => {
  const [one] = paramFields({ schema: { properties: { a: { type: 'number', unit: '°C', description: 'Hot, very' } } } })
  expect(one?.unit).toBe('°C')
})

test('the unit is read however the description writes it, and said once', () => {
  const read = (description: string) =>
    paramFields({ schema: { properties: { a: { type: 'number', minimum: 20, description } } } }).map(
      ({ unit, hint }) => [unit, hint],
    )[0]
  expect(read('Dust that starts it, in µg/m³')).toEqual(['µg/m³', 'Dust that starts it · 20 or more'])
  expect(read('Pressure (bar)')).toEqual(['bar', 'Pressure · 20 or more'])
  expect(read('How many, at most')).toEqual(['', 'How many, at most · 20 or more'])
})

test('what is written comes back as typed values; an empty optional one is left out', () => {
  expect(valuesFrom({ schema }, texts({ above: '90,5', quiet: '1 h', weekend: 'true', speed: 'high' }))).toEqual({
    values: { above: 90.5, quiet: 3_600_000, weekend: true, speed: 'high' },
  })
})

test('each mistake stands at its field', () => {
  expect(valuesFrom({ schema }, texts({ above: '1001', quiet: '2 h', device: 'far too long' }))).toEqual({
    problems: { above: 'Must be 0 to 1000.', quiet: 'Must be 1 h at most.', device: 'At most 8 characters.' },
  })
  expect(valuesFrom({ schema }, texts({ above: '', quiet: '5' }))).toEqual({
    problems: { above: 'Fill this in.', quiet: 'Write a time with its unit, such as 90 s, 5 min or 1 h 30 min.' },
  })
})

test('a change is told in words, and no change is none', () => {
  expect(changesBetween(fields, values, { ...values, above: 90, quiet: 90_000, weekend: true })).toEqual([
    { name: 'above', label: 'Above', before: '80 µg/m³', after: '90 µg/m³' },
    { name: 'quiet', label: 'Quiet', before: '2 min', after: '1 min 30 s' },
    { name: 'weekend', label: 'Weekend', before: 'no', after: 'yes' },
  ])
  expect(changesBetween(fields, values, { ...values })).toEqual([])
})

test('spans are read as people write them, and written so that they read the same', () => {
  expect(['90 s', '5min', '1 h 30 min', '2 days', '0', '1,5 h'].map(parseDuration)).toEqual([
    90_000, 300_000, 5_400_000, 172_800_000, 0, 5_400_000,
  ])
  expect(['', '5', 'soon', '5 parsecs', '5 min later'].map(parseDuration)).toEqual(Array(5).fill(undefined))
  for (const ms of [0, 1, 250, 1500, 61_001, 90_000, 5_400_000, 93_784_005])
    expect(parseDuration(durationText(ms)), durationText(ms)).toBe(ms)
})
