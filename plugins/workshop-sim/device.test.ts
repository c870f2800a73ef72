// A device on a line that only remembers: what it says, how it answers commands, and each fault.
import { expect, test } from 'vitest'
import { device, type Leaf } from './device.ts'
import { FAULTS } from './faults.ts'
import { machines } from './machines.ts'
import { seeded } from './random.ts'
import { calmRoom, type Room } from './room.ts'

const T0 = Date.UTC(2026, 10, 20, 12)

const bench = (id: string, start: Room = calmRoom()) => {
  const machine = machines.find((m) => m.id === id)
  if (!machine) throw new Error(`no machine ${id}`)
  let room = start
  let now = T0
  let said: [Leaf, string][] = []
  let isCut = false
  const cell = { get: () => room, set: (next: Room) => void (room = next) }
  const line = {
    send: (leaf: Leaf, payload: string) => void said.push([leaf, payload]),
    cut: () => void (isCut = true),
    restore: () => void (isCut = false),
  }
  const dev = device(machine, line, cell, seeded(1))
  dev.connected(now)
  const take = (leaf?: Leaf): string[] => {
    const taken = said.filter(([l]) => leaf === undefined || l === leaf).map(([, payload]) => payload)
    said = said.filter(([l]) => leaf !== undefined && l !== leaf)
    return taken
  }
  const run = (s: number): void => {
    for (let n = 0; n < s * 10; n++) {
      now += 100
      dev.tick(now)
    }
  }
  const hear = (command: object): void => dev.heard(new TextEncoder().encode(JSON.stringify(command)), now)
  const command = (intent: string, more: object = {}): void =>
    hear({ id: `c${++n}`, intent, requestedBy: 'x', issuedAt: iso(0), expiresAt: iso(30), ...more })
  let n = 0
  const iso = (s: number): string => new Date(now + s * 1000).toISOString()
  const acks = (): unknown[] => take('ack').map((ack) => JSON.parse(ack))
  return {
    machine,
    take,
    run,
    hear,
    command,
    acks,
    iso,
    room: () => room,
    isCut: () => isCut,
    bytes: (b: Uint8Array) => dev.heard(b, now),
  }
}

test('there are a dozen and a badge reader, the fixed ids among them, each with its own id and both protocol versions in use', () => {
  const ids = machines.map(({ id }) => id)
  expect(new Set(ids).size).toBe(13)
  expect(ids).toEqual(
    expect.arrayContaining([
      'badge_reader',
      'dust',
      'extractor',
      'iron',
      'door',
      'bench_light',
      'press',
      'laser',
      'printer_1',
    ]),
  )
  expect(new Set(machines.map(({ protocol }) => protocol))).toEqual(new Set([4, 5]))
})

test.each(machines.map(({ id }) => id))(
  '%s says who it is, that it is there and how it is, before its first sample',
  (id) => {
    const { machine, take, run } = bench(id)
    const about = JSON.parse(take('about')[0] ?? '') as {
      name: string
      intents: Record<string, object>
      safe?: string[]
    }
    expect(about.name).toBe(machine.about.name)
    expect(Object.keys(about.intents)).toEqual([...Object.keys(machine.intents), 'simulate'])
    for (const safe of about.safe ?? []) expect(Object.keys(about.intents)).toContain(safe)
    expect(about.intents.simulate).toMatchObject({ properties: { fault: { enum: Object.keys(FAULTS) } } })
    expect(take('online')).toEqual(['true'])
    expect(take('state')).toEqual([JSON.stringify(machine.state(calmRoom()))])
    run(machine.every + 0.2)
    expect(take('telemetry')).toHaveLength(2)
  },
)

test('what starts can be stopped safely', () => {
  const starters = machines.filter(({ intents }) => Object.keys(intents).some((name) => /start|turn_on/.test(name)))
  expect(starters.filter(({ safe }) => !safe).map(({ id }) => id)).toEqual(['bench_light'])
})

test('a command is accepted, takes its time, changes the room and is done', () => {
  const { command, acks, run, room, take } = bench('extractor')
  take()
  command('switch.turn_on')
  expect(acks()).toEqual([{ id: 'c1', status: 'accepted' }])
  expect(room().extractor.on).toBe(false)
  run(1.3)
  expect(take('state')).toEqual(['{"on":true,"jammed":false}'])
  expect(acks()).toEqual([{ id: 'c1', status: 'done' }])
  expect(room().extractor.on).toBe(true)
})

test('what takes long asks for time', () => {
  const { command, acks } = bench('printer_1')
  command('printer.cancel')
  expect(acks()).toEqual([{ id: 'c1', status: 'accepted', within: expect.any(Number) }])
})

