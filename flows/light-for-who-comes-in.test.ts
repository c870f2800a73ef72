// Coming in.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './light-for-who-comes-in.ts'

const opened = (device = 'door') => message('devices/{device}/event', { device }, { type: 'opened' })
const closed = message('devices/{device}/event', { device: 'door' }, { type: 'closed' })
const room = (occupied: boolean) => message('devices/{device}/state', { device: 'presence' }, { occupied })
const on = (door = 'door') =>
  message(
    'devices/{device}/request',
    { device: 'bench_light' },
    { intent: 'light.turn_on', payload: { level: 60 }, reason: `somebody came in by '${door}'` },
  )

test('a door and a person within a minute switch the light on, whichever came first', () => {
  expect(play(flow, { '0s': opened(), '10s': room(true) })).toEqual({ '10s': on() })
  expect(play(flow, { '0s': room(true), '59s': opened('gate') })).toEqual({ '59s': on('gate') })
})

test('a minute apart they have nothing to do with each other', () => {
  expect(play(flow, { '0s': opened(), '60s': room(true) })).toEqual({})
})

test('a door that closes, and somebody who is there already, mean nobody came in', () => {
  expect(play(flow, { '0s': closed, '5s': room(true) })).toEqual({})
  expect(play(flow, { '0s': room(true), '2m': opened(), '121s': room(true) })).toEqual({})
})

test('coming and going asks once in five minutes', () => {
  const busy = { '0s': opened(), '1s': room(true), '60s': room(false), '70s': opened(), '71s': room(true) } as const
  expect(play(flow, busy)).toEqual({ '1s': on() })
  const later = { ...busy, '300s': room(false), '310s': opened(), '311s': room(true) } as const
  expect(play(flow, later)).toEqual({ '1s': on(), '311s': on() })
})
