// The logical clock: order of timers, causes, and giving the realm's own time back.
import fc from 'fast-check'
import { interval, take, timer } from 'rxjs'
import { expect, test } from 'vitest'
import { LogicalClock, ownTime } from './clock.ts'
import { realm, type Turn } from './realm.ts'

const unused = (): never => {
  throw new Error('not used here')
}
const turnOf = (clock: LogicalClock): Turn => ({
  number: 1,
  clock,
  keeper: { open: unused, keys: unused, forget: unused },
  calendar: { after: unused },
  nextId: unused,
})

/** Runs `work` with the clock's time as the realm's, as a turn of a flow. */
const inTurn = (clock: LogicalClock, work: () => void): void => {
  const giveBack = ownTime()
  realm.turn = turnOf(clock)
  try {
    work()
  } finally {
    realm.turn = undefined
    giveBack()
  }
}

test('timers fire in the order of due time, then of setting, each at its own time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 }),
      fc.infiniteStream(fc.boolean()),
      (waits, cancel) => {
        const clock = new LogicalClock(1000)
        const fired: { i: number; at: number }[] = []
        const wanted: { i: number; at: number }[] = []
        for (const [i, wait] of waits.entries()) {
          const id = clock.set(() => fired.push({ i, at: clock.now }), wait, false)
          if (cancel.next().value) clock.clear(id)
          else wanted.push({ i, at: 1000 + wait })
        }
        expect(clock.pending).toBe(wanted.length)
        clock.advance(1025)
        clock.advance(2000)
        expect(fired).toEqual(wanted.sort((a, b) => a.at - b.at || a.i - b.i))
        expect(clock).toMatchObject({ now: 2000, next: Infinity, pending: 0 })
      },
    ),
  )
})

test('time moves only as far as it is told, and never back', () => {
  const clock = new LogicalClock(100)
  const fired: number[] = []
  clock.set(() => fired.push(clock.now), 50, false)
  clock.advance(149)
  expect(fired).toEqual([])
  clock.advance(120)
  expect(clock.now).toBe(149)
  clock.advance(150)
  expect(fired).toEqual([150])
})

test('a timer keeps the cause and the group of whoever set it', () => {
  const clock = new LogicalClock()
  const seen: unknown[] = []
  const note = () => seen.push([clock.cause, clock.group])
  clock.because(42, () => clock.within('device=a/', () => clock.set(note, 10, false)))
  clock.because(43, () => clock.set(note, 10, false))
  clock.advance(10)
  expect(seen).toEqual([
    [42, 'device=a/'],
    [43, ''],
  ])
  expect(clock).toMatchObject({ cause: 0, group: '' })
})

test('a repeating timer stays before younger ones at the same instant', () => {
  const clock = new LogicalClock()
  const fired: string[] = []
  clock.set(() => fired.push('every'), 10, true)
  clock.set(() => fired.push('once'), 20, false)
  clock.advance(20)
  expect(fired).toEqual(['every', 'every', 'once'])
})

test('what a timer throws ends the advance, and the others fire in the next one', () => {
  const clock = new LogicalClock()
  const fired: number[] = []
  clock.set(
    () => {
      throw new Error('no')
    },
    5,
    false,
  )
  clock.set(() => fired.push(clock.now), 5, false)
  expect(() => clock.advance(5)).toThrow('no')
  clock.advance(5)
  expect(fired).toEqual([5])
})

test('a clock that forgets has no timers left, also in the middle of an advance', () => {
  const clock = new LogicalClock()
  const fired: number[] = []
  clock.set(() => fired.push(clock.now), 5, true)
  clock.set(() => clock.forget(), 5, false)
  clock.set(() => fired.push(-1), 6, false)
  clock.advance(100)
  expect(fired).toEqual([5])
  expect(clock).toMatchObject({ pending: 0, next: Infinity, now: 100 })
})

test('timers that are cancelled do not pile up', () => {
  const clock = new LogicalClock()
  for (let i = 0; i < 100_000; i++) clock.clear(clock.set(() => {}, 1_000_000, false))
  expect(clock.pending).toBe(0)
  expect(clock.next).toBe(Infinity)
})

test('a chain of waits of nothing is stopped instead of stopping time', () => {
  const clock = new LogicalClock()
  const again = (): void => void clock.set(again, 0, false)
  again()
  expect(() => clock.advance(1)).toThrow('a chain of waits of 0 ms')
  clock.advance(1)
  expect(clock.now).toBe(1)
})

test('time asked for outside a turn is refused', () => {
  const giveBack = ownTime()
  try {
    expect(() => setTimeout(() => {}, 1)).toThrow('time was asked for outside a turn')
    expect(Date.now()).toBe(realm.at)
  } finally {
    giveBack()
  }
})

test('it remembers the longest wait', () => {
  const clock = new LogicalClock()
  clock.set(() => {}, 300_000, false)
  clock.set(() => {}, 5, false)
  clock.set(() => {}, Infinity, false)
  expect(clock.longest).toBe(300_000)
})

test('RxJS, Date and performance run on it', () => {
  const clock = new LogicalClock(Date.parse('2026-01-01T00:00:00Z'))
  const seen: unknown[] = []
  inTurn(clock, () => {
    interval(1000)
      .pipe(take(2))
      .subscribe((n) => seen.push([n, new Date().toISOString()]))
    timer(1500).subscribe(() => seen.push([Date.now() - performance.now(), new Date() instanceof Date]))
    clock.advance(clock.now + 5000)
  })
  expect(seen).toEqual([
    [0, '2026-01-01T00:00:01.000Z'],
    [0, true],
    [1, '2026-01-01T00:00:02.000Z'],
  ])
})

test('an explicit date stays what it is', () => {
  inTurn(new LogicalClock(5), () => {
    expect(new Date(2020, 0, 1).getFullYear()).toBe(2020)
    expect(new Date('2020-02-02T00:00:00Z').getTime()).toBe(Date.parse('2020-02-02T00:00:00Z'))
    expect(new Date().constructor === Date && Date.UTC(1970, 0, 1)).toBe(0)
  })
})

test('chance, microtasks, fetch and promises are refused inside a turn', () => {
  const clock = new LogicalClock()
  const refused = (work: () => unknown) => expect(() => inTurn(clock, () => void work())).toThrow('not for flows')
  refused(() => Math.random())
  refused(() => queueMicrotask(() => {}))
  refused(() => fetch('http://127.0.0.1/'))
  refused(() => Promise.resolve(1).then(() => 2))
  refused(() => Promise.resolve(1).finally(() => {}))
})

test('the realm gets its own time back, also when the work throws', async () => {
  const before = { setTimeout, setInterval, setImmediate, clearTimeout, queueMicrotask, fetch, performance, Date }
  const { random } = Math
  expect(() =>
    inTurn(new LogicalClock(), () => {
      throw new Error('no')
    }),
  ).toThrow('no')
  expect({ setTimeout, setInterval, setImmediate, clearTimeout, queueMicrotask, fetch, performance, Date }).toEqual(
    before,
  )
  expect(Math.random).toBe(random)
  expect(new Date().constructor).toBe(before.Date)
  expect(await Promise.resolve(1).then((n) => n + 1)).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 1))
})
