import { expect, test } from 'vitest'
import { fieldsOf, namedField, payloadFrom } from './form.ts'

const schema = {
  type: 'object',
  properties: {
    celsius: { type: 'number', minimum: 100, maximum: 450, description: 'Tip temperature' },
    profile: { enum: ['eco', 'fast'] },
    slot: { enum: [1, 2] },
    standby: { type: 'boolean' },
    note: { type: 'string', maxLength: 5 },
    path: { type: 'array', items: { type: 'number' } },
  },
  required: ['celsius'],
}

test('an empty schema has no form and no payload', () => {
  expect(fieldsOf({})).toEqual([])
  expect(fieldsOf({ type: 'object', additionalProperties: false })).toEqual([])
  expect(payloadFrom({}, {})).toEqual({ payload: undefined })
})

test('each simple property becomes its field, the rest JSON', () => {
  expect(fieldsOf(schema).map(({ name, type }) => `${name} ${type}`)).toEqual([
    'celsius number',
    'profile choice',
    'slot choice',
    'standby boolean',
    'note text',
    'path json',
  ])
  expect(fieldsOf(schema)[0]).toMatchObject({
    hint: 'Tip temperature · 100 to 450',
    required: true,
    min: 100,
    max: 450,
  })
})

test('values get the types of the schema, empty ones are left out', () => {
  expect(payloadFrom(schema, { celsius: '350,5', slot: '2', standby: 'true', path: '[1,2]' })).toEqual({
    payload: { celsius: 350.5, slot: 2, standby: true, path: [1, 2] },
  })
})

test('what is wrong is said at its field', () => {
  expect(payloadFrom(schema, { celsius: '', profile: 'slow', note: 'too long', path: '[' })).toEqual({
    problems: {
      celsius: 'Fill this in.',
      profile: 'Choose one.',
      note: 'At most 5 characters.',
      path: 'Write valid JSON.',
    },
  })
  expect(payloadFrom(schema, { celsius: '451' })).toEqual({ problems: { celsius: 'Must be 100 to 450.' } })
  expect(payloadFrom({ properties: { n: { type: 'integer' } } }, { n: '1.5' })).toEqual({
    problems: { n: 'Write a whole number.' },
  })
})

test('a schema that is no list of properties is asked for as JSON', () => {
  const odd = { oneOf: [{ type: 'object' }] }
  expect(fieldsOf(odd)).toHaveLength(1)
  expect(payloadFrom(odd, { '': '{"a":1}' })).toEqual({ payload: { a: 1 } })
  expect(payloadFrom(odd, { '': '[1]' })).toHaveProperty('problems')
})

test("the hub's error finds its field", () => {
  expect(namedField(fieldsOf(schema), 'payload.celsius')).toBe('celsius')
  expect(namedField(fieldsOf(schema), 'intent')).toBeUndefined()
  expect(namedField(fieldsOf(schema), undefined)).toBeUndefined()
})
