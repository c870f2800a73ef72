// Compressed air that goes nowhere.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play, type Timeline } from '#hub/testing'
import flow from './compressor-leaks.ts'

const motor = (on: boolean, device = 'compressor') =>
  message('devices/{device}/state', { device }, { on: true, motor: on })
const told = (value = 'compressor') =>
  message('flows/{flow}/{value}', { flow: 'compressor-leaks', value }, { leaks: true, starts: 5 })

/** The motor starts at each of these minutes and runs for one. */
const starts = (...minutes: number[]): Timeline =>
  Object.fromEntries(
    minutes.flatMap((m) => [
      [`${m}m`, motor(true)],
      [`${m + 1}m`, motor(false)],
    ]),
  )

test('four starts, or five in more than half an hour, are work', () => {
  expect(play(flow, starts(0, 5, 10, 15))).toEqual({})
  expect(play(flow, starts(0, 10, 15, 20, 30))).toEqual({})
})

test('five starts within half an hour are a leak, told once an hour', () => {
  expect(play(flow, starts(0, 5, 10, 15, 20, 25))).toEqual({ '1200s': told() })
  expect(play(flow, starts(0, 5, 10, 15, 20, 70, 72, 74, 76, 81))).toEqual({ '1200s': told(), '4860s': told() })
})

test('a motor that goes on running starts once', () => {
  expect(play(flow, { '0s': [motor(true), motor(true)], '1m': [motor(true), motor(true), motor(true)] })).toEqual({})
})

test('two compressors are two', () => {
  const both = Object.fromEntries(
    [0, 5, 10, 15, 20].map((m) => [
      `${m}m`,
      m < 20
        ? [motor(true), motor(true, 'other'), motor(false), motor(false, 'other')]
        : [motor(true, 'other'), motor(false, 'other')],
    ]),
  ) as Timeline
  expect(play(flow, both)).toEqual({ '1200s': told('other') })
})
