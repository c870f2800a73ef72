// After a death of their process flows are what they would have been: nothing lost, nothing doubled, nothing different.
import { expect, test } from 'vitest'
import { testbed } from './testbed.ts'
import { compare, files, poison, traffic } from './workshop.rig.ts'

test(
  'a loop in one flow: named, quarantined, and the others are what they would have been',
  { timeout: 40_000 },
  async () => {
    const bed = await testbed(files())
    let poisoned = 0
    let named = 0
    await traffic(bed, 2500, [
      {
        at: 600 + Math.random() * 500,
        do() {
          poisoned = performance.now()
          poison(bed, 'loop')
          void bed.until(() => bed.flow('faults').status === 'quarantined').then(() => (named = performance.now()))
        },
      },
    ])
    await bed.until(() => bed.flow('faults').status === 'quarantined')
    expect(named - poisoned).toBeLessThan(10_000)
    expect(bed.flow('faults').error?.message).toContain('in its turn: stuck')
    expect(bed.runner.process().restarts).toBe(1)
    await compare(bed)
  },
)

test('a process killed from outside, twice, once while it catches up', { timeout: 40_000 }, async () => {
  const bed = await testbed(files())
  const kill = () => {
    const { pid } = bed.runner.process()
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  }
  await traffic(bed, 3000, [
    { at: 500 + Math.random() * 500, do: kill },
    { at: 1700 + Math.random() * 200, do: kill },
    { at: 1920 + Math.random() * 100, do: kill },
  ])
  expect(bed.runner.process().restarts).toBeGreaterThan(1)
  await compare(bed)
})

test('a planned change of process loses nothing either', { timeout: 40_000 }, async () => {
  const bed = await testbed(files())
  const { pid } = bed.runner.process()
  await traffic(bed, 1800, [{ at: 700, do: () => void bed.runner.recycle() }])
  expect(bed.runner.process().pid).not.toBe(pid)
  expect(bed.runner.process().restarts).toBe(0)
  await compare(bed)
})
