// What mDNS says, over time: records appear, are refreshed, change, run out and are taken back.
import { expect, test } from 'vitest'
import type { Answer } from './packet.ts'
import { queriesOf, readPacket, TRUNCATED } from './packet.ts'
import { openRecords } from './records.ts'

const PEER = '192.168.7.20'
const ptr = (name: string, ttl = 4500, type = '_ipp._tcp', data = `${name}.${type}.local`): Answer => ({
  type: 'PTR',
  class: 'IN',
  name: `${type}.local`,
  ttl,
  flush: false,
  data,
})
const srv = (name: string, target: string, port = 631, ttl = 120): Answer => ({
  type: 'SRV',
  class: 'IN',
  name: `${name}._ipp._tcp.local`,
  ttl,
  flush: true,
  data: { target, port },
})
const txt = (name: string, ...data: string[]): Answer => ({
  type: 'TXT',
  class: 'IN',
  name: `${name}._ipp._tcp.local`,
  ttl: 4500,
  flush: true,
  data,
})
const a = (name: string, data: string, { ttl = 120, flush = true } = {}): Answer => ({
  type: 'A',
  class: 'IN',
  name,
  ttl,
  flush,
  data,
})
const whole = (name: string, host: string, address: string, ttl = 4500): Answer[] => [
  ptr(name, ttl),
  srv(name, host),
  txt(name, 'ty=Laser 3000', 'adminurl=http://evil.example'),
  a(host, address),
]

const rig = (options: { most?: number; mostOfOne?: number; types?: string[] } = {}) => {
  const clock = { ms: 1_000_000 }
  const records = openRecords({
    types: options.types ?? ['_ipp._tcp', '_octoprint._tcp'],
    now: () => clock.ms,
    random: () => 0,
    most: options.most ?? 256,
    mostOfOne: options.mostOfOne ?? 64,
  })
  return { records, clock, at: (s: number) => (clock.ms = 1_000_000 + s * 1000) }
}

test('a service is known with address, port, a better name and only the facts of its kind', () => {
  const { records } = rig()
  expect(records.take(whole('Upstairs', 'laser.local', '192.168.7.20'), PEER)).toEqual([
    {
      source: 'mdns',
      key: 'mdns:upstairs._ipp._tcp.local',
      kind: 'printer',
      name: 'Laser 3000',
      addresses: ['192.168.7.20'],
      port: 631,
      what: '_ipp._tcp',
      facts: { ty: 'Laser 3000' },
      from: PEER,
      until: 1_000_000 + 4500_000,
    },
  ])
})

test('records in any order and any case are one service', () => {
  const { records } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20').reverse(), PEER)
  records.take([{ ...ptr('UPSTAIRS'), name: '_IPP._TCP.local' }], PEER)
  expect(records.size()).toBe(1)
  expect(records.due()).toEqual([])
})

test('what nobody asked for is not kept', () => {
  const { records } = rig()
  records.take([ptr('Song', 4500, '_spotify._tcp'), srv('Song', 'x.local'), a('x.local', '192.168.7.9')], PEER)
  records.take([ptr('Two', 4500, '_ipp._tcp', 'Two._octoprint._tcp.local')], PEER)
  records.take([ptr('Two', 4500, '_ipp._tcp', '_ipp._tcp.local')], PEER)
  expect(records.size()).toBe(0)
})

test('what is missing is asked for, three times at growing pauses, and then no more', () => {
  const { records, at } = rig()
  records.take([ptr('Upstairs')], PEER)
  const asked: number[] = []
  for (let s = 0; s < 60; s += 0.5) {
    at(s)
    if (records.due().length > 0) asked.push(s)
  }
  expect(asked).toEqual([0.5, 2.5, 6.5])
})

test('an SRV without an address asks for the address of its host', () => {
  const { records, at } = rig()
  records.take([ptr('Upstairs'), srv('Upstairs', 'laser.local'), txt('Upstairs')], PEER)
  at(1)
  expect(records.due()).toEqual([
    { name: 'laser.local', type: 'A', class: 'IN' },
    { name: 'laser.local', type: 'AAAA', class: 'IN' },
  ])
})

test('a service is asked for again at 80, 85, 90 and 95 % of its life, and ends with it', () => {
  const { records, at } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20', 100), PEER)
  const asked: number[] = []
  for (let s = 1; s < 100; s++) {
    at(s)
    if (records.due().some(({ type }) => type === 'PTR')) asked.push(s)
    expect(records.sweep()).toEqual([])
  }
  expect(asked).toEqual([80, 85, 90, 95])
  at(100)
  expect(records.sweep()).toEqual(['mdns:upstairs._ipp._tcp.local'])
  expect(records.size()).toBe(0)
})

test('an answer begins the life anew', () => {
  const { records, at } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20', 100), PEER)
  at(81)
  expect(records.due()).toHaveLength(1)
  records.take([ptr('Upstairs', 100)], PEER)
  at(150)
  expect(records.sweep()).toEqual([])
  at(181)
  expect(records.sweep()).toHaveLength(1)
})

