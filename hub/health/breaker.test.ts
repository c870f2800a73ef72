// Breakers and retries, with short real times.
import { expect, test } from 'vitest'
import { Recoverable } from '../errors.ts'
import { breaker, BREAKERS } from './breaker.ts'
import { openHealth } from './health.ts'
import { openMetrics } from './metrics.ts'
import type { Log } from './report.ts'
import { retry } from './retry.ts'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }
const health = () => openHealth({ clock: { now: () => 0 }, log: quiet, metrics: openMetrics({ process: false }) })
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const down = () => Promise.reject(new Error('down'))
const settle = async (calls: number, run: () => Promise<unknown>) => {
  for (let n = 0; n < calls; n++) await run().catch(() => {})
}

test('the presets are the ones that were agreed', () => {
  expect(BREAKERS).toEqual({
    planner: { failures: 5, halfOpenAfterMs: 30_000 },
    isaac: { failures: 3, halfOpenAfterMs: 10_000 },
    agents: { failures: 5, halfOpenAfterMs: 60_000, probes: 3 },
  })
})

test('it opens at the third failure in a row, fails fast, lets one through on trial and closes', async () => {
  const h = health()
  const b = breaker({ name: 'sim', limits: { failures: 3, halfOpenAfterMs: 400 }, health: h, log: quiet })
  await settle(2, () => b.run(down))
  await b.run(async () => 'ok')
  await settle(2, () => b.run(down))
  expect(b.state()).toBe('closed')
  await settle(1, () => b.run(down))
  expect(b.state()).toBe('open')
  expect(h.parts()).toMatchObject([{ part: 'breaker:sim', status: 'degraded' }])

  let called = false
  let quickest = Infinity
  let refused: unknown
  for (let n = 0; n < 5; n++) {
    const started = performance.now()
    refused = await b.run(async () => (called = true)).catch((error: unknown) => error)
    quickest = Math.min(quickest, performance.now() - started)
  }
  expect(quickest).toBeLessThan(1)
  expect(called).toBe(false)
  expect(refused).toMatchObject({ code: 'CONNECTION_ERROR', details: { breaker: 'sim' } })

  await wait(420)
  let finish = (_: string) => {}
  const trial = b.run(() => new Promise<string>((resolve) => (finish = resolve)))
  expect(b.state()).toBe('half-open')
  await expect(b.run(async () => 'second')).rejects.toMatchObject({ code: 'CONNECTION_ERROR' })
  finish('ok')
  expect(await trial).toBe('ok')
  expect(b.state()).toBe('closed')
  expect(h.parts()).toMatchObject([{ part: 'breaker:sim', status: 'healthy' }])
  const text = await h.metrics.text()
  expect(text).toContain('millrace_breaker_trips_total{breaker="sim"} 1')
  expect(text).toContain('millrace_breaker_state{breaker="sim"} 0')
})

test('a failure on trial opens it again', async () => {
  const b = breaker({ name: 'x', limits: { failures: 1, halfOpenAfterMs: 20 }, health: health(), log: quiet })
  await settle(1, () => b.run(down))
  await wait(40)
  await settle(1, () => b.run(down))
  expect(b.state()).toBe('open')
})

test('agents need three successes on trial', async () => {
  const b = breaker({
    name: 'x',
    limits: { failures: 1, halfOpenAfterMs: 20, probes: 3 },
    health: health(),
    log: quiet,
  })
  await settle(1, () => b.run(down))
  await wait(40)
  await b.run(async () => 1)
  await b.run(async () => 1)
  expect(b.state()).toBe('half-open')
  await b.run(async () => 1)
  expect(b.state()).toBe('closed')
})

test('the caller’s own mistakes do not count', async () => {
  const b = breaker({ name: 'x', limits: { failures: 2, halfOpenAfterMs: 1000 }, health: health(), log: quiet })
  const wrong = () => Promise.reject(new Recoverable('VALIDATION_ERROR', 'no'))
  const denied = () => Promise.reject(new Recoverable('CONNECTION_ERROR', 'no', { status: 404 }))
  await settle(5, () => b.run(wrong))
  await settle(5, () => b.run(denied))
  expect(b.state()).toBe('closed')
  await settle(2, () => b.run(() => Promise.reject(new Recoverable('CONNECTION_ERROR', 'no', { status: 503 }))))
  expect(b.state()).toBe('open')
})

test('a reset by hand closes it and starts the count anew', async () => {
  const b = breaker({ name: 'x', limits: { failures: 2, halfOpenAfterMs: 60_000 }, health: health(), log: quiet })
  await settle(2, () => b.run(down))
  b.reset('person:ada')
  expect(b.state()).toBe('closed')
  await settle(1, () => b.run(down))
  expect(b.state()).toBe('closed')
})

const failing = (times: number) => {
  let calls = 0
  return {
    call: async () => {
      if (++calls <= times) throw new Recoverable('CONNECTION_ERROR', `failure ${calls}`)
      return calls
    },
    calls: () => calls,
  }
}
const limits = { attempts: 4, firstMs: 2, mostMs: 5, deadlineMs: 500 }

test('a repeatable call is tried again and says so', async () => {
  const lines: string[] = []
  const log: Log = { ...quiet, info: (event) => void lines.push(event) }
  const metrics = openMetrics({ process: false })
  const peer = failing(2)
  expect(await retry(peer.call, { name: 'peer', repeatable: true, log, metrics, limits })).toBe(3)
  expect(lines).toEqual(['retry', 'retry'])
  expect(await metrics.text()).toContain('millrace_retries_total{call="peer"} 2')
})

test('it gives up after its attempts, and at its deadline', async () => {
  const metrics = openMetrics({ process: false })
  const always = failing(99)
  await expect(retry(always.call, { name: 'peer', repeatable: true, log: quiet, metrics, limits })).rejects.toThrow(
    'failure 4',
  )
  const slow = failing(99)
  const started = performance.now()
  const short = { attempts: 50, firstMs: 20, mostMs: 20, deadlineMs: 100 }
  await expect(
    retry(slow.call, { name: 'peer', repeatable: true, log: quiet, metrics, limits: short }),
  ).rejects.toThrow()
  expect(performance.now() - started).toBeLessThan(2_000)
  expect(slow.calls()).toBeLessThan(12)
})

test('what has an effect and no key is never repeated, nor is a refusal', async () => {
  const metrics = openMetrics({ process: false })
  const peer = failing(1)
  await expect(retry(peer.call, { name: 'peer', repeatable: false, log: quiet, metrics, limits })).rejects.toThrow(
    'failure 1',
  )
  expect(peer.calls()).toBe(1)
  let calls = 0
  const refused = async () => {
    calls++
    throw new Recoverable('POLICY_ERROR', 'no')
  }
  await expect(retry(refused, { name: 'peer', repeatable: true, log: quiet, metrics, limits })).rejects.toThrow('no')
  expect(calls).toBe(1)
})
