// Payloads against what a device declared: exact where the hub can check, a refusal where it cannot.
import { expect, test } from 'vitest'
import { payloadCheck } from './payload-schema.ts'

const level = {
  type: 'object',
  properties: { level: { type: 'integer', minimum: 0, maximum: 100 } },
  required: ['level'],
  additionalProperties: false,
}

test.each<[Record<string, unknown>, Record<string, unknown>, string | undefined]>([
  [level, { level: 5 }, undefined],
  [level, {}, 'level: is required'],
  [level, { level: 5.5 }, 'level: must be integer'],
  [level, { level: '5' }, 'level: must be integer'],
  [level, { level: 101 }, 'level: must be at most 100'],
  [level, { level: 5, x: 1 }, 'x: is not allowed'],
  [{}, {}, undefined],
  [{}, { a: 1 }, 'a: is not expected: this intent takes no payload'],
  [{ type: 'object' }, { a: 1 }, undefined],
  // Keywords without a type, and `required` without `properties`, bind as well.
  [{ properties: { a: { maximum: 3 } } }, { a: 4 }, 'a: must be at most 3'],
  [{ properties: { a: { maximum: 3 } } }, { a: 'x' }, undefined],
  [{ required: ['a'] }, {}, 'a: is required'],
  [{ required: ['__proto__'] }, {}, '__proto__: is required'],
  [{ properties: { a: { enum: ['x', 1, { k: 1 }] } } }, { a: { k: 1 } }, undefined],
  [{ properties: { a: { enum: ['x', 1] } } }, { a: 'y' }, 'a: must be one of "x", 1'],
  [{ properties: { a: { const: 2 } } }, { a: 3 }, 'a: must be 2'],
  [{ properties: { a: { type: ['number', 'null'] } } }, { a: null }, undefined],
  [{ properties: { a: { multipleOf: 0.1 } } }, { a: 0.3 }, undefined],
  [{ properties: { a: { multipleOf: 0.1 } } }, { a: 0.35 }, 'a: must be a multiple of 0.1'],
  [{ properties: { a: { exclusiveMinimum: 0, exclusiveMaximum: 1 } } }, { a: 1 }, 'a: must be less than 1'],
  [{ properties: { a: { minLength: 2, maxLength: 3 } } }, { a: '🙂🙂' }, undefined],
  [{ properties: { a: { maxLength: 3 } } }, { a: 'abcd' }, 'a: must have at most 3 characters'],
  [{ properties: { a: { pattern: '^#[0-9a-f]{6}$' } } }, { a: '#00ff00' }, undefined],
  [{ properties: { a: { pattern: '^#[0-9a-f]{6}$' } } }, { a: 'red' }, 'a: must match ^#[0-9a-f]{6}$'],
  [
    { properties: { a: { items: { type: 'number' }, minItems: 1, maxItems: 2, uniqueItems: true } } },
    { a: [1, 1] },
    'a: must not hold an item twice',
  ],
  [{ properties: { a: { items: { type: 'number' } } } }, { a: [1, 'x'] }, 'a.1: must be number'],
  [{ properties: { a: { anyOf: [{ type: 'number' }, { const: 'auto' }] } } }, { a: 'auto' }, undefined],
  [
    { properties: { a: { anyOf: [{ type: 'number' }, { const: 'auto' }] } } },
    { a: 'x' },
    'a: fits none of the forms the device allows',
  ],
  [
    { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    { a: 1, b: 1 },
    ': must fit exactly one of the forms the device allows',
  ],
  [{ not: { required: ['a'] } }, { a: 1 }, ': has a form the device excludes'],
  [{ allOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 1 }, 'b: is required'],
  [{ additionalProperties: { type: 'number' } }, { a: 'x' }, 'a: must be number'],
  [{ minProperties: 1 }, {}, ': must have at least 1 fields'],
  [{ title: 'x', description: 'y', format: 'z', 'x-unit': 'mm' }, { any: 1 }, undefined],
])('%j with %j', (schema, payload, wrong) => {
  const found = payloadCheck(schema)(payload)
  expect(found && `${found.field}: ${found.constraint}`).toBe(wrong)
})

test.each<Record<string, unknown>>([
  { $ref: '#/$defs/a' },
  { if: {}, then: {} },
  { patternProperties: {} },
  { type: 'float' },
  { minimum: '3' },
  { multipleOf: 0 },
  { properties: [] },
  { properties: { a: 3 } },
  { required: [1] },
  { anyOf: [] },
  { properties: { a: { pattern: '(a+)+$' } } },
  { properties: { a: { pattern: '(a|a)*b' } } },
  { properties: { a: { pattern: '.*.*x' } } },
  { properties: { a: { pattern: `^${'(a|\\w)'.repeat(24)}b` } } },
  { anyOf: Array.from({ length: 257 }, () => ({ const: 0 })) },
  { allOf: Array.from({ length: 33 }, () => ({ pattern: 'x' })) },
  { properties: { a: { pattern: 'a?a?a?aaa' } } },
  { properties: { a: { pattern: '(a)\\1' } } },
  { properties: { a: { pattern: '(?=a)b' } } },
  { properties: { a: { pattern: '[' } } },
  { constructor: {} },
  Array.from({ length: 20 }).reduce<Record<string, unknown>>((inner) => ({ properties: { a: inner } }), {}),
])('a schema the hub cannot check lets nothing pass: %j', (schema) => {
  expect(payloadCheck(schema)({ a: 1 })).toMatchObject({ unusable: true })
})

const items = Array.from({ length: 2500 }, (_, i) => ({ a: i, b: 'xxxxxxxx' }))
const wide = Object.fromEntries(Array.from({ length: 8000 }, (_, i) => [`k${i}`, 1]))
const times = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value)