test('an expired, a repeated, an unreadable and a foreign message move nothing', () => {
  const { command, hear, bytes, acks, run, iso } = bench('extractor')
  command('switch.turn_on', { expiresAt: iso(0) })
  hear({ intent: 'switch.turn_on', expiresAt: iso(30) })
  hear([])
  bytes(new TextEncoder().encode('{"id":'))
  bytes(Uint8Array.of(0xff, 0xfe))
  run(2)
  expect(acks()).toEqual([])
  command('switch.turn_off', { id: 'same' })
  command('switch.turn_off', { id: 'same' })
  run(2)
  expect(acks()).toEqual([
    { id: 'same', status: 'accepted' },
    { id: 'same', status: 'done' },
  ])
})

test('an id is remembered through two hundred others', () => {
  const { command, acks, run } = bench('extractor')
  command('switch.turn_on', { id: 'first' })
  for (let n = 0; n < 199; n++) {
    command('switch.turn_on', { id: `n${n}` })
    run(1.3)
  }
  acks()
  command('switch.turn_on', { id: 'first' })
  expect(acks()).toEqual([])
  command('switch.turn_on', { id: 'one more' })
  command('switch.turn_on', { id: 'first' })
  expect(acks()).toHaveLength(2)
})

test('an intent it does not have, a payload that does not fit and a condition that is not met fail with the reason', () => {
  const light = bench('bench_light')
  light.command('press.start')
  light.command('constructor')
  light.command('light.turn_on', { payload: { level: 900 } })
  light.run(1)
  expect(light.acks()).toEqual([
    { id: 'c1', status: 'failed', reason: 'bench_light cannot press.start' },
    { id: 'c2', status: 'failed', reason: 'bench_light cannot constructor' },
    { id: 'c3', status: 'accepted' },
    { id: 'c3', status: 'failed', reason: expect.stringContaining('payload.level') },
  ])
  const laser = bench('laser', { ...calmRoom(), laser: { running: false, lidOpen: true, progress: 0, watts: 0 } })
  laser.command('laser.start')
  laser.run(3)
  expect(laser.acks()).toContainEqual({ id: 'c1', status: 'failed', reason: 'the lid is open' })
})

test('a stop overtakes a start that is still under way', () => {
  const { command, acks, run, room } = bench('press')
  command('press.start')
  command('press.stop')
  run(3)
  expect(acks()).toEqual([
    { id: 'c1', status: 'accepted' },
    { id: 'c1', status: 'failed', reason: 'overtaken by press.stop' },
    { id: 'c2', status: 'accepted' },
    { id: 'c2', status: 'done' },
  ])
  expect(room().press.running).toBe(false)
})

test('more than eight commands at once are too many, but a stop is not', () => {
  const { command, acks } = bench('press')
  for (let n = 0; n < 9; n++) command('press.start')
  expect(acks().at(-1)).toEqual({ id: 'c9', status: 'failed', reason: 'busy with 8 commands' })
  command('press.stop')
  expect(acks().at(-1)).toEqual({ id: 'c10', status: 'accepted' })
})

test.each([
  ['dust', (room: Room) => room.sawing, 20],
  ['iron', (room: Room) => Number(room.iron.on) + room.people.awayFor, 901],
  ['door', (room: Room) => room.door.heldOpen, 300],
  ['presence', (room: Room) => room.people.awayFor, 900],
])('simulate on %s plays its scene', (id, shows, value) => {
  const { command, acks, room } = bench(id)
  command('simulate')
  expect(acks()).toEqual([
    { id: 'c1', status: 'accepted' },
    { id: 'c1', status: 'done' },
  ])
  expect(shows(room())).toBe(value)
})

test('a door that opens tells of it once', () => {
  const { command, run, take } = bench('door')
  take()
  command('simulate', { payload: { seconds: 10 } })
  run(2)
  expect(take('state')).toEqual(['{"open":true}'])
  expect(take('event')).toEqual(['{"type":"opened"}'])
})

test('a badge that is held to the reader is told with its person, each time', () => {
  const { command, run, take } = bench('badge_reader')
  take()
  command('badge.show', { payload: { person: 'ada' } })
  run(1)
  command('badge.show', { payload: { person: 'ada', direction: 'out' } })
  run(1)
  expect(take('event').map((event): unknown => JSON.parse(event))).toEqual([
    { type: 'badge', person: 'ada', direction: 'in' },
    { type: 'badge', person: 'ada', direction: 'out' },
  ])
})

test('the welder does not start without power, and its power off stops it', () => {
  const { command, acks, run, room } = bench('welder')
  command('welder.start')
  run(2)
  expect(acks()).toContainEqual({ id: 'c1', status: 'failed', reason: expect.stringContaining('no power') })
  command('welder.power_on')
  run(1)
  command('welder.start')
  run(2)
  expect(room().welder).toMatchObject({ power: true, on: true, amps: 90 })
  command('welder.power_off')
  run(1)
  expect(room().welder).toMatchObject({ power: false, on: false })
})

