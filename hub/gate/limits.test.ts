// Limits from the config file, and what they let through.
import { expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import type { GateRequest, Snapshot } from './gate.ts'
import { deviceLimits, limitsInterlock } from './limits.ts'

const request = (payload: Record<string, unknown>): GateRequest => ({
  id: 'r',
  device: 'mk4',
  intent: 'printer.heat',
  payload,
  requestedBy: 'person:ada',
  issuedAt: '',
  expiresAt: '',
  correlationId: 'r',
  digest: '',
})
const world: Snapshot = { at: 10_000, device: () => ({ online: true, kind: 'printer', state: {}, safe: [] }) }

test('a misspelt limit stops the start and says where', () => {
  expect(() => deviceLimits({ printer: { 'printer.heat': { nozzle: { maximum: 280 } } } })).toThrow(Fatal)
  expect(() => deviceLimits({ printer: { 'printer.heat': { nozzle: { maximum: 280 } } } })).toThrow(
    /limits\.printer\.printer\.heat\.nozzle/,
  )
  expect(() => deviceLimits({ printer: { 'printer.heat': { nozzle: {} } } })).toThrow(/needs min, max or oneOf/)
  expect(() => deviceLimits({ printer: { 'printer.heat': { nozzle: { min: 3, max: 2 } } } })).toThrow(
    /min above its max/,
  )
  expect(() => deviceLimits({ printer: { 'printer.heat': { minIntervalMs: '3' } } })).toThrow(/minIntervalMs/)
})

const limits = deviceLimits({
  printer: {
    'printer.heat': { nozzle: { min: 0, max: 280 }, material: { oneOf: ['PLA', 'PETG'] }, 'bed.target': { max: 100 } },
  },
  mk4: { 'printer.heat': { nozzle: { max: 250 } } },
})

test.each<[Record<string, unknown>, string | undefined]>([
  [{ nozzle: 250 }, undefined],
  [{ nozzle: 251 }, "nozzle is 251, the most allowed is 250 (limit of 'mk4')"],
  [{ nozzle: -1 }, "nozzle is -1, the least allowed is 0 (limit of 'printer')"],
  [{ nozzle: '200' }, 'nozzle is "200", which is no number to hold against its limit (limit of \'mk4\')'],
  [{ material: 'PLA' }, undefined],
  [{ material: 'ABS' }, 'material is "ABS", allowed: PLA, PETG (limit of \'printer\')'],
  [{ bed: { target: 101 } }, "bed.target is 101, the most allowed is 100 (limit of 'printer')"],
  [{ bed: 3, other: 1 }, undefined],
  // A device may read either: both are held against the limit.
  [{ 'bed.target': 5, bed: { target: 101 } }, "bed.target is 101, the most allowed is 100 (limit of 'printer')"],
  [{ 'bed.target': 101, bed: { target: 5 } }, "bed.target is 101, the most allowed is 100 (limit of 'printer')"],
  [{ 'bed.target': 5, bed: { target: 5 } }, undefined],
])('%j', async (payload, reason) => {
  const verdict = await limitsInterlock(limits, () => 0).check(request(payload), world)
  expect(verdict).toEqual(reason === undefined ? { ok: true } : { ok: false, reason })
})
