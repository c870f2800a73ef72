// The operators of '#hub', each in virtual time.
import { map, type Observable } from 'rxjs'
import { expect, test } from 'vitest'
import { play, type Timeline } from '../testing/play.ts'
import { flow } from './flow.ts'
import { message } from './message.ts'
import { countWithin, hours, hysteresis, minutes, onEdge, quietFor, seconds } from './operators.ts'
import { per } from './per.ts'

const sample = (v: number, device = 'a') => message('devices/{device}/telemetry', { device }, { v })

/** What the steps make of a timeline of numbers, by time. */
const steps = (
  work: (values: Observable<number>) => Observable<unknown>,
  timeline: Record<string, number | number[]>,
) => {
  const numbers = flow((from) =>
    work(from('devices/{device}/telemetry').pipe(map(({ payload }) => Number(payload['v'])))).pipe(
      map((out) => message('devices/{device}/event', { device: 'out' }, { type: 'out', out })),
    ),
  )
  const input = Object.fromEntries(
    Object.entries(timeline).map(([when, vs]) => [when, [vs].flat().map((v) => sample(v))]),
  )
  return Object.fromEntries(
    Object.entries(play(numbers, input as Timeline)).map(([when, said]) => {
      const values = [said].flat().map((one) => (one as unknown as { payload: { out: unknown } }).payload.out)
      return [when, values.length === 1 ? values[0] : values]
    }),
  )
}

test('durations are in ms', () => {
  expect([seconds(1.5), minutes(2), hours(1)]).toEqual([1500, 120_000, 3_600_000])
})

test('countWithin counts only what is near enough', () => {
  const three = countWithin<number>(3, seconds(10))
  expect(steps(three, { '0s': 1, '4s': 2, '9s': 3 })).toEqual({ '9s': [1, 2, 3] })
  expect(steps(three, { '0s': 1, '4s': 2, '10s': 3 })).toEqual({})
  expect(steps(three, { '0s': 1, '4s': 2, '9s': 3, '13s': 4 })).toEqual({ '9s': [1, 2, 3], '13s': [2, 3, 4] })
  expect(steps(three, { '0s': [1, 2] })).toEqual({})
})

test('quietFor speaks once it stayed that way', () => {
  expect(steps(quietFor(seconds(5)), { '0s': 1, '4s': 2, '9s': 3 })).toEqual({ '9s': 2, '14s': 3 })
})

test('onEdge speaks on the way up only, and at the first value when it is up', () => {
  const above = onEdge<number>((v) => v > 10)
  expect(steps(above, { '0s': 5, '1s': 11, '2s': 12, '3s': 9, '4s': 20 })).toEqual({ '1s': 11, '4s': 20 })
  expect(steps(above, { '0s': 11, '1s': 12 })).toEqual({ '0s': 11 })
  expect(steps(above, { '0s': 5, '1s': 10 })).toEqual({})
})

test('hysteresis changes at its two limits and nowhere between', () => {
  const on = hysteresis({ low: 20, high: 30 })
  expect(steps(on, { '0s': 25, '1s': 30, '2s': 21, '3s': 29, '4s': 20, '5s': 25, '6s': 31 })).toEqual({
    '1s': true,
    '4s': false,
    '6s': true,
  })
})

test('per keeps each key to itself', () => {
  const twice = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      per('device', countWithin(2, seconds(10))),
      map(([{ params }]) => message('devices/{device}/event', params, { type: 'twice' })),
    ),
  )
  const twiceOf = (device: string) => message('devices/{device}/event', { device }, { type: 'twice' })
  expect(play(twice, { '0s': sample(1, 'a'), '1s': sample(1, 'b') })).toEqual({})
  expect(
    play(twice, { '0s': sample(1, 'a'), '1s': sample(1, 'b'), '2s': sample(1, 'a'), '3s': sample(1, 'b') }),
  ).toEqual({ '2s': twiceOf('a'), '3s': twiceOf('b') })
})
