// Fairness, and what cannot be brought back exactly: a slow flow has its own lane, a long history its bound, time its steps.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Principal } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import { testbed, type Testbed } from './testbed.ts'

const dust: Principal = { kind: 'device', id: 'dust', roles: [] }
const say = ({ bus }: Testbed, v: number) =>
  bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, { v }))

const echo = (device: string, pipe: string, options = '') => `// ${device}.
import { bufferTime, debounceTime, map, scan, tap } from 'rxjs'
import { flow, keep, message, z } from '#hub'
export default flow((from) => from('devices/{device}/telemetry'${options}).pipe(
  map(({ payload }) => Number(payload['v'])),
  ${pipe},
  map((v) => message('devices/{device}/event', { device: '${device}' }, { type: 'echo', v })),
))
`
const echoed = ({ bus }: Testbed, device: string) =>
  bus.said('devices/{device}/event', { device }).map(({ payload }) => payload['v'])

/** Some thirty ms of a processor. */
const WORK =
  'map((v) => { let x = v; for (let i = 0; i < 8_000_000; i++) x = (x * 31 + i) | 0; return x === 1 ? 0 : v })'

test(
  'a slow flow gets its own lane and sheds by its policy; the others get everything, in time',
  { timeout: 90_000 },
  async () => {
    const bed = await testbed({
      'quick.ts': echo('quick', 'map((v) => v)'),
      'slow.ts': echo('slow', WORK, ', { overload: { dropOldest: 20 } }'),
    })
    let sent = 0
    await bed.until(() => {
      say(bed, sent++)
      return bed.flow('slow').slow === true
    })
    const from = sent
    const begun = performance.now()
    while (performance.now() - begun < 2000) {
      for (let i = 0; i < 2; i++) say(bed, sent++)
      await pause(10)
    }
    await bed.until(() => echoed(bed, 'quick').length === sent)
    expect(echoed(bed, 'quick')).toEqual(Array.from({ length: sent }, (_, i) => i))
    const { dropped, edges } = bed.flow('slow')
    expect(dropped).toBeGreaterThan(0)
    expect(edges[0]?.depth).toBeLessThanOrEqual(20)
    const late = echoed(bed, 'slow').at(-1)
    expect(Number(late)).toBeGreaterThan(from)
    // It heard in order what it heard, and its gaps are noted.
    const heard = echoed(bed, 'slow').map(Number)
    expect(heard).toEqual(heard.toSorted((a, b) => a - b))
    expect(bed.notes.some(({ kind }) => kind === 'flow-skip')).toBe(true)
    // With nothing more to do it joins the others, and misses nothing from then on.
    await bed.until(() => bed.flow('slow').slow === undefined)
    await bed.until(() => bed.flow('slow').edges[0]?.depth === 0)
    say(bed, sent)
    await bed.until(() => echoed(bed, 'slow').at(-1) === sent)
  },
)

test('a slow flow whose process ends goes on where it was, its drops honoured', { timeout: 90_000 }, async () => {
  const bed = await testbed({
    'quick.ts': echo('quick', 'map((v) => v)'),
    'slow.ts': echo('slow', `${WORK}, scan((n) => n + 1, 0)`, ', { overload: { dropOldest: 5 } }'),
  })
  let sent = 0
  await bed.until(() => {
    say(bed, sent++)
    return bed.flow('slow').slow === true && bed.flow('slow').dropped > 3
  })
  process.kill(bed.runner.process().pid ?? NaN, 'SIGKILL')
  say(bed, sent++)
  await bed.until(() => bed.runner.process().restarts > 0 && bed.flow('slow').status === 'running')
  await bed.until(() => {
    const { dropped } = bed.flow('slow')
    return echoed(bed, 'slow').at(-1) === sent - dropped
  })
  // A count without a gap and without a double: the scan is what it would have been.
  expect(echoed(bed, 'slow')).toEqual(Array.from({ length: sent - bed.flow('slow').dropped }, (_, i) => i + 1))
  expect(echoed(bed, 'quick')).toEqual(Array.from({ length: sent }, (_, i) => i))
})

test(
  'beyond the bound of its history a flow is warmed up, says so, and what it keeps is exact',
  { timeout: 60_000 },
  async () => {
    const bed = await testbed(
      {
        'kept.ts': echo('kept', "keep('total', z.number(), 0, (n) => n + 1)"),
        'window.ts': echo('window', 'debounceTime(20)'),
      },
      { historyMessages: 50 },
    )
    for (let v = 0; v < 200; v++) say(bed, v)
    await bed.until(() => echoed(bed, 'kept').length === 200 && echoed(bed, 'window').at(-1) === 199)
    process.kill(bed.runner.process().pid ?? NaN, 'SIGKILL')
    for (let v = 200; v < 300; v++) say(bed, v)
    await bed.until(() => echoed(bed, 'kept').length === 300 && echoed(bed, 'window').at(-1) === 299)
    expect(echoed(bed, 'kept')).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
    expect(bed.flow('kept').approximate?.why).toContain('more than 50 messages since its start')
    const start = bed.notes.findLast(({ kind }) => kind === 'flow-start')?.payload
    expect(start).toMatchObject({
      approximate: expect.stringContaining('more than 50') as string,
      since: expect.any(Number) as number,
    })
  },
)

test('a step of the wall clock neither freezes nor floods the timers of a flow', { timeout: 60_000 }, async () => {
  const bed = await testbed({ 'a.ts': echo('a', 'bufferTime(50), map((many) => many.length)') })
  const real = Date.now
  try {
    for (const step of [-3_600_000, 5 * 365 * 86_400_000]) {
      Date.now = () => real() + step
      // The clock looks at the wall once a second.
      await pause(1100)
      bed.clock.stamp()
      await bed.until(() => bed.flow('a').status === 'running')
      const before = echoed(bed, 'a').length
      await bed.until(() => echoed(bed, 'a').length >= before + 5)
      // Fifty-millisecond windows: not one for each of the years.
      expect(echoed(bed, 'a').length - before).toBeLessThan(100)
      expect(bed.flow('a').error).toBeUndefined()
    }
    expect(bed.bus.log.at(-1)?.at).toBeGreaterThan(real() + 4 * 365 * 86_400_000)
  } finally {
    Date.now = real
  }
})
