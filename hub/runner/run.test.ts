// The runner through its front door: flows in a folder, messages on a bus.
import { expect, test } from 'vitest'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Principal } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import { testbed, type Testbed } from './testbed.ts'

const dust: Principal = { kind: 'device', id: 'dust', roles: [] }
const sample = (v: unknown) => message('devices/{device}/telemetry', { device: 'dust' }, { v })
const say = ({ bus }: Testbed, v: unknown) => bus.publish(dust, sample(v))

/** Echoes each sample as an event of `device`. */
const echo = (device: string, pipe = 'map(({ payload }) => payload.v)') => `// Echoes samples.
import { bufferTime, debounceTime, delay, filter, interval, map, mergeMap, of, scan, take, tap, timer } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  ${pipe},
  map((v) => message('devices/{device}/event', { device: '${device}' }, { type: 'echo', v })),
))
`
const echoed = ({ bus }: Testbed, device: string) =>
  bus.said('devices/{device}/event', { device }).map(({ payload }) => payload['v'])

test('a message goes through a flow and comes out with its cause, its number and the flow as its origin', async () => {
  const bed = await testbed({ 'a.ts': echo('a') })
  expect(bed.flow('a')).toMatchObject({
    status: 'running',
    about: 'Echoes samples.',
    inputs: ['jarvis/devices/+/telemetry'],
  })
  const first = say(bed, 1)
  const second = say(bed, 2)
  await bed.until(() => echoed(bed, 'a').length === 2)
  const outputs = bed.bus.log.filter(({ origin }) => origin === 'flow:a')
  expect(outputs.map(({ cause, n }) => ({ cause, n }))).toEqual([
    { cause: first.seq, n: 1 },
    { cause: second.seq, n: 2 },
  ])
  expect(bed.flow('a')).toMatchObject({ in: 2, out: 2, dropped: 0, outputs: ['jarvis/devices/a/event'] })
  expect(bed.notes[0]).toMatchObject({ kind: 'flow-start', payload: { flow: 'a', version: bed.flow('a').version } })
})

test('time passes for a flow when nothing arrives', async () => {
  const bed = await testbed({ 'a.ts': echo('a', 'debounceTime(30), map(({ payload }) => payload.v)') })
  const { seq, at } = say(bed, 1)
  await bed.until(() => echoed(bed, 'a').length === 1)
  const output = bed.bus.log.find(({ origin }) => origin === 'flow:a')
  expect(output?.cause).toBe(seq)
  expect((output?.at ?? 0) - at).toBeGreaterThanOrEqual(30)
})

test('files that give no flow are named with their line and hinder nobody', async () => {
  const bed = await testbed(
    {
      'good.ts': echo('good'),
      'empty.ts': '// Nothing.\n',
      'number.ts': 'export default 5\n',
      'notes.ts': "import { flow } from '#hub'\nexport default flow(() => undefined as never)\n",
      'syntax.ts': '// Is no TypeScript.\nexport default flow((from => \n',
      'toplevel.ts': "const x = 1\nthrow new Error('at the top')\n",
      'topic.ts': "import { flow } from '#hub'\nexport default flow((from) => from('no/such/topic' as never))\n",
      'waits.ts': 'await new Promise(() => {})\nexport default 1\n',
      'good.test.ts': "throw new Error('a test is no flow')\n",
    },
    { loadMs: 300 },
  )
  const problem = (id: string) => ({ status: bed.flow(id).status, error: bed.flow(id).error?.message })
  expect(bed.runner.flows()).toHaveLength(8)
  expect(problem('good')).toEqual({ status: 'running', error: undefined })
  const noDefault = 'it has no default export that is a flow: export default flow((from) => …)'
  expect(problem('empty')).toEqual({ status: 'failed to load', error: `${noDefault} (empty.ts)` })
  expect(problem('number').error).toBe(`${noDefault} (number.ts)`)
  expect(problem('notes').error).toContain('must return what it wants published')
  expect(problem('syntax').error).toContain('(syntax.ts:2)')
  expect(problem('toplevel').error).toBe('at the top (toplevel.ts:2)')
  expect(problem('topic').error).toContain("no topic table knows 'no/such/topic' (topic.ts:2)")
  expect(problem('waits').error).toContain('did not load within 300 ms')
  expect(bed.reports.map(({ source }) => source)).toContain('flow:syntax')
  expect(bed.health.get('flow:syntax')?.what).toContain('POST /api/flows/syntax/release')
  say(bed, 1)
  await bed.until(() => echoed(bed, 'good').length === 1)
})