test('a goodbye ends a service after a second, unless another still has it', () => {
  const { records, at } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20'), PEER)
  records.take([ptr('Upstairs', 0)], PEER)
  expect(records.sweep()).toEqual([])
  at(0.5)
  records.take([ptr('Upstairs')], PEER)
  at(5)
  expect(records.sweep()).toEqual([])
  records.take([ptr('Upstairs', 0)], PEER)
  at(6)
  expect(records.sweep()).toEqual(['mdns:upstairs._ipp._tcp.local'])
})

test('with the flush bit a new address takes the place of the old one; without it stands beside', () => {
  const { records, at } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20'), PEER)
  at(2)
  const [both] = records.take([a('laser.local', '192.168.7.21', { flush: false })], PEER)
  expect(both?.addresses).toEqual(['192.168.7.21', '192.168.7.20'])
  at(4)
  const [one] = records.take([a('laser.local', '192.168.7.22')], PEER)
  expect(one?.addresses).toEqual(['192.168.7.22'])
})

test('an address that ran out is the last one known until another lives', () => {
  const { records, at } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20'), PEER)
  at(0.5)
  records.take([a('laser.local', '192.168.7.21', { ttl: 1000 })], PEER)
  at(60)
  expect(records.take([txt('Upstairs')], PEER)[0]?.addresses).toEqual(['192.168.7.21', '192.168.7.20'])
  at(130)
  expect(records.take([txt('Upstairs')], PEER)[0]?.addresses).toEqual(['192.168.7.21'])
  at(2000)
  expect(records.take([txt('Upstairs')], PEER)[0]?.addresses).toEqual(['192.168.7.21', '192.168.7.20'])
})

test('two addresses of one burst both stay', () => {
  const { records } = rig()
  records.take(whole('Upstairs', 'laser.local', '192.168.7.20'), PEER)
  const [both] = records.take([a('laser.local', '10.0.0.5')], PEER)
  expect(both?.addresses).toHaveLength(2)
})

test('addresses outside the site, and loopback from elsewhere, are not believed', () => {
  const { records } = rig()
  for (const address of ['8.8.8.8', '127.0.0.1', '0.0.0.0', '224.0.0.1', '100.64.0.1', '255.255.255.255'])
    expect(records.take(whole('Upstairs', 'laser.local', address), PEER)[0]?.addresses, address).toEqual([])
})

test('one source fills only its part, and all together no more than the bound', () => {
  const { records } = rig({ most: 20, mostOfOne: 8 })
  for (let n = 0; n < 100; n++) records.take([ptr(`Ghost ${n}`)], '192.168.7.66')
  expect(records.size()).toBe(8)
  records.take([ptr('Honest')], PEER)
  expect(records.size()).toBe(9)
  for (let n = 0; n < 100; n++) records.take([ptr(`Mask ${n}`)], `192.168.7.${n}`)
  expect(records.size()).toBe(20)
})

test('what lived less than half its life is said as known, the rest is left to be said again', () => {
  const { records, at } = rig()
  records.take([ptr('Upstairs', 100)], PEER)
  at(10)
  records.take([ptr('Downstairs', 100)], PEER)
  expect(records.known()).toMatchObject([
    { name: '_ipp._tcp.local', data: 'Upstairs._ipp._tcp.local', ttl: 90 },
    { data: 'Downstairs._ipp._tcp.local', ttl: 100 },
  ])
  at(55)
  expect(records.known().map(({ data }) => data)).toEqual(['Downstairs._ipp._tcp.local'])
})

test('known answers that do not fit into a frame follow in further messages, and the ones before say so', () => {
  const known = Array.from({ length: 40 }, (_, n) => ({
    type: 'PTR' as const,
    class: 'IN' as const,
    name: '_ipp._tcp.local',
    ttl: 100,
    data: `Printer with a long name number ${n}._ipp._tcp.local`,
  }))
  const queries = queriesOf([{ name: '_ipp._tcp.local', type: 'PTR', class: 'IN' }], known)
  expect(queries.length).toBeGreaterThan(2)
  expect(queries.map(({ flags }) => flags)).toEqual([...queries.slice(1).map(() => TRUNCATED), 0])
  expect(queries.map(({ questions }) => questions.length)).toEqual([1, ...queries.slice(1).map(() => 0)])
  expect(queries.flatMap(({ answers }) => answers)).toEqual(known)
})

test('only whole answers of the Internet class are read, and only of responses without an error', () => {
  const good = { ...ptr('Upstairs') }
  const read = (packet: object) => readPacket({ type: 'response', answers: [good], ...packet })
  expect(read({})).toHaveLength(1)
  expect(read({ type: 'query' })).toBeUndefined()
  expect(read({ rcode: 'SERVFAIL' })).toBeUndefined()
  expect(read({ opcode: 'STATUS' })).toBeUndefined()
  expect(read({ answers: [{ ...good, class: 'CH' }, { ...good, data: 7 }, { ...good, ttl: -1 }, null, 'x'] })).toEqual(
    [],
  )
  expect(read({ answers: [{ ...good, ttl: 2 ** 32 - 1 }] })).toMatchObject([{ ttl: 0 }])
  expect(read({ answers: Array.from({ length: 5000 }, () => good) })).toHaveLength(512)
})
