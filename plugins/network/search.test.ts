// The search on loopback: it starts without peers, asks politely, gets over a taken port, and leaves nothing behind.
import { createSocket } from 'node:dgram'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../../hub/testing/until.ts'
import type { Finding, Word } from './finding.ts'
import { fakeDatagrams, fakeResponder, type FakeService, freeUdpPort, httpMessage, LOOPBACK } from './network.fake.ts'
import { openSearch } from './search.ts'
import { Settings } from './settings.ts'

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, of: () => log }
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const start = (settings: object, machine: Partial<Parameters<typeof openSearch>[0]> = {}) => {
  const words: Word[] = []
  const troubles: (readonly string[])[] = []
  const search = openSearch({
    config: Settings.parse({ interfaces: [LOOPBACK], ssdp: [], vendors: [], services: ['_ipp._tcp'], ...settings }),
    now: Date.now,
    log,
    heard: (word) => words.push(word),
    troubles: (all) => troubles.push(all),
    changed: () => {},
    ...machine,
  })
  ends.push(() => search.close())
  return {
    search,
    words,
    troubles,
    found: (): Finding[] => words.flatMap((word) => (word.kind === 'found' ? [word.finding] : [])),
  }
}
const laser: FakeService = {
  type: '_ipp._tcp',
  name: 'Laser',
  host: 'laser.local',
  port: 631,
  addresses: [LOOPBACK],
  txt: ['ty=Laser 3000'],
}
const responder = async (port: number, services: FakeService[]) => {
  const fake = await fakeResponder(port, services)
  ends.push(() => fake.close())
  return fake
}

test('with nobody there it waits; whoever comes later is found, with what it says of itself', async () => {
  const port = await freeUdpPort()
  const { found, troubles } = start({ ports: { mdns: port } })
  const fake = await responder(port, [])
  await eventually(
    () => fake.heard.length,
    (n) => n > 0,
  )
  expect(troubles).toEqual([])
  await fake.announce(laser)
  await eventually(found, (all) => all.some(({ addresses }) => addresses[0] === LOOPBACK))
  expect(found().at(-1)).toMatchObject({ name: 'Laser 3000', port: 631, from: LOOPBACK })
})

test('what is known is said in the question and not answered again', async () => {
  const port = await freeUdpPort()
  const fake = await responder(port, [laser])
  const { found } = start({ ports: { mdns: port } })
  await eventually(found, (all) => all.length > 0)
  const questions = () => fake.heard.filter(({ packet }) => packet.questions?.some(({ type }) => type === 'PTR'))
  await eventually(
    () => questions().length,
    (n) => n >= 3,
  )
  expect(questions().at(-1)?.packet.answers).toMatchObject([{ type: 'PTR', data: 'Laser._ipp._tcp.local' }])
  expect(fake.answered).toBe(1)
})

test('a responder that says little is asked for the rest', async () => {
  const port = await freeUdpPort()
  const fake = await responder(port, [])
  const { found } = start({ ports: { mdns: port } })
  await eventually(
    () => fake.heard.length,
    (n) => n > 0,
  )
  fake.services.push(laser)
  await fake.send({
    answers: [{ type: 'PTR', class: 'IN', name: '_ipp._tcp.local', ttl: 4500, data: 'Laser._ipp._tcp.local' }],
  })
  await eventually(found, (all) => all.some(({ addresses }) => addresses.length > 0), { ms: 12_000 })
})

test('answers from another port than the one of mDNS are not heard (RFC 6762 6)', async () => {
  const port = await freeUdpPort()
  const { found } = start({ ports: { mdns: port } })
  const honest = await responder(port, [])
  await eventually(
    () => honest.heard.length,
    (n) => n > 0,
  )
  const { encode } = await import('dns-packet')
  const { recordsOf } = await import('./network.fake.ts')
  const liar = await fakeDatagrams(0)
  ends.push(() => liar.close())
  for (let n = 0; n < 5; n++)
    await liar.say(encode({ type: 'response', answers: recordsOf({ ...laser, name: 'Liar' }) }), port, '224.0.0.251')
  await honest.announce(laser)
  await eventually(found, (all) => all.length > 0)
  expect(found().map(({ key }) => key)).not.toContain('mdns:liar._ipp._tcp.local')
})

