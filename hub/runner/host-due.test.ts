// The queue of flows by their earliest timer: always the earliest first, whatever changes.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Due, DueQueue } from './host-due.ts'

test('the first is always the earliest of those that wait', () => {
  const due = fc.oneof(fc.nat(50), fc.constant(Infinity))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(19), due), { maxLength: 200 }), (changes) => {
      const all: Due[] = Array.from({ length: 20 }, () => ({ due: Infinity, place: -1 }))
      const queue = new DueQueue<Due>()
      for (const [i, when] of changes) {
        const one = all[i]
        if (one !== undefined) queue.set(one, when)
        expect(queue.next).toBe(Math.min(...all.map((each) => each.due)))
        expect(queue.first?.due ?? Infinity).toBe(queue.next)
        expect(all.filter(({ place }) => place >= 0)).toHaveLength(all.filter((each) => each.due < Infinity).length)
      }
    }),
    { numRuns: 300 },
  )
})
