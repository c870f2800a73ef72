// Health words, and the error bus that never throws and never floods.
import { expect, test } from 'vitest'
import { ErrorEvent } from '../topics/core.ts'
import { type ErrorEventValue, openHealth } from './health.ts'
import { openMetrics } from './metrics.ts'
import type { Log } from './report.ts'

const heard = () => {
  const lines: { event: string; fields: Record<string, unknown> }[] = []
  const write = (event: string, fields: object = {}) => void lines.push({ event, fields: { ...fields } })
  const log: Log = { debug: write, info: write, warn: write, error: write, of: () => log }
  return { log, lines }
}
const opened = (flood = { count: 10, windowMs: 60_000 }) => {
  const { log, lines } = heard()
  const time = { now: 1_700_000_000_000 }
  const health = openHealth({ clock: { now: () => time.now }, log, flood, metrics: openMetrics({ process: false }) })
  const events: ErrorEventValue[] = []
  const topics: string[] = []
  health.connect((event, { severity, source }) => {
    events.push(event)
    topics.push(`errors/${severity}/${source}`)
  })
  return { health, events, topics, lines, time }
}

test('a report becomes a complete event on errors/<severity>/<source>', () => {
  const { health, events, topics } = opened()
  health.report({ source: 'plugin:Bambu #1/+', type: 'Gone', message: 'it left' })
  expect(ErrorEvent.parse(events[0])).toMatchObject({
    source: 'plugin:Bambu #1/+',
    severity: 'error',
    category: 'system',
    retry_count: 0,
    details: {},
  })
  expect(topics).toEqual(['errors/error/plugin:bambu-1'])
})

test('old severity words are understood', () => {
  const { health, events } = opened()
  for (const severity of ['CRITICAL', 'high', 'medium', 'low', 'strange'])
    health.report({ source: 'a', type: severity, message: 'm', severity: severity as 'error' })
  expect(events.map(({ severity }) => severity)).toEqual(['critical', 'error', 'warning', 'info', 'error'])
})

test('secrets in a report are hidden', () => {
  const { health, events } = opened()
  health.report({
    source: 'a',
    type: 't',
    message: 'password=hunter22',
    stack: 'Bearer hunter22xx',
    details: { token: 'hunter22', deep: { apiKey: 'hunter22' } },
  })
  expect(JSON.stringify(events)).not.toContain('hunter22')
})

test('before the bus is connected, and when it throws, an error is in the log', () => {
  const { health, lines, events } = opened()
  health.connect(() => {
    throw new Error('bus is down')
  })
  expect(() => health.report({ source: 'a', type: 't', message: 'm' })).not.toThrow()
  expect(events).toEqual([])
  expect(lines.map(({ event }) => event)).toEqual(['error', 'error.unpublished'])
})

test('a report made while publishing a report does not recurse', () => {
  const { health, lines } = opened()
  let published = 0
  health.connect(() => {
    published++
    health.report({ source: 'bus', type: `again${published}`, message: 'while publishing' })
  })
  health.report({ source: 'a', type: 't', message: 'm' })
  expect(published).toBe(1)
  expect(lines.filter(({ event }) => event === 'error')).toHaveLength(2)
})

test('the eleventh equal report within a minute is held back; the rest is summed up once', () => {
  const { health, events, time } = opened()
  for (let n = 0; n < 25; n++) health.report({ source: 'cam', type: 'ConnectionError', message: `try ${n}` })
  health.report({ source: 'cam', type: 'Other', message: 'still heard' })
  health.report({ source: 'cam2', type: 'ConnectionError', message: 'still heard' })
  expect(events).toHaveLength(12)
  time.now += 60_001
  health.report({ source: 'cam', type: 'ConnectionError', message: 'next window' })
  const [summary, next] = events.slice(12)
  expect(summary).toMatchObject({
    source: 'cam',
    type: 'FloodSummary',
    details: { type: 'ConnectionError', throttled: 15, windowSeconds: 60 },
  })
  expect(summary?.message).toContain('try 24')
  expect(next?.message).toBe('next window')
  health.close()
  expect(events).toHaveLength(14)
})

test('a window that ends in silence is summed up by itself', async () => {
  const { log } = heard()
  const health = openHealth({
    clock: { now: () => performance.now() },
    log,
    flood: { count: 1, windowMs: 30 },
    metrics: openMetrics({ process: false }),
  })
  const summary = new Promise<ErrorEventValue>((resolve) => {
    health.connect((event) => event.type === 'FloodSummary' && resolve(event))
  })
  for (let n = 0; n < 4; n++) health.report({ source: 'a', type: 't', message: 'm' })
  expect((await summary).details).toMatchObject({ throttled: 3 })
})

test('a thousand kinds of floods do not grow without bound, and none is forgotten', () => {
  const { health, events } = opened({ count: 1, windowMs: 60_000 })
  for (let n = 0; n < 1_500; n++)
    for (let m = 0; m < 2; m++) health.report({ source: `s${n}`, type: 't', message: 'm' })
  expect(events.filter(({ type }) => type === 'FloodSummary')).toHaveLength(500)
  health.close()
})

test('a part is logged when its word changes, not when it is said again', () => {
  const { health, lines } = opened()
  health.set('db', 'healthy')
  health.set('db', 'healthy')
  health.set('db', 'degraded', 'slow')
  health.set('db', 'degraded', 'slower')
  expect(lines.map(({ fields }) => fields['status'])).toEqual(['healthy', 'degraded'])
  expect(health.parts()).toMatchObject([{ part: 'db', status: 'degraded', what: 'slower' }])
})

test('the whole is as well as its worst part', () => {
  const { health } = opened()
  expect(health.status()).toBe('unknown')
  health.set('a', 'healthy')
  expect(health.status()).toBe('healthy')
  health.set('b', 'unknown')
  expect(health.status()).toBe('unknown')
  health.set('c', 'degraded')
  expect(health.status()).toBe('degraded')
  health.set('d', 'unhealthy')
  expect(health.status()).toBe('unhealthy')
  health.drop('d')
  expect(health.status()).toBe('degraded')
})
