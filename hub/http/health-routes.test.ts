// How the hub says how it is: words, readiness, metrics, errors.
import { expect, test } from 'vitest'
import type { ErrorEventValue } from '../health/health.ts'
import { openHealth } from '../health/health.ts'
import { openMetrics } from '../health/metrics.ts'
import type { ErrorQuery } from '../health/errors-store.ts'
import { healthRoutes } from './health-routes.ts'
import { openMetricsListener } from './metrics-listener.ts'
import { clock, opened, rememberingLog } from './web.fixture.ts'

const event: ErrorEventValue = {
  id: 'e1',
  timestamp: '2026-11-01T00:00:00.000Z',
  source: 'gate',
  type: 'T',
  severity: 'error',
  category: 'system',
  message: 'm',
  details: { a: 1 },
  retry_count: 0,
}

const start = async () => {
  const waiting: string[] = ['broker', 'store']
  const queries: ErrorQuery[] = []
  const health = openHealth({ clock, log: rememberingLog().log, metrics: openMetrics() })
  const errors = {
    find: async (query: ErrorQuery) => {
      queries.push(query)
      return [event]
    },
  }
  const { url } = await opened({
    routes: [healthRoutes({ health, clock, version: '1.2.3', notReady: () => waiting, errors })],
  })
  const ask = (path: string) => fetch(url + path, { headers: { authorization: 'Bearer right' } })
  return { url, ask, health, waiting, queries }
}

test('/health says the word of each part, without details, to anybody and quickly', async () => {
  const { url, health } = await start()
  health.set('store', 'healthy')
  health.set('plugin:bambu', 'degraded', 'serial 01P00A is offline')
  let response = await fetch(`${url}/health`)
  let quickest = Infinity
  for (let n = 0; n < 5; n++) {
    const started = performance.now()
    response = await fetch(`${url}/health`)
    quickest = Math.min(quickest, performance.now() - started)
  }
  expect(quickest).toBeLessThan(100)
  const body = (await response.json()) as Record<string, unknown>
  expect(body).toMatchObject({
    status: 'degraded',
    version: '1.2.3',
    parts: [
      { part: 'store', status: 'healthy' },
      { part: 'plugin:bambu', status: 'degraded' },
    ],
  })
  expect(typeof body['uptimeSeconds']).toBe('number')
  expect(JSON.stringify(body)).not.toContain('01P00A')
})

test('what a part says about itself takes a right', async () => {
  const { url, ask, health } = await start()
  health.set('store', 'degraded', 'the disk is slow')
  expect((await fetch(`${url}/api/health`)).status).toBe(401)
  expect(await (await ask('/api/health')).json()).toMatchObject({
    parts: [{ part: 'store', what: 'the disk is slow' }],
  })
})

test('/healthz is about the process alone; /readyz lists what it waits for', async () => {
  const { url, waiting, health } = await start()
  health.set('store', 'unhealthy')
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok', hub: 'millrace' })
  const notYet = await fetch(`${url}/readyz`)
  expect(notYet.status).toBe(503)
  expect(await notYet.json()).toMatchObject({
    error: { code: 'UNAVAILABLE', details: { waitingFor: ['broker', 'store'] } },
  })
  waiting.length = 0
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

test('/metrics takes a token', async () => {
  const { url, ask, health } = await start()
  health.metrics.count('seen_total', 'Seen')
  expect((await fetch(`${url}/metrics`)).status).toBe(401)
  const response = await ask('/metrics')
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  expect(await response.text()).toContain('millrace_seen_total 1')
})

test('METRICS_BIND answers without one, on its own address, and nothing but /metrics', async () => {
  const metrics = openMetrics({ process: false })
  metrics.count('seen_total', 'Seen')
  const listener = await openMetricsListener({ bind: '127.0.0.1:0', metrics })
  const url = `http://127.0.0.1:${listener.port}`
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('millrace_seen_total 1')
  expect((await fetch(`${url}/health`)).status).toBe(404)
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404)
  await expect(openMetricsListener({ bind: `127.0.0.1:${listener.port}`, metrics })).rejects.toThrow('METRICS_BIND')
  await expect(openMetricsListener({ bind: 'nonsense', metrics })).rejects.toThrow("must look like '127.0.0.1:9464'")
  await listener.close()
})

test('/api/errors asks the store within bounds', async () => {
  const { url, ask, queries } = await start()
  expect((await fetch(`${url}/api/errors`)).status).toBe(401)
  expect(await (await ask('/api/errors?hours=2&severity=CRITICAL&source=gate&limit=1000')).json()).toEqual({
    items: [event],
  })
  await ask('/api/errors')
  expect(queries).toEqual([
    { hours: 2, severity: 'critical', source: 'gate', limit: 1000 },
    { hours: 24, limit: 100 },
  ])
  for (const bad of ['limit=1001', 'hours=-1', 'severity=odd', 'color=red']) {
    const response = await ask(`/api/errors?${bad}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { code: 'VALIDATION_ERROR', details: { field: bad.split('=')[0] } },
    })
  }
})
