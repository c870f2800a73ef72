// Live and play are one computation: the same messages at the same stamps give the same outputs at the same times.
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import type { Envelope } from '../bus/envelope.ts'
import { wallClock } from '../clock.ts'
import { message } from '../streams/message.ts'
import { memoryBus } from '../testing/memory-bus.ts'
import { play, type Timeline, type When } from '../testing/play.ts'
import type { Log } from '../health/report.ts'
import timeOperators from './fixtures/time-operators.ts'
import type { Output } from './frame.ts'
import type { Link } from './link.ts'
import { openLink } from './open-link.ts'
import { DEFAULT_LIMITS } from './limits.ts'

const flowsDir = fileURLToPath(new URL('./fixtures/', import.meta.url))
const file = path.join(flowsDir, 'time-operators.ts')
const source = readFileSync(file, 'utf8')
const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => QUIET }
const DEVICES = ['dust', 'iron'] as const
const AFTER_MS = 203

interface Stamped {
  at: number
  device: string
  i: number
}

const said = (outputs: readonly Output[], start: number): Record<string, unknown[]> => {
  const at: Record<string, unknown[]> = {}
  for (const output of outputs) {
    const when = `${(output.at - start) / 1000}s`
    at[when] = [
      ...(at[when] ?? []),
      { device: output.topic.split('/').at(-2), payload: JSON.parse(output.payload.toString()) as unknown },
    ]
  }
  return at
}

const played = (stream: readonly Stamped[], start: number, until: number): Record<string, unknown[]> => {
  const timeline: Record<string, unknown[]> = {}
  for (const { at, device, i } of stream) {
    const when = `${at - start}ms`
    timeline[when] = [...(timeline[when] ?? []), message('devices/{device}/telemetry', { device }, { i })]
  }
  const result = play(timeOperators, timeline as Timeline, {
    start: new Date(start).toISOString(),
    until: `${until - start}ms` as When,
  })
  return Object.fromEntries(
    Object.entries(result).map(([when, messages]) => [
      when,
      [messages]
        .flat()
        .map((one) => ({ device: (one as { params: { device: string } }).params.device, payload: one?.payload })),
    ]),
  )
}

/** A process with one flow in it, on a clock that the test moves. */
const open = async (clock: { now(): number; stamp(): number }) => {
  const outputs: Output[] = []
  const failures: unknown[] = []
  const link: Link = openLink({
    flowsDir,
    topicFiles: [],
    prefix: 'jarvis',
    clock,
    log: QUIET,
    limits: DEFAULT_LIMITS,
    journal: { read: () => Promise.resolve([]), reserve: () => 1 },
    present: () => {},
    isExact: () => true,
    jumped: () => {},
    publish: (output) => void outputs.push({ ...output, payload: Buffer.from(output.payload) }),
    event: (event) => void (event.event === 'failed' && failures.push(event)),
    gap: (gap) => void failures.push(gap),
    down: (verdict) => void failures.push(verdict),
    up: () => Promise.resolve(),
  })
  onTestFinished(() => link.close())
  await link.start()
  const until = async (isSo: () => boolean): Promise<void> => {
    const deadline = performance.now() + 10_000
    while (!isSo()) {
      if (failures.length > 0 || performance.now() > deadline) throw new Error(`not so: ${JSON.stringify(failures)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { link, outputs, until }
}

const envelope = ({ at, device, i }: Stamped, seq: number): Envelope => ({
  seq,
  at,
  topic: `jarvis/devices/${device}/telemetry`,
  payload: Buffer.from(JSON.stringify({ i })),
  qos: 0,
  retain: false,
  origin: `device:${device}`,
  cause: 0,
  correlation: '',
  n: 0,
})

const gaps = fc.array(
  fc.record({ gap: fc.constantFrom(0, 1, 5, 10, 19, 20, 21, 41), device: fc.constantFrom(...DEVICES) }),
  { minLength: 1, maxLength: 40 },
)

test('a real process and play() give the same outputs at the same times, whatever the stream', async () => {
  let now = Date.parse('2026-03-01T00:00:00Z')
  const { link, outputs, until } = await open({ now: () => now, stamp: () => now })
  let seq = 0
  await fc.assert(
    fc.asyncProperty(gaps, async (steps) => {
      now += 10_000
      const start = now
      outputs.length = 0
      const { inputs } = await link.load(1, { name: 'time-operators', file, version: 'test', source, params: {} })
      await link.begin(1, inputs, { kept: {}, retained: () => [], begun() {} })
      let at = start
      const stream = steps.map(({ gap, device }, i): Stamped => ({ at: (at += gap), device, i }))
      const last = { at: at + AFTER_MS, device: 'end', i: -1 }
      stream.push(last)
      for (const each of stream) {
        link.offer(envelope(each, ++seq))
        // Sometimes one frame each, sometimes many items in one.
        if (each.i % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      now = last.at
      await until(() => outputs.some(({ topic, at: said }) => said === last.at && topic.endsWith('/end/event')))
      link.stop(1)
      const live = said(
        outputs.filter(({ at: when }) => when <= last.at),
        start,
      )
      expect(live).toEqual(played(stream, start, last.at))
    }),
    { numRuns: 100 },
  )
}, 60_000)

test('in real time, with ticks when nothing arrives, the record of a run plays the same', async () => {
  const clock = wallClock()
  const { link, outputs, until } = await open(clock)
  const bus = memoryBus({ clock })
  bus.raw('#', { name: 'flows' }, (each) => link.offer(each))
  const { inputs } = await link.load(1, { name: 'time-operators', file, version: 'test', source, params: {} })
  let start = 0
  await link.begin(1, inputs, { kept: {}, retained: () => [], begun: ({ at }) => (start = at) })
  const random = fc.sample(
    fc.record({ pause: fc.constantFrom(0, 0, 1, 5, 19, 20, 21, 60), device: fc.constantFrom(...DEVICES) }),
    { numRuns: 60 },
  )
  for (const [i, { pause, device }] of random.entries()) {
    bus.publishBytes(
      { kind: 'device', id: device, roles: [] },
      `jarvis/devices/${device}/telemetry`,
      Buffer.from(JSON.stringify({ i })),
    )
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
  }
  const end = (bus.log.at(-1)?.at ?? 0) + AFTER_MS
  await until(() => (outputs.at(-1)?.at ?? 0) > end)
  const stream = bus.log.map(({ at, topic, payload }): Stamped => ({
    at,
    device: topic.split('/')[2] ?? '',
    i: (JSON.parse(payload.toString()) as { i: number }).i,
  }))
  const live = said(
    outputs.filter(({ at }) => at <= end),
    start,
  )
  expect(Object.keys(live).length).toBeGreaterThan(60)
  expect(live).toEqual(played(stream, start, end))
}, 30_000)
