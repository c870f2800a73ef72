// The policy: which rule fits, what follows from it, when it is allowed, and that a file is taken or told what is wrong.
import { mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HAZARDS } from '../hazards.ts'
import { quiet } from '../gate.rig.ts'
import { openPolicyFile } from './file.ts'
import { isWithin } from './hours.ts'
import { policyOf } from './policy.ts'
import { readPolicy } from './read.ts'
import { DAYS, PolicyFile } from './schema.ts'

const of = (file: object) => policyOf(PolicyFile.parse(file))
const welder = { id: 'welder_1', kind: 'welder', area: 'Bay' }

test('the first rule that fits counts, then the hub’s own, then low', () => {
  const { takes } = of({
    rules: [
      { name: 'calm', intent: 'welder.*', device: 'welder_2', hazard: 'low' },
      { name: 'bay', intent: ['welder.start', 'welder.power_on'], zone: 'b*', hazard: 'medium' },
    ],
  })
  expect(takes(welder, 'welder.start')).toMatchObject({ hazard: 'medium', rule: 'bay', people: 1 })
  expect(takes({ ...welder, id: 'welder_2' }, 'welder.start')).toMatchObject({ hazard: 'low', rule: 'calm', people: 0 })
  expect(takes({ ...welder, area: 'Yard' }, 'welder.start')).toMatchObject({
    hazard: 'high',
    rule: 'power of a dangerous machine',
    presence: 'requester_present',
  })
  expect(takes({ id: 'w', kind: 'welder' }, 'welder.start')).toMatchObject({ hazard: 'high' })
  expect(takes({ id: 'lamp', kind: 'light' }, 'light.turn_on')).toMatchObject({ hazard: 'low', rule: 'no rule' })
})

test('without the hub’s own rules only those of the file count', () => {
  expect(of({ builtIn: false }).takes(welder, 'welder.start').hazard).toBe('low')
})

test('a pattern is letters and stars, nothing else', () => {
  const { takes } = of({ builtIn: false, rules: [{ intent: 'a.b', kind: 'x(.*)+', hazard: 'high' }] })
  expect(takes({ id: 'd', kind: 'xyz' }, 'a.b').hazard).toBe('low')
  expect(takes({ id: 'd', kind: 'X(.abc)+' }, 'a.b').hazard).toBe('high')
  expect(takes({ id: 'd', kind: 'X(.abc)+' }, 'aXb').hazard).toBe('low')
})

test('a zone makes what asks for approval at least as dangerous as it is, and nothing else', () => {
  const { takes } = of({ zones: { bay: { level: 'high' } }, rules: [{ intent: 'oven.heat', hazard: 'medium' }] })
  expect(takes({ id: 'o', kind: 'oven', area: 'Bay' }, 'oven.heat')).toMatchObject({ hazard: 'high', people: 2 })
  expect(takes({ id: 'o', kind: 'oven', area: 'Hall' }, 'oven.heat')).toMatchObject({ hazard: 'medium', people: 1 })
  expect(takes({ id: 'l', kind: 'light', area: 'Bay' }, 'light.turn_on')).toMatchObject({ hazard: 'low', people: 0 })
})

test('high takes two, whatever else is written', () => {
  fc.assert(
    fc.property(
      fc.record({
        hazard: fc.constantFrom(...HAZARDS),
        dual: fc.option(fc.boolean(), { nil: undefined }),
        level: fc.constantFrom('low', 'medium', 'high'),
      }),
      ({ hazard, dual, level }) => {
        const takes = of({
          zones: { bay: { level } },
          rules: [{ hazard, ...(dual === undefined ? {} : { dual }) }],
        }).takes(welder, 'x.y')
        expect(takes.people === 2).toBe(takes.hazard === 'high' || dual === true)
        expect(takes.people > 0).toBe(takes.hazard === 'medium' || takes.hazard === 'high' || dual === true)
      },
    ),
  )
})

test('the version is the same for the same policy, and another for any change', () => {
  const text = 'rules:\n  - { intent: a.b, hazard: high }\n'
  const version = (yaml: string) => {
    const read = readPolicy(yaml)
    return read.ok ? read.policy.version : read.wrong
  }
  expect(version(text)).toBe(version(`# another comment\n${text}`))
  expect(version(text)).not.toBe(version(text.replace('high', 'medium')))
  expect(version(text)).not.toBe(version(`builtIn: false\n${text}`))
  expect(version('')).toBe(policyOf().version)
})

test.each([
  ['07:00', '20:00', DAYS, '2026-03-02T06:59:59Z', false],
  ['07:00', '20:00', DAYS, '2026-03-02T07:00:00Z', true],
  ['07:00', '20:00', DAYS, '2026-03-02T20:00:00Z', false],
  ['22:00', '06:00', ['mon'], '2026-03-02T23:00:00Z', true],
  ['22:00', '06:00', ['mon'], '2026-03-03T05:59:00Z', true],
  ['22:00', '06:00', ['mon'], '2026-03-03T06:00:00Z', false],
  ['22:00', '06:00', ['mon'], '2026-03-02T05:00:00Z', false],
  ['22:00', '06:00', ['sun'], '2026-03-02T05:00:00Z', true],
  ['18:00', '24:00', ['mon'], '2026-03-02T23:59:00Z', true],
  ['00:00', '00:00', ['tue'], '2026-03-02T12:00:00Z', false],
  ['00:00', '00:00', ['mon'], '2026-03-02T12:00:00Z', true],
] as const)('from %s to %s on %s: %s is %s', (from, to, days, at, allowed) => {
  expect(isWithin({ from, to, days: [...days] }, Date.parse(at), 'UTC')).toBe(allowed)
})

test('hours are those of the site, summer and winter', () => {
  const hours = { from: '07:00', to: '08:00', days: [...DAYS] }
  expect(isWithin(hours, Date.parse('2026-01-15T06:30:00Z'), 'Europe/Berlin')).toBe(true)
  expect(isWithin(hours, Date.parse('2026-07-15T06:30:00Z'), 'Europe/Berlin')).toBe(false)
  expect(isWithin(hours, Date.parse('2026-07-15T05:30:00Z'), 'Europe/Berlin')).toBe(true)
})

test('a file is taken when it is saved, and when it is gone the hub’s own rules count again', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-policy-'))
  const told: string[] = []
  const open = () =>
    openPolicyFile({
      dataDir: dir,
      health: { set() {}, report() {} },
      log: quiet,
      told: (event) => void told.push(event),
    })
  const source = open()
  try {
    const own = source.now.version
    expect(told).toEqual([])
    writeFileSync(source.file, 'builtIn: false\n')
    source.look()
    expect(source.now.settings.builtIn).toBe(false)
    expect(told).toEqual(['policy.changed'])
    source.look()
    expect(told).toHaveLength(1)
    expect(statSync(join(dir, 'policy.taken.yaml')).mode & 0o777).toBe(0o600)
    unlinkSync(source.file)
    source.look()
    expect(source.now.settings.builtIn).toBe(false)
    source.look()
    expect(source.now.version).toBe(own)
  } finally {
    source.close()
    rmSync(dir, { recursive: true, force: true })
  }
})

test('whatever a file holds, it is taken or told, never thrown', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.json()), (text) => {
      const read = readPolicy(text)
      if (!read.ok) expect(read.wrong.length).toBeGreaterThan(0)
    }),
    { numRuns: 300 },
  )
})
