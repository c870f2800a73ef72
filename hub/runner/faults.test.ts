// Twelve faults of one flow: each time the right one is named and quarantined, and the others are what they would have been.
import { expect, test } from 'vitest'
import { testbed } from './testbed.ts'
import { compare, files, poison, traffic } from './workshop.rig.ts'

/** By name: what the flow is quarantined for, and whether it takes the process with it. `again`: told over and over, for it needs many turns. */
const FAULTS: Record<string, { says: RegExp; dies: boolean; again?: true }> = {
  loop: { says: /in its turn: stuck/, dies: true },
  regex: { says: /in its turn: stuck/, dies: true },
  heap: { says: /in its turn: (exit|memory|stuck)/, dies: true },
  heapSlowly: { says: /in its turn: (exit|memory)/, dies: true, again: true },
  buffer: { says: /in its turn: (memory|exit|stuck)/, dies: true },
  bufferSlowly: { says: /in its turn: memory/, dies: true, again: true },
  array: { says: /in its turn: (exit|memory)/, dies: true, again: true },
  string: { says: /in its turn: (exit|memory|stuck)|Invalid string length/, dies: true },
  exit: { says: /exit/, dies: false },
  throws: { says: /thrown on purpose \(faults\.ts:\d+\)/, dies: false },
  promise: { says: /promises and async functions are not for flows/, dies: false },
  storm: { says: /promises and async functions are not for flows/, dies: true },
  flood: { says: /more than 2000 outputs in one turn/, dies: false },
}

/** On a machine with time to spare it takes two seconds, and ten for a leak; here others have work, too. */
const PATIENCE = 5

test.each(Object.entries(FAULTS))('%s', { timeout: 60_000 }, async (fault, { says, dies, again }) => {
  const bed = await testbed(files(), {
    heapMb: 96,
    rssMb: 280,
    crashes: { count: 1, withinMs: 60_000, perProcess: 1 },
  })
  let begun = 0
  let named = 0
  const isNamed = () => bed.flow('faults').status === 'quarantined'
  const strike = () => {
    begun ||= performance.now()
    if (!isNamed()) poison(bed, fault)
  }
  const strikes =
    again === true
      ? Array.from({ length: 400 }, (_, i) => ({ at: 300 + i * 10, do: strike }))
      : [{ at: 300, do: strike }]
  const done = bed.until(isNamed).then(() => (named = performance.now()))
  await traffic(bed, again === true ? 3000 : 1200, strikes, 0.3)
  await done
  expect(named - begun).toBeLessThan((again === true ? 10_000 : 2_000) * PATIENCE)
  const { error } = bed.flow('faults')
  expect(error?.message).toMatch(says)
  // Promises without end are named at once, by a hook; the process goes when it has used its time.
  if (dies) await bed.until(() => bed.runner.process().restarts > 0)
  expect(bed.runner.process().restarts).toBe(dies ? 1 : 0)
  expect(bed.reports.some(({ source }) => source === 'flow:faults')).toBe(true)
  expect(bed.health.get('flow:faults')?.word).toBe('degraded')
  await compare(bed, 100)
})
