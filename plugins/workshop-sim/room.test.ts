// The room's physics: what rises, what falls, and what depends on what.
import { expect, test } from 'vitest'
import { seeded } from './random.ts'
import { calmRoom, type Room, step } from './room.ts'

/** The room after `s` seconds in steps of 0.1 s. */
const after = (s: number, room: Room, seed = 1): Room => {
  const random = seeded(seed)
  let now = room
  for (let n = 0; n < s * 10; n++) now = step(now, 0.1, random)
  return now
}

test('a calm room stays calm', () => {
  const room = after(600, calmRoom())
  expect(room.dust).toBeCloseTo(12, 1)
  expect(room.climate.celsius).toBeGreaterThan(17)
  expect(room.climate.celsius).toBeLessThan(24)
  expect(room.compressor.bar).toBeGreaterThan(5.5)
})

test('the same seed gives the same afternoon, another seed another', () => {
  expect(after(900, calmRoom(), 7)).toEqual(after(900, calmRoom(), 7))
  expect(after(900, calmRoom(), 7)).not.toEqual(after(900, calmRoom(), 8))
})

test('the size of the step hardly matters', () => {
  const random = seeded(1)
  let coarse: Room = { ...calmRoom(), dust: 400, extractor: { on: true, jammed: false, rpm: 2850 } }
  const fine = after(30, coarse)
  for (let n = 0; n < 30; n++) coarse = step(coarse, 1, random)
  expect(coarse.dust).toBeCloseTo(fine.dust, 0)
})

test('sawing raises dust past 80 within four seconds; without extraction it hangs in the air for minutes', () => {
  const dusty = after(4, { ...calmRoom(), sawing: 20 })
  expect(dusty.dust).toBeGreaterThan(80)
  expect(dusty.sawing).toBeCloseTo(16)
  expect(after(20, dusty).sawing).toBe(0)
  expect(after(180, dusty).dust).toBeGreaterThan(80)
})

test('the extractor clears the air within two minutes, unless it is jammed', () => {
  const dusty: Room = { ...calmRoom(), dust: 500 }
  expect(after(120, { ...dusty, extractor: { on: true, jammed: false, rpm: 0 } }).dust).toBeLessThan(20)
  const jammed = after(120, { ...dusty, extractor: { on: true, jammed: true, rpm: 0 } })
  expect(jammed.extractor.rpm).toBe(0)
  expect(jammed.dust).toBeGreaterThan(200)
})

test('the iron is hot in half a minute and cools slowly', () => {
  const hot = after(45, { ...calmRoom(), iron: { on: true, celsius: 21, target: 350 } })
  expect(hot.iron.celsius).toBeGreaterThan(330)
  const off = { ...hot, iron: { ...hot.iron, on: false } }
  expect(after(60, off).iron.celsius).toBeGreaterThan(150)
  expect(after(900, off).iron.celsius).toBeLessThan(40)
})

test('a door held open stays open that long; one just used falls shut', () => {
  const held = { ...calmRoom(), door: { open: true, heldOpen: 150 } }
  expect(after(149, held).door.open).toBe(true)
  expect(after(151, held).door.open).toBe(false)
})

test('people come and go through the door; while all are away nobody comes', () => {
  const random = seeded(3)
  let room = calmRoom()
  const counts = new Set<number>()
  let openings = 0
  for (let s = 0; s < 3600; s++) {
    const next = step(room, 1, random)
    if (next.door.open && !room.door.open) openings += 1
    counts.add(next.people.count)
    room = next
  }
  expect(openings).toBeGreaterThan(5)
  expect(counts.size).toBeGreaterThan(1)
  expect(counts.has(0)).toBe(false)
  const away = { ...calmRoom(), people: { count: 0, awayFor: 900, nextMove: 1 } }
  expect(after(899, away).people.count).toBe(0)
  expect(after(1300, away).people.count).toBeGreaterThan(0)
})

test('the compressor runs between 6 and 8 bar', () => {
  const random = seeded(1)
  let room: Room = { ...calmRoom(), press: { running: true, bar: 0, strokes: 0 } }
  let low = 9
  let high = 0
  for (let s = 0; s < 1800; s++) {
    room = step(room, 1, random)
    low = Math.min(low, room.compressor.bar)
    high = Math.max(high, room.compressor.bar)
  }
  expect(low).toBeGreaterThan(5.7)
  expect(high).toBeGreaterThan(7.9)
  expect(high).toBeLessThan(8.3)
})

test('a print heats first, ends by itself and is then idle; the laser stops at the end of its cut', () => {
  const printing = after(20, { ...calmRoom(), printer: { status: 'printing', progress: 0, nozzle: 24, layer: 0 } })
  expect(printing.printer).toMatchObject({ status: 'printing', progress: 0 })
  expect(after(1900, printing).printer).toMatchObject({ status: 'idle', progress: 100 })
  const cutting = { ...calmRoom(), laser: { running: true, lidOpen: false, progress: 0, watts: 0 } }
  expect(after(90, cutting).laser.running).toBe(true)
  expect(after(190, cutting).laser).toMatchObject({ running: false, watts: 0 })
  expect(after(1, { ...cutting, laser: { ...cutting.laser, lidOpen: true } }).laser.running).toBe(false)
})