test('a port that a program keeps to itself is said, and taken when it is free', async () => {
  const port = await freeUdpPort()
  const greedy = createSocket({ type: 'udp4', reuseAddr: false })
  await new Promise<void>((done) => greedy.bind(port, '0.0.0.0', done))
  const { troubles, found } = start({ ports: { mdns: port } })
  await eventually(
    () => troubles.at(-1)?.[0] ?? '',
    (what) => what.includes(`keeps UDP port ${port} to itself`),
  )
  await new Promise<void>((done) => greedy.close(() => done()))
  await eventually(
    () => troubles.at(-1),
    (all) => all?.length === 0,
    { ms: 12_000 },
  )
  const fake = await responder(port, [])
  await fake.announce(laser)
  await eventually(found, (all) => all.length > 0)
})

test('an address this machine does not have is said with what to do', () => {
  const { troubles, search } = start({ interfaces: ['10.255.254.253'] })
  expect(troubles.at(-1)).toEqual([
    'This machine does not have the address 10.255.254.253 now: correct plugins.network.interfaces.',
  ])
  expect(search.networks()).toEqual([])
})

test('a network that comes is searched, one that goes is left; without one it says so; a public one is never touched', async () => {
  const port = await freeUdpPort()
  const lo = {
    address: LOOPBACK,
    netmask: '',
    family: 'IPv4' as const,
    mac: '',
    internal: false,
    cidr: `${LOOPBACK}/8`,
  }
  const machine = { lo: [] as (typeof lo)[], wan: [{ ...lo, address: '203.0.113.7', cidr: '203.0.113.7/24' }] }
  const { troubles, search } = start(
    { interfaces: [], ports: { mdns: port } },
    { interfaces: () => machine, netsMs: 50 },
  )
  expect(troubles.at(-1)?.[0]).toContain('This machine has no private network address')
  expect(search.networks()).toEqual([])
  const fake = await responder(port, [])
  machine.lo.push(lo)
  await eventually(
    () => fake.heard.length,
    (n) => n > 0,
  )
  expect(troubles.at(-1)).toEqual([])
  expect(search.networks()).toEqual([`${LOOPBACK}/8`])
  machine.lo.pop()
  await eventually(search.networks, (all) => all.length === 0)
  expect(troubles.at(-1)?.[0]).toContain('no private network address')
})

test('SSDP is asked with hop limit one in the group, and answers come only while it is asked', async () => {
  const port = await freeUdpPort()
  const { found, search } = start({ services: [], ssdp: ['upnp:rootdevice'], ports: { ssdp: port } })
  const device = await fakeDatagrams(
    port,
    (bytes) =>
      bytes.toString().startsWith('M-SEARCH')
        ? httpMessage('HTTP/1.1 200 OK', { ST: 'upnp:rootdevice', USN: 'uuid:1::upnp:rootdevice', SERVER: 'Box' })
        : undefined,
    ['239.255.255.250'],
  )
  ends.push(() => device.close())
  search.now()
  await eventually(found, (all) => all.some(({ key }) => key === 'ssdp:1'))
  expect(device.heard[0]?.bytes.toString()).toBe(
    'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 3\r\nST: upnp:rootdevice\r\n\r\n',
  )
})

test('closing leaves no socket and no timer behind', async () => {
  const open = () => process.getActiveResourcesInfo().filter((name) => /UDP|Timeout/.test(name)).length
  const before = open()
  const searches = Array.from({ length: 3 }, () =>
    openSearch({
      config: Settings.parse({ interfaces: [LOOPBACK], ports: { mdns: 45_353, ssdp: 41_900 } }),
      now: Date.now,
      log,
      heard: () => {},
      troubles: () => {},
      changed: () => {},
    }),
  )
  expect(open()).toBeGreaterThan(before)
  // One at once, the others while they ask.
  await searches[0]?.close()
  await new Promise((resolve) => setTimeout(resolve, 300))
  await Promise.all(searches.map((search) => search.close()))
  await eventually(open, (n) => n <= before)
})
