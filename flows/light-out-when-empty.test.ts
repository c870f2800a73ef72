// The light in an empty room.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './light-out-when-empty.ts'

const light = (on: boolean, device = 'bench_light') => message('devices/{device}/state', { device }, { on, level: 60 })
const room = (occupied: boolean) => message('devices/{device}/state', { device: 'presence' }, { occupied })
const off = message(
  'devices/{device}/request',
  { device: 'bench_light' },
  { intent: 'light.turn_off', reason: 'nobody is in the room' },
)

test('at the next quarter of an hour the light in an empty room goes out, and again while it stays on', () => {
  const retained = [light(true), room(true)]
  const left = { '5m': room(false), '31m': light(false) } as const
  expect(play(flow, left, { retained })).toEqual({ '900s': off, '1800s': off })
})

test('who is there at the quarter keeps the light', () => {
  const visit = { '5m': room(false), '14m': room(true), '16m': room(false), '29m': light(false) } as const
  expect(play(flow, visit, { retained: [light(true), room(true)] })).toEqual({})
})

test('a light that is off, another light and a sensor that is silent lead to nothing', () => {
  expect(play(flow, {}, { retained: [light(false), room(false)], until: '1h' })).toEqual({})
  expect(play(flow, { '1m': light(true, 'lamp') }, { retained: [room(false)], until: '1h' })).toEqual({})
  expect(play(flow, {}, { retained: [light(true)], until: '1h' })).toEqual({})
})

test('the quarters are those of the clock on the wall', () => {
  const play20 = { retained: [light(true), room(false)], start: '2026-01-01T10:20:00Z', until: '30m' } as const
  expect(play(flow, {}, play20)).toEqual({ '600s': off, '1500s': off })
})