test('a payload of simulate that does not fit fails with the reason', () => {
  const { command, acks } = bench('dust')
  command('simulate', { payload: { fault: 'explode' } })
  command('simulate', { payload: { fault: 'spike', seconds: 0 } })
  expect(acks()).toEqual([
    { id: 'c1', status: 'failed', reason: expect.stringContaining('must be one of spike') },
    { id: 'c2', status: 'failed', reason: expect.stringContaining('payload:') },
  ])
})

test('spike: samples are twenty times too high, and right again afterwards', () => {
  const { command, run, take } = bench('dust')
  take()
  command('simulate', { payload: { fault: 'spike', seconds: 5 } })
  run(4)
  const high = take('telemetry').map((json) => (JSON.parse(json) as { dust: number }).dust)
  expect(Math.min(...high)).toBeGreaterThan(100)
  run(2)
  take()
  run(3)
  const right = take('telemetry').map((json) => (JSON.parse(json) as { dust: number }).dust)
  expect(Math.max(...right)).toBeLessThan(20)
})

test('stuck: every sample is the last one', () => {
  const { command, run, take } = bench('dust')
  run(1)
  command('simulate', { payload: { fault: 'stuck', seconds: 10 } })
  take()
  run(8)
  expect(new Set(take('telemetry')).size).toBe(1)
})

test('silence: nothing but answers to commands', () => {
  const { command, run, take, room } = bench('iron')
  command('simulate', { payload: { fault: 'silence', seconds: 10 } })
  take()
  command('switch.turn_on')
  run(9)
  expect(take('telemetry')).toEqual([])
  expect(take('state')).toEqual([])
  expect(take('ack')).toHaveLength(2)
  expect(room().iron.on).toBe(true)
  run(2)
  expect(take('telemetry').length).toBeGreaterThan(0)
  expect(take('state')).toEqual([expect.stringContaining('"on":true')])
})

test('garbage: samples that are no JSON object, and the state is put right afterwards', () => {
  const { command, run, take } = bench('dust')
  command('simulate', { payload: { fault: 'garbage', seconds: 10 } })
  take()
  run(9)
  const samples = take('telemetry')
  expect(samples.length).toBeGreaterThan(6)
  const isObject = (json: string): boolean => {
    try {
      const value: unknown = JSON.parse(json)
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    } catch {
      return false
    }
  }
  expect(samples.filter(isObject)).toEqual([])
  run(2)
  expect(take('state').at(-1)).toBe('{"air":"clean","unit":"µg/m³"}')
})

test('offline: the answer is given first, then the line is cut, and comes back', () => {
  const { command, acks, run, isCut } = bench('press')
  command('simulate', { payload: { fault: 'offline', seconds: 10 } })
  expect(acks().at(-1)).toEqual({ id: 'c1', status: 'done' })
  run(0.2)
  expect(isCut()).toBe(false)
  run(0.2)
  expect(isCut()).toBe(true)
  run(9)
  expect(isCut()).toBe(true)
  run(1)
  expect(isCut()).toBe(false)
})

test('refuse, deaf and slow: accepted and failed, not heard, late; none ends a fault', () => {
  const refuses = bench('extractor')
  refuses.command('simulate', { payload: { fault: 'refuse' } })
  refuses.acks()
  refuses.command('switch.turn_on')
  refuses.run(2)
  expect(refuses.acks()).toEqual([
    { id: 'c2', status: 'accepted' },
    { id: 'c2', status: 'failed', reason: 'a simulated fault: it refuses' },
  ])
  expect(refuses.room().extractor.on).toBe(false)
  const deaf = bench('extractor')
  deaf.command('simulate', { payload: { fault: 'deaf' } })
  deaf.acks()
  deaf.command('switch.turn_on')
  deaf.run(2)
  expect(deaf.acks()).toEqual([])
  deaf.command('simulate', { payload: { fault: 'none' } })
  deaf.command('switch.turn_on')
  deaf.run(2)
  expect(deaf.acks()).toHaveLength(4)
  const slow = bench('extractor')
  slow.command('simulate', { payload: { fault: 'slow' } })
  slow.acks()
  slow.command('switch.turn_on')
  expect(slow.acks()).toEqual([{ id: 'c2', status: 'accepted', within: expect.any(Number) }])
  slow.run(19)
  expect(slow.acks()).toEqual([])
  slow.run(3)
  expect(slow.acks()).toEqual([{ id: 'c2', status: 'done' }])
})
