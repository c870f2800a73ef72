// What must hold for every flow and every stream of messages: live is replay, a fault in the middle leaves no trace.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Item } from '../frame.ts'
import type { FlowHost } from '../host.ts'
import { begin, endOf, itemsOf, live, names, numberOf, replay, type Said, startOf, steps } from './world.ts'

/** Runs of each property. */
const numRuns = 300

test('live is replay, for every operator: ticks, batches, lanes and neighbours change nothing', () => {
  let lines = 0
  fc.assert(
    fc.property(steps, (all) => {
      const items = itemsOf(all)
      const said = live(all, items)
      for (const name of names) {
        const then = said.get(numberOf(name))
        lines += then?.length ?? 0
        expect({ name, said: then }).toEqual({ name, said: replay(name, items) })
      }
    }),
    { numRuns },
  )
  expect(lines).toBeGreaterThan(numRuns * names.length)
}, 60_000)

test('three replays are the same to the byte', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(...names), (all, name) => {
      const items = itemsOf(all)
      const first = replay(name, items).join('\n')
      expect(replay(name, items).join('\n')).toBe(first)
      expect(replay(name, items).join('\n')).toBe(first)
    }),
    { numRuns },
  )
}, 60_000)

/** How far a flow has come: the number of its last output or keep change. */
const lastN = (said: Said, name: string): number =>
  Math.max(0, ...(said.get(numberOf(name)) ?? []).map((line) => parseInt(line)).filter((n) => !Number.isNaN(n)))

/** Throws a flow's state away and brings it back by its history, in silence. */
const bringBack = (host: FlowHost, name: string, past: readonly Item[], mutedTo: number): void => {
  const number = numberOf(name)
  host.stop(number)
  begin(host, name, { ...startOf(name), mutedTo })
  host.apart(number, true)
  for (const item of past) host.takeFor(number, item)
  host.apart(number, false)
}

const isOver = (said: Said, name: string): boolean =>
  (said.get(numberOf(name)) ?? []).some((line) => line.startsWith('failed') || line === 'ended')

test('a fault or a reload of an equal version in the middle leaves no trace', () => {
  let broughtBack = 0
  fc.assert(
    fc.property(steps, fc.array(fc.nat(23), { minLength: 1, maxLength: 3 }), (all, faults) => {
      // Lanes of their own have a property of their own: here every flow is with the others when it dies.
      const calm = all.map((step) => ({ ...step, lane: 0 }))
      const items = itemsOf(calm)
      const said = live(calm, items, (host, done, soFar) => {
        if (!faults.includes(done)) return
        for (const name of names.filter((one) => !isOver(soFar, one))) {
          bringBack(host, name, items.slice(0, done), lastN(soFar, name))
          broughtBack++
        }
      })
      for (const name of names)
        expect({ name, said: said.get(numberOf(name)) }).toEqual({ name, said: replay(name, items) })
    }),
    { numRuns },
  )
  expect(broughtBack).toBeGreaterThan(numRuns)
}, 60_000)

test('what is said while a flow is brought back is neither lost nor doubled, also when nobody knows how far it had come', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(...names), fc.nat(24), fc.nat(5), (all, name, cut, lost) => {
      const items = itemsOf(all)
      const whole = replay(name, items)
      // The last words of the first run never reached the journal: they are said again, by number.
      const found = Math.max(0, lastN(new Map([[numberOf(name), replay(name, items.slice(0, cut))]]), name) - lost)
      const again = live(all, items, (host, done) => {
        if (done === 0) begin(host, name, { ...startOf(name), mutedTo: found })
      }).get(numberOf(name))
      const isNumbered = (line: string) => !Number.isNaN(parseInt(line))
      expect(again).toEqual(whole.filter((line) => !isNumbered(line) || parseInt(line) > found))
    }),
    { numRuns },
  )
}, 60_000)

test('outputs are numbered without a gap, time never goes back, and answers come in the order of the journal', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const items = itemsOf(all)
      for (const [number, lines] of live(all, items)) {
        const numbered = lines.map((line) => line.split(' ').map(Number)).filter(([n]) => !Number.isNaN(n))
        expect(numbered.map(([n]) => n)).toEqual(numbered.map((_, i) => i + 1))
        const times = numbered.map(([, at]) => at ?? NaN)
        expect(times).toEqual([...times].sort((a, b) => a - b))
        if (number !== numberOf('Date')) continue
        // It answers each message it hears at once.
        const heard = items.filter(({ topic, skip }) => topic.endsWith('/telemetry') && !skip.includes(number * 1024))
        expect(numbered.map(([, , cause]) => cause)).toEqual(heard.map(({ seq }) => seq))
      }
    }),
    { numRuns },
  )
}, 60_000)

test('what an edge had no room for is heard in neither', () => {
  let dropped = 0
  fc.assert(
    fc.property(steps, (all) => {
      const items = itemsOf(all)
      const said = live(all, items)
      for (const name of names) {
        const number = numberOf(name)
        const causes = new Set((said.get(number) ?? []).map((line) => Number(line.split(' ')[2])))
        for (const { seq, skip } of items) {
          if (!skip.includes(number * 1024)) continue
          dropped++
          expect({ name, seq, heard: causes.has(seq) }).toEqual({ name, seq, heard: false })
        }
      }
      const without = items.map((item) => ({ ...item, skip: [] }))
      const name = names[all.length % names.length] ?? ''
      const kept = items.filter(({ skip }) => !skip.includes(numberOf(name) * 1024))
      // To hear it and to be told to skip it is the same as if it had never been there.
      const heard = without.filter(({ seq }) => kept.some((one) => one.seq === seq))
      expect(replay(name, items)).toEqual(replay(name, heard, endOf(items)))
    }),
    { numRuns },
  )
  expect(dropped).toBeGreaterThan(numRuns)
}, 60_000)
