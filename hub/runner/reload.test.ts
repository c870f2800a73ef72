// Hot reload through the folder: files that come, change and go while messages flow.
import { readdirSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Principal } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import type { RunnerLimits } from './limits.ts'
import { testbed, type Testbed } from './testbed.ts'

const dust: Principal = { kind: 'device', id: 'dust', roles: [] }
const say = ({ bus }: Testbed, v: number) =>
  bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, { v }))

/** Counts in kept state and names its version; `body` is more of it. */
const counter = (version: number, body = '') => `// Counts, version ${version}.
import { map } from 'rxjs'
import { flow, keep, message, z } from '#hub'
${body}
export default flow((from) => from('devices/{device}/telemetry').pipe(
  keep('total', z.number(), 0, (n) => n + 1),
  map((n) => message('devices/{device}/event', { device: 'counter' }, { type: 'count', n, version: ${version} })),
))
`
const counts = ({ bus }: Testbed) =>
  bus
    .said('devices/{device}/event', { device: 'counter' })
    .map(({ payload }) => payload as unknown as { n: number; version: number })

const watched = (files: Record<string, string>, limits: Partial<RunnerLimits> = {}, types?: 'real') =>
  testbed(files, { rescanMs: 500, ...limits }, [], types)
const put = (bed: Testbed, name: string, text: string) => writeFile(path.join(bed.dir, name), text)
const flowOf = (bed: Testbed, id: string) => bed.runner.flows().find((flow) => flow.id === id)

test('without flows there is no process; the first files that come start one', { timeout: 60_000 }, async () => {
  const bed = await watched({})
  expect(bed.runner.process().pid).toBeUndefined()
  expect(bed.health.get('flows')?.word).toBe('healthy')
  say(bed, 0)
  await Promise.all([put(bed, 'counter.ts', counter(1)), put(bed, 'other.ts', counter(2))])
  await bed.until(() => ['counter', 'other'].every((id) => flowOf(bed, id)?.status === 'running'))
  expect(bed.runner.process().pid).toBeGreaterThan(0)
  expect(bed.notes.filter(({ kind }) => kind === 'flow-start')).toHaveLength(2)
  say(bed, 1)
  await bed.until(() => counts(bed).length === 2)
  expect(counts(bed).map(({ n }) => n)).toEqual([1, 1])
  expect(bed.runner.process().restarts).toBe(0)
})

test(
  'a threshold is changed at a thousand messages a second: none lost, none twice, the count goes on',
  { timeout: 60_000 },
  async () => {
    const bed = await watched({ 'counter.ts': counter(0) })
    let sent = 0
    let saved = 0
    const begun = performance.now()
    for (let version = 1; version <= 3 || performance.now() - begun < 2500;) {
      const now = performance.now() - begun
      for (; sent < now; sent++) say(bed, sent)
      // On a slow machine the one before has to be at work first: what is saved too fast is left out, rightly.
      if (now > 600 * version && version <= 3 && counts(bed).at(-1)?.version === version - 1)
        await put(bed, 'counter.ts', counter(version++)).then(() => (saved = version))
      await pause(1)
    }
    await bed.until(() => counts(bed).at(-1)?.version === saved - 1 || (say(bed, sent++), false))
    await bed.until(() => counts(bed).length === sent)
    expect(counts(bed).map(({ n }) => n)).toEqual(Array.from({ length: sent }, (_, i) => i + 1))
    const versions = counts(bed).map(({ version }) => version)
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    expect(new Set(versions).size).toBe(4)
    expect(bed.runner.process().restarts).toBe(0)
    const starts = bed.notes
      .filter(({ kind }) => kind === 'flow-start')
      .map(({ payload }) => payload as { kept: { total?: number } })
    expect(starts).toHaveLength(4)
    expect(starts[1]?.kept.total).toBe(versions.indexOf(1))
  },
)

