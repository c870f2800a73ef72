// The iron somebody forgot.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './hot-iron-left-on.ts'

const iron = (on: boolean, celsius: number, device = 'iron') =>
  message('devices/{device}/state', { device }, { on, celsius, target: 350 })
const room = (occupied: boolean) => message('devices/{device}/state', { device: 'presence' }, { occupied })
const sensor = (online: boolean) => message('devices/{device}/online', { device: 'presence' }, online)
const off = message(
  'devices/{device}/request',
  { device: 'iron' },
  { intent: 'switch.turn_off', reason: 'hot, and nobody in the room for ten minutes' },
)
const people = [sensor(true), room(true)]

test('a hot iron with somebody in the room is nobody else’s business', () => {
  expect(play(flow, { '0s': iron(true, 350), '30m': iron(true, 345) }, { retained: people })).toEqual({})
})

test('ten minutes alone switch it off, and each minute more asks again until it is off', () => {
  const left = { '0s': iron(true, 350), '1m': room(false), '12.5m': iron(false, 340) } as const
  expect(play(flow, left, { retained: people })).toEqual({ '660s': off, '720s': off })
})

test('it asks ten times and no more', () => {
  expect(Object.keys(play(flow, { '0s': iron(true, 350) }))).toEqual(
    Array.from({ length: 10 }, (_, n) => `${600 + n * 60}s`),
  )
})

test('who comes back begins the ten minutes again', () => {
  const visited = { '0s': room(false), '599s': room(true), '600s': room(false), '1201s': iron(false, 300) } as const
  expect(play(flow, visited, { retained: [sensor(true), room(true), iron(true, 350)] })).toEqual({ '1200s': off })
})

test('cold or off needs nothing', () => {
  expect(play(flow, { '0s': room(false), '20m': iron(true, 99) }, { retained: [iron(true, 21)] })).toEqual({})
  expect(play(flow, { '0s': room(false), '20m': iron(false, 300) }, { retained: [iron(false, 350)] })).toEqual({})
})

test('a sensor that is not there, or gone, has seen nobody', () => {
  expect(play(flow, { '0s': iron(true, 350), '10.5m': iron(false, 1) })).toEqual({ '600s': off })
  const gone = { '0s': iron(true, 350), '60s': sensor(false), '661s': iron(false, 1) }
  expect(play(flow, gone, { retained: people })).toEqual({ '660s': off })
})

test('another iron is another flow’s', () => {
  expect(play(flow, { '0s': iron(true, 350, 'iron_2'), '20m': room(false) })).toEqual({})
})
