// How long the machines have run.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { keptAfter, play } from '#hub/testing'
import flow from './machine-hours.ts'

const state = (device: string, payload: Record<string, unknown>) =>
  message('devices/{device}/state', { device }, payload)
const told = (value: string, minutes: number, hours = 0) =>
  message('flows/{flow}/{value}', { flow: 'machine-hours', value }, { minutes, hours })

test('a machine that stands still counts nothing', () => {
  expect(play(flow, { '0s': [state('press', { running: false }), state('thermo', { celsius: 20 })] })).toEqual({})
})

test('each minute that a machine runs counts, for each machine', () => {
  const morning = {
    '0s': state('press', { running: true }),
    '30s': state('printer_1', { status: 'printing' }),
    '100s': [state('press', { running: true, strokes: 9 }), state('printer_1', { status: 'idle' })],
    '150s': state('press', { running: false }),
  } as const
  expect(play(flow, morning)).toEqual({
    '60s': told('press', 1),
    '90s': told('printer_1', 1),
    '120s': told('press', 2),
  })
})

test('a minute begun is no minute, and a pause begins it again', () => {
  const on = state('compressor', { on: true, motor: true })
  const off = state('compressor', { on: true, motor: false })
  expect(play(flow, { '0s': on, '59s': off, '70s': on, '129s': off })).toEqual({})
})

test('it goes on where it was before a restart', () => {
  const kept = { 'device=press/run': { device: 'press', minutes: 119 } }
  const timeline = { '0s': state('press', { running: true }), '61s': state('press', { running: false }) } as const
  expect(play(flow, timeline, { kept })).toEqual({ '60s': told('press', 120, 2) })
  expect(keptAfter(flow, timeline, { kept })).toEqual({ 'device=press/run': { device: 'press', minutes: 120 } })
})
