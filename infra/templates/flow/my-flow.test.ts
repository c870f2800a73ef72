// My flow, on the logical clock: the quiet case, the limit, a second device, the restart of the condition.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './my-flow.ts'

const value = (n: number, device = 'my_device') => message('devices/{device}/telemetry', { device }, { value: n })
const off = message(
  'devices/{device}/request',
  { device: 'my_device' },
  { intent: 'switch.turn_off', reason: 'above 100 for ten seconds' },
)

test('below the limit it asks for nothing', () => {
  expect(play(flow, { '0s': value(99), '1m': value(100) })).toEqual({})
})

test('ten seconds above the limit ask once', () => {
  expect(play(flow, { '0s': value(101), '5s': value(120), '1m': value(130) })).toEqual({ '10s': off })
})

test('a dip in between begins the ten seconds again', () => {
  expect(play(flow, { '0s': value(101), '9s': value(99), '9.5s': value(101) })).toEqual({ '19.5s': off })
})

test('another device does not count', () => {
  expect(play(flow, { '0s': value(101), '5s': value(1, 'other'), '6s': value(500, 'other') })).toEqual({ '10s': off })
})

test('another limit counts elsewhere', () => {
  const high = { '0s': value(150) } as const
  expect(play(flow, high, { params: { limit: 150 } })).toEqual({})
  expect(() => play(flow, high, { params: { limit: -1 } })).toThrow('params.limit')
})