test(
  'a version with a type error, a wrong import or no flow is rejected by file and line; the one before goes on',
  { timeout: 60_000 },
  async () => {
    const bed = await watched({ 'counter.ts': counter(0) }, {}, 'real')
    const before = bed.flow('counter').version
    const rejected: [string, string, RegExp][] = [
      [
        'a type',
        counter(1, 'const n: number = "text"\nexport const m = n'),
        /type error: Type 'string' is not assignable.*\(counter\.ts:4\)/,
      ],
      ['a topic', counter(2).replace('{device}/telemetry', '{device}/telemtry'), /type error: .*\(counter\.ts:5\)/],
      ['syntax', `${counter(3)}}}`, /type error: .*\(counter\.ts:\d+\)/],
      ['an import', counter(4, "import fs from 'node:fs'\nexport const x: unknown = fs"), /node:fs.*\(counter\.ts:4\)/],
      ['a throw', counter(5, "if (Number('1') === 1) throw new Error('at the top')"), /at the top \(counter\.ts:4\)/],
    ]
    for (const [what, text, says] of rejected) {
      await put(bed, 'counter.ts', text)
      const version = flowOf(bed, 'counter')?.newer?.version
      await bed.until(() => {
        const newer = flowOf(bed, 'counter')?.newer
        return newer?.state === 'rejected' && newer.version !== version
      })
      const { newer, status, version: running } = bed.flow('counter')
      expect({ what, message: newer?.error?.message }).toEqual({ what, message: expect.stringMatching(says) as string })
      expect({ status, running }).toEqual({ status: 'running', running: before })
      expect(newer?.error?.place).toMatch(/^counter\.ts:\d+$/)
      expect(bed.reports.at(-1)).toMatchObject({ source: 'flow:counter', type: 'FlowRejected' })
      expect(bed.health.get('flow:counter')?.what).toContain('was rejected, the one before goes on')
    }
    say(bed, 1)
    await bed.until(() => counts(bed).length === 1)
    // The old one survives its process, whatever lies on disk.
    process.kill(bed.runner.process().pid ?? NaN, 'SIGKILL')
    say(bed, 2)
    await bed.until(() => counts(bed).length === 2)
    expect(counts(bed)).toEqual([
      { type: 'count', n: 1, version: 0 },
      { type: 'count', n: 2, version: 0 },
    ])
    await put(bed, 'counter.ts', counter(6))
    await bed.until(() => flowOf(bed, 'counter')?.newer === undefined)
    say(bed, 3)
    await bed.until(() => counts(bed).at(-1)?.n === 3)
    expect(counts(bed).at(-1)?.version).toBe(6)
    expect(bed.health.get('flow:counter')?.word).toBe('healthy')
  },
)

test(
  'a new file runs, one written by renaming and one written in halves run once, a deleted one is gone',
  { timeout: 60_000 },
  async () => {
    const bed = await watched({})
    await put(bed, 'new.ts', counter(1))
    await bed.until(() => flowOf(bed, 'new')?.status === 'running')
    await put(bed, '.new.ts.swp', counter(2))
    await rename(path.join(bed.dir, '.new.ts.swp'), path.join(bed.dir, 'new.ts'))
    await bed.until(() => flowOf(bed, 'new')?.about === 'Counts, version 2.')
    const text = counter(3)
    await put(bed, 'new.ts', text.slice(0, 120))
    await put(bed, 'new.ts', text)
    await bed.until(() => flowOf(bed, 'new')?.about === 'Counts, version 3.')
    expect(bed.reports).toEqual([])
    say(bed, 1)
    await bed.until(() => counts(bed).length === 1)
    await rm(path.join(bed.dir, 'new.ts'))
    await bed.until(() => bed.runner.flows().length === 0)
    expect(bed.health.has('flow:new')).toBe(false)
    expect(bed.notes.at(-1)).toMatchObject({ kind: 'flow-stop', payload: { reason: 'its file is gone' } })
    say(bed, 2)
    await pause(50)
    expect(counts(bed)).toHaveLength(1)
  },
)

test(
  'a version that never returns while it is loaded is rejected; the one before goes on',
  { timeout: 60_000 },
  async () => {
    const bed = await watched({ 'counter.ts': counter(0) }, { loadMs: 500 })
    await put(bed, 'counter.ts', counter(1, 'for (;;) if (Number("1") === 2) break'))
    await bed.until(() => flowOf(bed, 'counter')?.newer?.state === 'rejected')
    await bed.until(() => flowOf(bed, 'counter')?.status === 'running')
    say(bed, 1)
    await bed.until(() => counts(bed).length === 1)
    expect(counts(bed)[0]?.version).toBe(0)
  },
)

