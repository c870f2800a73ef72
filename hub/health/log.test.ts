// The log: one JSON line per event, and nothing secret in it.
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { openCorrelation } from './correlation.ts'
import { openLog } from './log.ts'
import { Secret } from './secret.ts'

const written = (level: 'debug' | 'info' = 'info') => {
  const lines: Record<string, unknown>[] = []
  const correlation = openCorrelation()
  const log = openLog({ level, correlation, destination: { write: (line) => lines.push(JSON.parse(line)) } })
  return { log, lines, correlation }
}

test('a line has time, level, part, event, fields and the correlation id of what is being worked on', () => {
  const { log, lines, correlation } = written()
  correlation.run('abc-1', () => log.of('gate').info('accepted', { device: 'dust' }))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({
    level: 'info',
    part: 'gate',
    event: 'accepted',
    device: 'dust',
    correlation: 'abc-1',
  })
  expect(String(lines[0]?.['time'])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('a field cannot overwrite the line’s own words', () => {
  const { log, lines } = written()
  log.of('gate').warn('refused', { event: 'x', time: 1, level: 'debug', part: 'y' })
  expect(lines[0]).toMatchObject({
    level: 'warn',
    part: 'gate',
    event: 'refused',
    field_event: 'x',
    field_level: 'debug',
  })
})

test('no secret reaches a line: by name, by type, in text, in an error, deep inside', () => {
  const { log, lines } = written()
  const cause = new Error('connect to mqtt://ada:hunter22@hub failed with Authorization: Bearer hunter22.abcdef')
  log.error('failed', {
    password: 'hunter22',
    headers: { Authorization: 'Bearer hunter22', cookie: 'a=hunter22' },
    list: [{ apiKey: 'hunter22', client_secret: 'hunter22' }],
    held: new Secret('hunter22'),
    map: new Map([['token', 'hunter22']]),
    url: 'https://ada:hunter22@example.org/?token=hunter22',
    error: new Error('outer', { cause }),
    form: 'grant_type=password&username=ada&password=hunter22',
  })
  const text = JSON.stringify(lines)
  expect(text).not.toContain('hunter22')
  expect(text).toContain('connect to mqtt://')
  expect(text).toContain('grant_type=password')
})

test('a secret cannot be printed, only revealed', () => {
  const secret = new Secret('hunter22')
  const text: unknown = secret
  expect(`${text as string} ${JSON.stringify({ secret })} ${String(secret)} ${inspect({ secret })}`).not.toContain(
    'hunter22',
  )
  expect(Object.values(secret)).toEqual([])
  expect(secret.reveal()).toBe('hunter22')
})

test('cycles, huge values and bytes do not hurt', () => {
  const { log, lines } = written()
  const ring: Record<string, unknown> = { big: 10n, bytes: Buffer.alloc(5), long: 'x'.repeat(20_000) }
  ring['self'] = ring
  Object.defineProperty(ring, 'bad', {
    enumerable: true,
    get: () => {
      throw new Error('no')
    },
  })
  expect(() => log.info('odd', ring)).not.toThrow()
  log.info('ring', { ring: { self: lines, n: Number.NaN, bytes: Buffer.alloc(5) } })
  expect(JSON.stringify(lines[1])).toContain('[5 bytes]')
})

test('the level can be changed for one part while it runs', () => {
  const { log, lines } = written()
  log.of('gate').debug('a')
  log.setLevel('debug', 'gate')
  log.of('gate').debug('b')
  log.of('bus').debug('c')
  log.setLevel('silent')
  log.of('bus').error('d')
  expect(lines.map(({ event }) => event)).toEqual(['b'])
})