test('a flow that throws is restarted, then quarantined, while its neighbour goes on', async () => {
  const bed = await testbed(
    {
      'a.ts': echo('a'),
      'bad.ts': echo('bad', "map(({ payload }) => { if (payload.v !== 0) throw new Error('no'); return 0 })"),
    },
    { crashes: { count: 3, withinMs: 60_000, perProcess: 3 } },
  )
  const failures = () =>
    bed.notes.filter(({ kind, payload }) => kind === 'flow-stop' && (payload as { flow: string }).flow === 'bad').length
  for (let i = 1; i <= 3; i++) {
    await bed.until(() => bed.flow('bad').status === 'running')
    say(bed, i)
    await bed.until(() => failures() === i)
  }
  expect(bed.flow('bad')).toMatchObject({ status: 'quarantined', restarts: 2, error: { message: 'no (bad.ts:5)' } })
  expect(bed.health.get('flow:bad')?.word).toBe('degraded')
  expect(bed.notes.map(({ kind }) => kind)).toContain('flow-quarantine')
  const report = bed.reports.findLast(({ source }) => source === 'flow:bad')
  expect(report).toMatchObject({ message: 'flow bad: no (bad.ts:5)', type: 'FlowFailed', severity: 'error' })
  say(bed, 4)
  await bed.until(() => echoed(bed, 'a').length === 4)
  expect(echoed(bed, 'a')).toEqual([1, 2, 3, 4])
  expect(bed.flow('a')).toMatchObject({ status: 'running', restarts: 0 })
  expect(bed.runner.process().restarts).toBe(0)

  await writeFile(path.join(bed.dir, 'bad.ts'), echo('bad'))
  const before = bed.flow('bad').version
  await bed.runner.release('bad')
  expect(bed.flow('bad').version).not.toBe(before)
  say(bed, 5)
  await bed.until(() => echoed(bed, 'bad').length === 1)
  expect(echoed(bed, 'bad')).toEqual([5])
})

