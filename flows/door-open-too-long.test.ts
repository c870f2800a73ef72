// Doors that stay open.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './door-open-too-long.ts'

const door = (open: boolean, device = 'door') => message('devices/{device}/state', { device }, { open })
const blink = (minutes: number, device = 'door') =>
  message(
    'devices/{device}/request',
    { device: 'bench_light' },
    { intent: 'light.turn_on', payload: { blink: 20 }, reason: `'${device}' has been open for ${minutes} minutes` },
  )

test('a door that is shut in time asks for nothing', () => {
  expect(play(flow, { '0s': door(true), '119s': door(false) })).toEqual({})
  expect(play(flow, { '0s': door(false) })).toEqual({})
})

test('after two minutes the light blinks, and every two minutes until the door is shut', () => {
  expect(play(flow, { '0s': door(true), '250s': door(false) })).toEqual({ '120s': blink(2), '240s': blink(4) })
})

test('a door that opens again has its two minutes again; one that says it twice does not', () => {
  const opened = { '0s': door(true), '100s': door(false), '101s': door(true), '200s': door(true), '222s': door(false) }
  expect(play(flow, opened)).toEqual({ '221s': blink(2) })
})

test('a door that was open before the flow began counts from then', () => {
  expect(play(flow, { '121s': door(false) }, { retained: [door(true)] })).toEqual({ '120s': blink(2) })
})

test('two doors are two waits', () => {
  const both = { '0s': door(true), '60s': door(true, 'gate'), '130s': door(false), '181s': door(false, 'gate') }
  expect(play(flow, both)).toEqual({ '120s': blink(2), '180s': blink(2, 'gate') })
})

test('a device without a door is none', () => {
  const lamp = message('devices/{device}/state', { device: 'lamp' }, { on: true, open: 'yes' })
  expect(play(flow, { '0s': lamp })).toEqual({})
})
