// Metrics in Prometheus text, with bounded label sets.
import { expect, test } from 'vitest'
import { openMetrics } from './metrics.ts'

test('counters, gauges and histograms come out under the prefix', async () => {
  const metrics = openMetrics({ process: false })
  metrics.count('publishes_total', 'Publishes', { by: 'device' })
  metrics.count('publishes_total', 'Publishes', { by: 'device' }, 2)
  metrics.gauge('millrace_clients', 'Clients', () => 7)
  metrics.gauge('depth', 'Depth', () => [
    { labels: { edge: 'a' }, value: 1 },
    { labels: { edge: 'b' }, value: 2 },
  ])
  metrics.observe('wait_seconds', 'Wait', 0.02)
  const text = await metrics.text()
  expect(text).toContain('millrace_publishes_total{by="device"} 3')
  expect(text).toContain('millrace_clients 7')
  expect(text).toContain('millrace_depth{edge="b"} 2')
  expect(text).toContain('millrace_wait_seconds_bucket{le="0.025"} 1')
  expect(text).not.toContain('millrace_millrace')
})

test('beyond 200 label combinations everything is counted together', async () => {
  const metrics = openMetrics({ process: false })
  for (let n = 0; n < 500; n++) metrics.count('hits_total', 'Hits', { client: `c${n}` })
  metrics.gauge('sizes', 'Sizes', () =>
    Array.from({ length: 500 }, (_, n) => ({ labels: { client: `c${n}` }, value: 1 })),
  )
  const text = await metrics.text()
  expect(text.match(/millrace_hits_total\{/g)).toHaveLength(201)
  expect(text).toContain('millrace_hits_total{client="overflow"} 300')
  expect(text).toContain('millrace_sizes{client="overflow"} 300')
})

test('a wrong use is counted and never thrown', async () => {
  const metrics = openMetrics({ process: false })
  metrics.count('a_total', 'A', {}, -1)
  metrics.count('b_total', 'B', { 'bad-label': 'x' })
  metrics.gauge('c', 'C', () => {
    throw new Error('no')
  })
  metrics.count('d_total', 'D', { one: '1' })
  metrics.count('d_total', 'D', { one: '1', two: '2' })
  metrics.gauge('d_total', 'D', () => 1)
  const text = await metrics.text()
  expect(text).toContain('millrace_d_total{one="1"} 2')
  expect(text.match(/# TYPE millrace_d_total /g)).toHaveLength(1)
  expect(await metrics.text()).toMatch(/millrace_metric_misuse_total [4-9]/)
})

test('the process and its event loop are measured, and a scrape is quick', async () => {
  const metrics = openMetrics()
  let text = ''
  let quickest = Infinity
  for (let n = 0; n < 5; n++) {
    const started = performance.now()
    text = await metrics.text()
    quickest = Math.min(quickest, performance.now() - started)
  }
  expect(quickest).toBeLessThan(50)
  expect(text).toContain('millrace_nodejs_eventloop_lag_p99_seconds')
  expect(text).toContain('millrace_process_resident_memory_bytes')
})

test('what a label holds cannot break out of its line', async () => {
  const metrics = openMetrics({ process: false })
  metrics.count('odd_total', 'Odd\nhelp', { what: 'a"b\\c\nd' })
  const text = await metrics.text()
  expect(text).toContain('# HELP millrace_odd_total Odd\\nhelp\n# TYPE millrace_odd_total counter')
  expect(text).toContain('millrace_odd_total{what="a\\"b\\\\c\\nd"} 1\n')
})

test('buckets of a histogram add up, and what is beyond the last is in the one without an end', async () => {
  const metrics = openMetrics({ process: false })
  for (const seconds of [0.02, 0.025, 0.3, 99]) metrics.observe('wait_seconds', 'Wait', seconds, { route: '/a' })
  const text = await metrics.text()
  expect(text).toContain('millrace_wait_seconds_bucket{le="0.01",route="/a"} 0')
  expect(text).toContain('millrace_wait_seconds_bucket{le="0.025",route="/a"} 2')
  expect(text).toContain('millrace_wait_seconds_bucket{le="10",route="/a"} 3')
  expect(text).toContain('millrace_wait_seconds_bucket{le="+Inf",route="/a"} 4')
  expect(text).toContain('millrace_wait_seconds_sum{route="/a"} 99.345')
  expect(text).toContain('millrace_wait_seconds_count{route="/a"} 4')
})
