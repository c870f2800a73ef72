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
  { properties: { a: { pattern: 'a?a?a?aaa' } } },
  { properties: { a: { pattern: '(a)\\1' } } },
  { properties: { a: { pattern: '(?=a)b' } } },
  { properties: { a: { pattern: '[' } } },
  { constructor: {} },
  Array.from({ length: 20 }).reduce<Record<string, unknown>>((inner) => ({ properties: { a: inner } }), {}),
])('a schema the hub cannot check lets nothing pass: %j', (schema) => {
  expect(payloadCheck(schema)({ a: 1 })).toMatchObject({ unusable: true })
})

test('a hostile pattern that is let through does not hold the hub up', () => {
  const check = payloadCheck({ properties: { a: { pattern: '^.*.*x$', type: 'string' } } })
  const started = performance.now()
  for (let i = 0; i < 100; i++) check({ a: 'a'.repeat(300) })
  expect(performance.now() - started).toBeLessThan(1000)
  expect(check({ a: 'x'.repeat(301) })).toBeDefined()
})