/** Each is within the size of a schema and of a payload, and took from a tenth of a second to minutes. */
test.each<[string, Record<string, unknown>, unknown]>([
  ['two variable parts before a long rest', { pattern: `^a*a*${'a'.repeat(190)}b` }, 'a'.repeat(300)],
  ['the same by counts', { pattern: '^a*a*a{100}b' }, 'a'.repeat(300)],
  ['a start anywhere', { pattern: 'a*a{100}b' }, 'a'.repeat(300)],
  ['many patterns', { allOf: times(32, { pattern: '^.*.*x$' }) }, 'a'.repeat(300)],
  ['a pattern for many items', { items: { pattern: '^.*.*x$' } }, times(200, 'a'.repeat(300))],
  ['many constants and a large value', { anyOf: times(250, { const: 0 }) }, items],
  ['many constants and a long text', { anyOf: times(250, { const: 0 }) }, 'x'.repeat(60_000)],
  ['many lengths of a long text', { allOf: times(250, { maxLength: 100_000 }) }, 'x'.repeat(60_000)],
  ['many counts of fields', { allOf: times(250, { minProperties: 1 }) }, wide],
  ['many looks at every field', { allOf: times(120, { additionalProperties: { type: 'number' } }) }, wide],
  ['items within items', { items: { uniqueItems: true, items: { uniqueItems: true } } }, times(90, times(90, [1]))],
])('%s: no schema holds the hub up', (_, schema, x) => {
  const started = performance.now()
  for (let i = 0; i < 10; i++) {
    const found = payloadCheck({ properties: { x: schema } })({ x })
    expect(found === undefined || found.constraint).not.toBe('')
  }
  // Ten times five milliseconds, on a machine that does something else besides.
  expect(performance.now() - started).toBeLessThan(1000)
})

test('a payload a device may well send is checked to its end', () => {
  const path = { properties: { points: { items: { type: 'number', minimum: 0, maximum: 9 } } } }
  expect(payloadCheck(path)({ points: times(3000, 3) })).toBeUndefined()
  expect(payloadCheck(path)({ points: [...times(3000, 3), 10] })).toMatchObject({ field: 'points.3000' })
  const text = { properties: { gcode: { type: 'string', minLength: 1, maxLength: 60_000 } } }
  expect(payloadCheck(text)({ gcode: 'G1 '.repeat(20_000) })).toBeUndefined()
  expect(payloadCheck({ properties: { a: { pattern: '^.*x$' } } })({ a: 'x'.repeat(301) })).toBeDefined()
})