test('params are changed live, journalled, refused by the name of their field', { timeout: 60_000 }, async () => {
  const bed = await watched({
    'limit.ts': `// Above.
import { filter, map } from 'rxjs'
import { flow, keep, message, z } from '#hub'
export default flow({ params: { above: z.number().min(0).max(1000).default(80).describe('Starts it') } }, (from, { above }) =>
  from('devices/{device}/telemetry').pipe(
    filter(({ payload }) => Number(payload['v']) > above),
    keep('total', z.number(), 0, (n) => n + 1),
    map((n) => message('devices/{device}/event', { device: 'counter' }, { type: 'count', n, version: above })),
  ))
`,
  })
  expect(bed.flow('limit').params).toMatchObject({
    values: { above: 80 },
    schema: { properties: { above: { maximum: 1000 } } },
  })
  say(bed, 90)
  say(bed, 50)
  await expect(bed.runner.setParams('limit', { above: 2000 }, 'person:ada')).rejects.toMatchObject({
    code: 'VALIDATION_ERROR',
    details: { field: 'above' },
  })
  await expect(bed.runner.setParams('nobody', {}, 'person:ada')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await bed.runner.setParams('limit', { above: 40 }, 'person:ada')
  say(bed, 50)
  await bed.until(() => counts(bed).length === 2)
  expect(counts(bed).map(({ n, version }) => [n, version])).toEqual([
    [1, 80],
    [2, 40],
  ])
  expect(bed.flow('limit').params?.values).toEqual({ above: 40 })
  expect(bed.notes.find(({ kind }) => kind === 'flow-params')?.payload).toEqual({
    flow: 'limit',
    params: { above: 40 },
    by: 'person:ada',
  })
  // Params outlive a death of the process.
  process.kill(bed.runner.process().pid ?? NaN, 'SIGKILL')
  say(bed, 45)
  await bed.until(() => counts(bed).length === 3)
  expect(counts(bed).at(-1)).toEqual({ type: 'count', n: 3, version: 40 })
})

test('kept state that no longer fits is set aside and told, not guessed', { timeout: 60_000 }, async () => {
  const bed = await watched({ 'counter.ts': counter(0) })
  say(bed, 1)
  await bed.until(() => counts(bed).length === 1)
  await put(bed, 'counter.ts', counter(1).replace('z.number(), 0, (n) => n + 1', 'z.number().max(0), 0, (n) => n'))
  await bed.until(() => flowOf(bed, 'counter')?.about === 'Counts, version 1.')
  say(bed, 2)
  await bed.until(() => counts(bed).length === 2)
  expect(counts(bed).at(-1)).toEqual({ type: 'count', n: 0, version: 1 })
  const report = bed.reports.find(({ type }) => type === 'KeptSetAside')
  expect(report?.message).toContain("what it kept as 'total' does not fit any more")
  expect(bed.notes.find(({ payload }) => (payload as { setAside?: number }).setAside === 1)).toBeDefined()
})

test(
  'a hundred reloads leave no timers, descriptors or processes behind, and the process is replaced on the way',
  { timeout: 120_000 },
  async () => {
    const bed = await watched({ 'counter.ts': counter(0) }, { loadsPerProcess: 40 })
    const { pid } = bed.runner.process()
    const fds = () => readdirSync('/proc/self/fd').length
    const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
    let sent = 0
    const reload = async (version: number) => {
      say(bed, sent++)
      await put(bed, 'counter.ts', counter(version))
      await bed.until(() => flowOf(bed, 'counter')?.about === `Counts, version ${version}.`)
      say(bed, sent++)
    }
    for (let i = 1; i <= 5; i++) await reload(i)
    const before = { fds: fds(), timers: timers() }
    for (let i = 6; i <= 100; i++) await reload(i)
    await bed.until(() => counts(bed).length === sent)
    expect(counts(bed).map(({ n }) => n)).toEqual(Array.from({ length: sent }, (_, i) => i + 1))
    expect(bed.runner.process().pid).not.toBe(pid)
    expect(bed.runner.process().restarts).toBe(0)
    expect(fds()).toBeLessThanOrEqual(before.fds + 3)
    expect(timers()).toBeLessThanOrEqual(before.timers + 3)
  },
)
