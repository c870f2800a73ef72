// Dust that stays.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './extractor-does-not-help.ts'

const dust = (v: number, device = 'dust') => message('devices/{device}/telemetry', { device }, { dust: v })
const blink = (reason: string) =>
  message(
    'devices/{device}/request',
    { device: 'bench_light' },
    { intent: 'light.turn_on', payload: { blink: 30 }, reason },
  )
const asked = Object.values(play(flow, { '0s': dust(90) }, { until: '30s' }))
  .flat()
  .flatMap((one) => (one?.topic === 'devices/{device}/request' ? [one] : []))
const id = asked[0]?.payload.id ?? ''
const request = message(
  'devices/{device}/request',
  { device: 'extractor' },
  { intent: 'switch.turn_on', reason: 'the dust stays', id, expiresAt: '2026-01-01T00:01:00.000Z' },
)
const result = (status: 'done' | 'failed', reason?: string) =>
  message(
    'devices/{device}/result',
    { device: 'extractor' },
    { id, status, intent: 'switch.turn_on', ...(reason === undefined ? {} : { reason }) },
  )

test('dust that goes away asks for nothing', () => {
  expect(play(flow, { '0s': dust(79), '5s': dust(90), '34s': dust(40), '40s': dust(60) })).toEqual({})
})

test('dust that stays asks once, and an extractor that runs is enough', () => {
  const stays = { '0s': dust(90), '10s': dust(200), '20s': dust(60), '33s': result('done') } as const
  expect(play(flow, stays)).toEqual({ '30s': request })
})

test('an extractor that cannot run makes the light blink, with its reason', () => {
  const jammed = { '0s': dust(90), '33s': result('failed', 'the motor does not turn; clear the hose') } as const
  expect(play(flow, jammed)).toEqual({
    '30s': request,
    '33s': blink('extractor: the motor does not turn; clear the hose'),
  })
})

test('no answer within half a minute does, too, and a late one changes nothing', () => {
  expect(play(flow, { '0s': dust(90), '61s': result('done') })).toEqual({
    '30s': request,
    '60s': blink('extractor: no answer within 30000 ms'),
  })
})

test('another sensor does not count', () => {
  expect(play(flow, { '0s': dust(500, 'dust_2') })).toEqual({})
})