test('a release of nobody, or of a flow that runs, is refused', async () => {
  const bed = await testbed({ 'a.ts': echo('a') })
  await expect(bed.runner.release('nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(bed.runner.release('a')).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('a killed process comes back, and what it had not acknowledged is given again', async () => {
  const bed = await testbed({ 'a.ts': echo('a'), 'b.ts': echo('b', 'delay(10), map(({ payload }) => payload.v)') })
  say(bed, 1)
  await bed.until(() => echoed(bed, 'a').length === 1 && echoed(bed, 'b').length === 1)
  const { pid } = bed.runner.process()
  expect(pid).toBeDefined()
  process.kill(pid ?? NaN, 'SIGKILL')
  say(bed, 2)
  say(bed, 3)
  await bed.until(() => echoed(bed, 'a').length === 3 && echoed(bed, 'b').length === 3)
  expect(echoed(bed, 'a')).toEqual([1, 2, 3])
  expect(echoed(bed, 'b')).toEqual([1, 2, 3])
  expect(bed.runner.process()).toMatchObject({ restarts: 1 })
  expect(bed.runner.process().pid).not.toBe(pid)
  expect(bed.flow('a')).toMatchObject({ status: 'running', restarts: 1 })
  expect(bed.health.get('flows')?.word).toBe('healthy')
})

test('a flow that takes the process with it is named and quarantined, and nothing is lost for its neighbour', async () => {
  const bed = await testbed(
    {
      'a.ts': echo('a'),
      'loop.ts': echo('loop', 'map(({ payload }) => { while (payload.v === 2) {} return payload.v })'),
    },
    { turnMs: 200, crashes: { count: 1, withinMs: 60_000, perProcess: 1 } },
  )
  say(bed, 1)
  await bed.until(() => echoed(bed, 'loop').length === 1)
  say(bed, 2)
  say(bed, 3)
  await bed.until(() => bed.flow('loop').status === 'quarantined')
  await bed.until(() => echoed(bed, 'a').length >= 3)
  expect(echoed(bed, 'a')).toEqual([1, 2, 3])
  expect(bed.flow('loop').error?.message).toContain('the process of flows ended in its turn: stuck')
  expect(bed.flow('a').status).toBe('running')
})

test('what never returns while it loads or starts is named, and is not taken for its neighbour', async () => {
  const bed = await testbed(
    {
      'a.ts': echo('a'),
      'b.ts': `import { defer } from 'rxjs'
import { flow } from '#hub'
export default flow(() => defer(() => { for (;;) {} }))
`,
      'c.ts': echo('c'),
      'd.ts': 'for (;;) {}\n',
      'e.ts': echo('e'),
    },
    { loadMs: 400, crashes: { count: 1, withinMs: 60_000, perProcess: 1 } },
  )
  await bed.until(() => bed.runner.flows().every(({ status }) => status === 'running' || status === 'quarantined'))
  expect(bed.runner.flows().map(({ id, status }) => [id, status])).toEqual([
    ['a', 'running'],
    ['b', 'quarantined'],
    ['c', 'running'],
    ['d', 'quarantined'],
    ['e', 'running'],
  ])
  say(bed, 1)
  await bed.until(() => echoed(bed, 'a').length === 1 && echoed(bed, 'e').length === 1)
})

test('a promise in a flow is named, whatever it does', async () => {
  const bed = await testbed(
    {
      'a.ts': echo('a'),
      'async.ts': echo('x', 'mergeMap(async ({ payload }) => payload.v)'),
      'resolve.ts': echo('x', 'mergeMap(({ payload }) => Promise.resolve(payload.v))'),
      'late.ts': `import { map, Observable } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  (source) => new Observable((out) => source.subscribe(() => void (async () => { await null; out.next(1) })())),
  map((v) => message('devices/{device}/event', { device: 'x' }, { type: 'echo', v })),
))
`,
    },
    { crashes: { count: 1, withinMs: 60_000, perProcess: 1 } },
  )
  say(bed, 1)
  await bed.until(() => ['async', 'resolve', 'late'].every((id) => bed.flow(id).status === 'quarantined'))
  expect(bed.flow('async').error?.message).toContain('promises and async functions are not for flows')
  expect(bed.flow('resolve').error?.message).toContain('promises and async functions are not for flows')
  expect(bed.flow('late').error?.message).toMatch(/output outside a turn|promises and async functions/)
  await bed.until(() => echoed(bed, 'a').length === 1)
  expect(echoed(bed, 'x')).toEqual([])
})

test('a flood, a wrong output and a flow that ends are named', async () => {
  const bed = await testbed(
    {
      'flood.ts': echo('x', 'mergeMap(({ payload }) => { let n = 0; return new Array(20_000).fill(payload.v) })'),
      'wrong.ts': `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  map(({ payload }) => message('devices/{device}/request', { device: 'x' }, { intent: payload.v as string })),
))
`,
      'place.ts': `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  map(() => message('devices/{device}/event', { device: 'a/b' }, { type: 'echo' })),
))
`,
      'once.ts': echo('once', 'take(1), map(({ payload }) => payload.v)'),
    },
    { crashes: { count: 1, withinMs: 60_000, perProcess: 1 } },
  )
  say(bed, 'No Intent')
  await bed.until(() => bed.flow('once').status === 'ended' && bed.flow('place').status === 'quarantined')
  await bed.until(() => bed.flow('flood').status === 'quarantined' && bed.flow('wrong').status === 'quarantined')
  expect(bed.flow('flood').error?.message).toContain('more than 2000 outputs in one turn')
  expect(bed.flow('wrong').error?.message).toContain("output on 'devices/{device}/request': intent: must look like")
  expect(bed.flow('place').error?.message).toContain('needs device to be one topic level')
  expect(bed.flow('once').error?.message).toContain('it ended')
  expect(echoed(bed, 'once')).toEqual(['No Intent'])
})

test('an output that the bus refuses is told, and the flow goes on', async () => {
  const bed = await testbed({
    'boss.ts': `import { map, mergeMap } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(mergeMap(({ payload }) => [
  message('devices/{device}/result', { device: 'x' }, { id: '1', status: 'done', intent: 'a.b' }),
  message('devices/{device}/event', { device: 'x' }, { type: 'echo', v: payload.v }),
])))
`,
  })
  say(bed, 1)
  await bed.until(() => echoed(bed, 'x').length === 1)
  expect(bed.reports.find(({ type }) => type === 'OutputRefused')?.message).toContain(
    'flow:boss may not publish jarvis/devices/x/result',
  )
  expect(bed.flow('boss')).toMatchObject({ status: 'running', out: 1 })
})

test('a payload that does not fit is told once and given to no flow', async () => {
  const bed = await testbed({ 'a.ts': echo('a'), 'b.ts': echo('b') })
  bed.hand('jarvis/devices/dust/telemetry', '[1, 2]')
  bed.hand('jarvis/devices/dust/telemetry', '{"v":')
  say(bed, 1)
  await bed.until(() => echoed(bed, 'a').length === 1 && echoed(bed, 'b').length === 1)
  const told = bed.reports.filter(({ type }) => type === 'PayloadInvalid').map(({ message: text }) => text)
  expect(told).toHaveLength(2)
  expect(told[0]).toContain('jarvis/devices/dust/telemetry from device:dust')
  expect(told[1]).toContain('must be JSON')
  expect(bed.flow('a').status).toBe('running')
})

test('latest begins with what is retained; from never hears it', async () => {
  const listens = (device: string, from: string) => `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => ${from}('devices/{device}/state').pipe(
  map(({ payload }) => message('devices/{device}/event', { device: '${device}' }, { type: 'echo', v: payload.v })),
))
`
  const bed = await testbed({ 'a.ts': echo('a'), 'latest.ts': 'export default 1', 'live.ts': 'export default 1' })
  const state = (device: string, v: number) =>
    bed.bus.publish({ kind: 'device', id: device, roles: [] }, message('devices/{device}/state', { device }, { v }))
  state('dust', 1)
  const kept = state('dust', 2)
  state('iron', 3)
  await writeFile(path.join(bed.dir, 'latest.ts'), listens('latest', 'from.latest'))
  await writeFile(path.join(bed.dir, 'live.ts'), listens('live', 'from'))
  await bed.runner.release('latest')
  await bed.runner.release('live')
  state('dust', 4)
  await bed.until(() => echoed(bed, 'latest').length === 3 && echoed(bed, 'live').length === 1)
  expect(echoed(bed, 'latest')).toEqual([2, 3, 4])
  expect(echoed(bed, 'live')).toEqual([4])
  const first = bed.bus.log.find(({ origin }) => origin === 'flow:latest')
  expect(first?.cause).toBe(kept.seq)
})

test('a flow that is too slow for its edge misses the oldest; the gap is counted and noted', async () => {
  const slow = (device: string, overload: string) => `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry', { overload: ${overload} }).pipe(
  map(({ payload }) => message('devices/{device}/event', { device: '${device}' }, { type: 'echo', v: payload.v })),
))
`
  const bed = await testbed({
    'ten.ts': slow('ten', '{ dropOldest: 10 }'),
    'one.ts': slow('one', "'latest'"),
    'all.ts': slow('all', '{ dropOldest: 5000 }'),
  })
  // More at once than is ever under way: the rest waits at the edges, in one turn of the event loop.
  const total = 3000
  for (let v = 1; v <= total; v++) say(bed, v)
  await bed.until(() => echoed(bed, 'all').length === total && echoed(bed, 'ten').at(-1) === total)
  const dropped = bed.flow('ten').dropped
  expect(dropped).toBeGreaterThan(0)
  expect(echoed(bed, 'ten')).toHaveLength(total - dropped)
  expect(echoed(bed, 'one').at(-1)).toBe(total)
  expect(bed.flow('one').dropped).toBeGreaterThan(dropped - 1)
  expect(bed.flow('all').dropped).toBe(0)
  const skips = bed.notes
    .filter(({ kind }) => kind === 'flow-skip')
    .map(({ payload }) => payload as { flow: string; count: number; from: number; to: number })
  const ofTen = skips.filter(({ flow }) => flow === 'ten')
  expect(ofTen.reduce((n, { count }) => n + count, 0)).toBe(dropped)
  for (const { from, to, count } of ofTen) expect(to - from + 1).toBeGreaterThanOrEqual(count)
})

test('the state of flows is on a retained topic', async () => {
  const bed = await testbed({ 'a.ts': echo('a') })
  await bed.until(() => bed.bus.retained('jarvis/hub/flows').length === 1)
  await bed.until(() => {
    const items: unknown = bed.bus.said('hub/flows').at(-1)?.payload.items
    return JSON.stringify(items).includes('"status":"running"')
  })
  expect(bed.bus.said('hub/flows').at(-1)).toMatchObject({ origin: 'hub' })
})

test('a folder that is not there has no flows', async () => {
  const bed = await testbed({})
  expect(bed.runner.flows()).toEqual([])
})

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))

test('flows hear and say the topics that plugins bring', async () => {
  const bed = await testbed(
    {
      'seen.ts': `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('cameras/{camera}/detection').pipe(
  map(({ params, payload }) => message('cameras/{camera}/alarm', params, { label: payload.label })),
))
`,
    },
    {},
    [fixture('camera-topics.ts')],
  )
  bed.bus.publishBytes(
    { kind: 'plugin', id: 'cameras', roles: [] },
    'jarvis/cameras/hall/detection',
    Buffer.from('{"label":"cat"}'),
  )
  const alarm = () => bed.bus.log.find(({ topic }) => topic === 'jarvis/cameras/hall/alarm')
  await bed.until(() => alarm() !== undefined)
  expect(alarm()?.payload.toString()).toBe('{"label":"cat"}')
})

test('a topic file that brings no table is named, and the hub goes on without flows', async () => {
  const bed = await testbed({ 'a.ts': echo('a') }, {}, [fixture('time-operators.ts')])
  await bed.until(() => bed.reports.length > 0)
  expect(bed.reports[0]?.message).toContain('time-operators.ts exports no topic table')
  expect(bed.health.get('flows')).toMatchObject({ word: 'degraded' })
  expect(bed.flow('a').status).toBe('restarting')
})
