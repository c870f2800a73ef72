// Who may come in: networks of this machine, what belongs to them, and how often; and when is asked.
import { expect, test } from 'vitest'
import { openDoor } from './door.ts'
import { isOn, type Interfaces, mayBeItsAddress, netOf, netsOf } from './nets.ts'
import { doublingRounds, steadyRounds } from './rounds.ts'

const one = (address: string, prefix: number, internal = false) => ({
  address,
  netmask: '',
  family: 'IPv4' as const,
  mac: '00:00:00:00:00:00',
  internal,
  cidr: `${address}/${prefix}`,
})
const HOME = { address: '192.168.7.2', prefix: 24, broadcast: '192.168.7.255' }
const LAB = { address: '10.1.2.3', prefix: 20, broadcast: '10.1.15.255' }
const interfaces: Interfaces = {
  lo: [one('127.0.0.1', 8, true)],
  eth0: [one('192.168.7.2', 24)],
  lab: [one('10.1.2.3', 20)],
  wan: [one('203.0.113.7', 24)],
  carrier: [one('100.64.1.2', 10)],
  tunnel: [one('10.9.9.9', 32)],
}

test('the private networks are searched, never a public one, loopback only when it is named', () => {
  expect(netsOf([], interfaces)).toEqual({ nets: [HOME, LAB], missing: [] })
  expect(netsOf(['127.0.0.1'], interfaces).nets.map(({ broadcast }) => broadcast)).toEqual(['127.255.255.255'])
  expect(netsOf(['203.0.113.7', '192.168.7.2'], interfaces)).toEqual({ nets: [HOME], missing: ['203.0.113.7'] })
  expect(netsOf([], {})).toEqual({ nets: [], missing: [] })
})

test('an address is on a network by its first bits, the narrowest network first', () => {
  expect(isOn(LAB, '10.1.15.254')).toBe(true)
  expect(isOn(LAB, '10.1.16.1')).toBe(false)
  expect(isOn(LAB, 'fe80::1')).toBe(false)
  const wide = { address: '192.168.1.1', prefix: 16, broadcast: '' }
  expect(netOf([wide, HOME], '192.168.7.9')).toBe(HOME)
  expect(netOf([wide, HOME], '192.168.8.9')).toBe(wide)
  expect(netOf([wide, HOME], '8.8.8.8')).toBeUndefined()
})

test('a found thing may give private addresses; loopback is its own only over loopback', () => {
  expect(mayBeItsAddress('10.0.0.5', '192.168.7.9')).toBe(true)
  expect(mayBeItsAddress('fe80::1', '192.168.7.9')).toBe(true)
  for (const address of ['8.8.8.8', '2001:db8::1', '127.0.0.1', '::1', '::ffff:8.8.8.8'])
    expect(mayBeItsAddress(address, '192.168.7.9'), address).toBe(false)
  expect(mayBeItsAddress('127.0.0.1', '127.0.0.1')).toBe(true)
})

test('what is foreign, too large or too much stays outside, and is counted', () => {
  const clock = { ms: 0 }
  const door = openDoor({ most: 9000, now: () => clock.ms })
  door.setNets([HOME, LAB])
  expect(door.admits(100, '192.168.7.9', HOME)).toBe(true)
  expect(door.admits(100, '8.8.8.8', HOME)).toBe(false)
  expect(door.admits(9001, '192.168.7.9', HOME)).toBe(false)
  // Each socket hears all networks; the other one's is taken by the other socket.
  expect(door.admits(100, '10.1.2.9', HOME)).toBe(false)
  expect(door.refused()).toEqual({ foreign: 1, large: 1, flood: 0 })
})

test('one that floods is read twenty times a second, and takes nothing from the others', () => {
  const clock = { ms: 0 }
  const door = openDoor({ most: 9000, now: () => clock.ms })
  door.setNets([HOME])
  const burst = (source: string, n: number) =>
    Array.from({ length: n }, () => door.admits(100, source, HOME)).filter(Boolean).length
  expect(burst('192.168.7.66', 5000)).toBe(240)
  expect(burst('192.168.7.9', 10)).toBe(10)
  clock.ms += 10_000
  expect(burst('192.168.7.66', 5000)).toBe(200)
  expect(door.refused().flood).toBe(4760 + 4800)
})

test('all together are bounded, and invented addresses buy nothing', () => {
  const clock = { ms: 0 }
  const door = openDoor({ most: 9000, now: () => clock.ms })
  const wide = { address: '10.1.2.3', prefix: 8, broadcast: '' }
  door.setNets([wide])
  let admitted = 0
  for (let n = 0; n < 100_000; n++)
    if (door.admits(100, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, wide)) admitted += 1
  expect(admitted).toBe(1200)
})

/** Timers by hand: `pass` runs what is due. */
const handTimers = () => {
  let at = 0
  let due: { at: number; work: () => void }[] = []
  return {
    set: (work: () => void, ms: number) => {
      const one = { at: at + ms, work }
      due.push(one)
      return () => void (due = due.filter((other) => other !== one))
    },
    pass(until: number) {
      for (;;) {
        const [next] = due.filter((one) => one.at <= until).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        due = due.filter((other) => other !== next)
        at = next.at
        next.work()
      }
      at = until
    },
    now: () => at,
  }
}

test('mDNS asks after 20 to 120 ms, then after 1, 2, 4 … seconds up to an hour', () => {
  const timers = handTimers()
  const asked: number[] = []
  const rounds = doublingRounds(
    () => asked.push(timers.now()),
    () => 0.5,
    timers,
  )
  rounds.restart()
  timers.pass(6 * 3_600_000)
  const pauses = asked.map((at, n) => at - (asked[n - 1] ?? 0))
  expect(asked[0]).toBe(70)
  expect(pauses.slice(1, 13)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048].map((s) => s * 1000))
  expect(new Set(pauses.slice(13))).toEqual(new Set([3_600_000]))
  rounds.stop()
  timers.pass(12 * 3_600_000)
  expect(asked).toHaveLength(pauses.length)
})

test('the others are asked at once and then at the pause, a tenth more or less; a new start is one series', () => {
  const timers = handTimers()
  const asked: number[] = []
  const rounds = steadyRounds(
    () => asked.push(timers.now()),
    600_000,
    () => 0,
    timers,
  )
  rounds.restart()
  timers.pass(1000)
  rounds.restart()
  timers.pass(1_100_000)
  expect(asked).toEqual([0, 1000, 541_000, 1_081_000])
})
