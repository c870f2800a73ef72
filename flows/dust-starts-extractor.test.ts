// Dust and the extractor.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './dust-starts-extractor.ts'

const dust = (value: unknown, device = 'dust') => message('devices/{device}/telemetry', { device }, { dust: value })
const ask = (intent: string) => message('devices/{device}/request', { device: 'extractor' }, { intent, reason: 'dust' })
const start = ask('switch.turn_on')
const stop = ask('switch.turn_off')

test('air that is neither dusty nor clean asks for nothing', () => {
  expect(play(flow, { '0s': dust(79.9), '1s': dust(20.1), '5m': dust(50) })).toEqual({})
})

test('the first reading at the limit starts the extractor, and the next ones do not ask again', () => {
  expect(play(flow, { '0s': dust(79), '1s': dust(80), '2s': dust(300), '3s': dust(30), '4s': dust(90) })).toEqual({
    '1s': start,
  })
})

test('two quiet minutes stop it', () => {
  expect(play(flow, { '0s': dust(120), '10s': dust(20), '60s': dust(5) })).toEqual({ '0s': start, '130s': stop })
})

test('dust within the two minutes keeps it running, and they begin again', () => {
  const samples = { '0s': dust(120), '10s': dust(5), '129s': dust(120), '150s': dust(5) }
  expect(play(flow, samples)).toEqual({ '0s': start, '129s': start, '270s': stop })
})

test('another sensor and readings that are no number count for nothing', () => {
  expect(play(flow, { '0s': [dust(500, 'dust_2'), dust('much'), dust(undefined)], '1s': dust(1, 'dust_2') })).toEqual(
    {},
  )
  const between = { '0s': dust(500), '1s': [dust(5, 'dust_2'), dust('little')] }
  expect(play(flow, between)).toEqual({ '0s': start })
})

test('another limit starts it elsewhere', () => {
  expect(play(flow, { '0s': dust(79), '1s': dust(80) })).toEqual({ '1s': start })
  expect(play(flow, { '0s': dust(80), '1s': dust(99) }, { params: { above: 100 } })).toEqual({})
  expect(() => play(flow, {}, { params: { above: 5 } })).toThrow('params.above')
})
