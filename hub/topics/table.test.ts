import { expect, test } from 'vitest'
import { z } from 'zod'
import { core } from './core.ts'
import { topics } from './row.ts'
import { topicTable } from './table.ts'

const row = { payload: z.unknown(), qos: 0, retain: false, by: 'granted', about: 'x' } as const
const table = topicTable([core, topics({ 'tele/{name}/STATE': { ...row, native: 'fact' } })], 'site/one')

test('a topic is found with its parameters, under the prefix; native topics without it', () => {
  expect(table.match('site/one/devices/dust/state')).toMatchObject({
    key: 'devices/{device}/state',
    params: { device: 'dust' },
  })
  expect(table.match('tele/plug/STATE')).toMatchObject({ key: 'tele/{name}/STATE', params: { name: 'plug' } })
  expect(table.match('devices/dust/state')).toBeUndefined()
  expect(table.match('site/one/devices//state')).toBeUndefined()
})

test('a fixed level wins over a parameter', () => {
  const both = topicTable([topics({ 'a/{x}': row, 'a/b': row, 'a/{x}/c': row })], 'p')
  expect(both.match('p/a/b')?.key).toBe('a/b')
  expect(both.match('p/a/b/c')).toMatchObject({ key: 'a/{x}/c', params: { x: 'b' } })
})

test('an address has every parameter, as one level', () => {
  expect(table.address('devices/{device}/state', { device: 'dust' })).toBe('site/one/devices/dust/state')
  expect(() => table.address('devices/{device}/state', {})).toThrow(/needs device/)
  expect(() => table.address('devices/{device}/state', { device: 'a/b' })).toThrow(/one topic level/)
  expect(() => table.address('devices/{device}/state', { device: '+' })).toThrow(/one topic level/)
})

test('two tables cannot bring the same address', () => {
  expect(() => topicTable([core, core], 'p')).toThrow(/two topic tables/)
})

test('a payload that does not fit names the field, the constraint and the value', () => {
  const request = table.rows.get('devices/{device}/request')!
  expect(table.decode(request, '{"intent":"light.turn_on"}')).toMatchObject({ ok: true })
  expect(table.decode(request, '{"intent":"Light ON"}')).toMatchObject({
    ok: false,
    field: 'intent',
    value: 'Light ON',
  })
  expect(table.decode(request, '{"intent":"a","colour":1}')).toMatchObject({ ok: false, field: 'colour', value: 1 })
  expect(table.decode(request, Buffer.from([0xff, 0xfe]))).toMatchObject({
    ok: false,
    constraint: expect.stringMatching(/must be JSON/),
  })
})

test('what is nested deeper than anything meant does not fit', () => {
  const telemetry = table.rows.get('devices/{device}/telemetry')!
  const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
  expect(table.decode(telemetry, nested(31))).toMatchObject({ ok: true })
  expect(table.decode(telemetry, nested(32))).toMatchObject({
    ok: false,
    constraint: expect.stringMatching(/deeper than 32/),
  })
  expect(table.decode(telemetry, nested(100_000))).toMatchObject({ ok: false })
})

test('what is no JSON is not repeated in the error', () => {
  const request = table.rows.get('devices/{device}/request')!
  expect(JSON.stringify(table.decode(request, 'my-password'))).not.toMatch(/password/)
})
