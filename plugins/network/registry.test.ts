// The registry of found things: bounds, confidence with reasons, decisions, and what is left after a restart.
import type { z } from 'zod'
import { expect, test } from 'vitest'
import type { Found } from './thing.ts'
import type { Finding } from './finding.ts'
import { openRegistry } from './registry.ts'
import { shortList } from './short.ts'

const storage = () => {
  const kept = new Map<string, string>()
  return {
    kept,
    get: async <T>(key: string, schema: z.ZodType<T>): Promise<T | undefined> => {
      const parsed = schema.safeParse(JSON.parse(kept.get(key) ?? 'null'))
      return parsed.success ? parsed.data : undefined
    },
    set: async (key: string, value: unknown): Promise<void> => void kept.set(key, JSON.stringify(value)),
    remove: async (key: string): Promise<void> => void kept.delete(key),
    keys: async (prefix: string): Promise<string[]> => [...kept.keys()].filter((key) => key.startsWith(prefix)),
  }
}
const DAY = 86_400_000

const rig = (options: { most?: number; mostOfOne?: number; memory?: ReturnType<typeof storage> } = {}) => {
  const clock = { ms: Date.parse('2030-01-01T00:00:00Z') }
  const memory = options.memory ?? storage()
  const reopened: Found[] = []
  const registry = openRegistry({
    memory,
    now: () => clock.ms,
    most: options.most ?? 256,
    mostOfOne: options.mostOfOne ?? 64,
    keepMs: 30 * DAY,
    reopened: (found) => reopened.push(found),
  })
  const finding = (fields: Partial<Finding> = {}): Finding => ({
    source: 'mdns',
    key: 'mdns:octopi._octoprint._tcp.local',
    kind: 'octoprint',
    name: 'OctoPi',
    addresses: ['192.168.7.20'],
    port: 80,
    what: '_octoprint._tcp',
    facts: { version: '1.11.0' },
    from: '192.168.7.20',
    until: clock.ms + 4500_000,
    ...fields,
  })
  return {
    registry,
    clock,
    memory,
    reopened,
    finding,
    say: (fields: Partial<Finding> = {}) => registry.take({ kind: 'found', finding: finding(fields) }),
    only: (): Found => {
      const [one, ...more] = registry.list()
      if (one === undefined || more.length > 0) throw new Error(`${more.length + 1} things`)
      return one
    },
  }
}

test('confidence has its reasons, and never reaches one', () => {
  const { say, only, clock } = rig()
  say()
  expect(only()).toMatchObject({ confidence: 0.75, status: 'new' })
  say({ source: 'ssdp', key: 'ssdp:1', what: 'upnp:rootdevice' })
  clock.ms += 2 * DAY
  say({ until: clock.ms + 1000 })
  say({ source: 'ssdp', key: 'ssdp:1', what: 'upnp:rootdevice', until: clock.ms + 1000 })
  const { confidence, reasons, saidBy } = only()
  expect(confidence).toBe(0.95)
  expect(saidBy.map(({ source }) => source)).toEqual(['mdns', 'ssdp'])
  expect(reasons.map(({ text }) => text)).toEqual([
    'It says _octoprint._tcp, which only OctoPrint does.',
    'It spoke from the address it gives.',
    'What it tells of itself fits: version, model or the like.',
    'Seen in more than one way: mDNS and SSDP.',
    'Known for more than a day.',
  ])
  expect(reasons.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(0.95)
})

test('one that speaks for another address, and one that claims what another is, are less believed', () => {
  const { registry, say } = rig()
  say({ from: '192.168.7.66' })
  expect(registry.list()[0]?.confidence).toBe(0.35)
  say({ key: 'udp:kasa:1', source: 'udp', kind: 'kasa', name: 'Plug', what: 'Kasa' })
  const reasons = registry.list().map(({ reasons }) => reasons.map(({ text }) => text).join(' '))
  expect(reasons[0]).toContain("'OctoPi' says it is OctoPrint at the same address and port.")
  expect(reasons[1]).toContain("'Plug' says it is TP-Link Kasa at the same address and port.")
})

test('a plain word does not take back a precise one', () => {
  const { say, only } = rig()
  say({
    key: 'ssdp:1',
    source: 'ssdp',
    kind: 'router',
    what: 'urn:…:InternetGatewayDevice:2',
    url: 'http://192.168.7.20/',
  })
  say({ key: 'ssdp:1', source: 'ssdp', kind: 'upnp', what: 'upnp:rootdevice' })
  expect(only()).toMatchObject({ kind: 'router', url: 'http://192.168.7.20/' })
})

test('silence makes it gone and a word brings it back; a goodbye counts only from where the greeting came', () => {
  const { say, only, clock, registry } = rig()
  say({ until: clock.ms + 1000 })
  clock.ms += 1000
  expect(registry.sweep()).toBe(true)
  expect(registry.sweep()).toBe(false)
  expect(only()).toMatchObject({ status: 'gone', confidence: 0.05 })
  expect(say()).toBe('changed')
  expect(only().status).toBe('new')
  const goodbye = { kind: 'ended' as const, key: 'mdns:octopi._octoprint._tcp.local' }
  expect(registry.take({ ...goodbye, from: '192.168.7.66' })).toBe('same')
  expect(only().status).toBe('new')
  expect(registry.take({ ...goodbye, from: '192.168.7.20' })).toBe('changed')
  expect(only().status).toBe('gone')
})

test('the same again is no change, so that nothing is said or written for it', () => {
  const { say, registry, memory, clock } = rig()
  expect(say()).toBe('changed')
  const writes = { n: 0 }
  const { set } = memory
  memory.set = (key, value) => {
    writes.n += 1
    return set(key, value)
  }
  for (let n = 0; n < 5; n++) {
    clock.ms += 1000
    expect(say()).toBe('same')
  }
  return registry.save().then(async () => {
    expect(writes.n).toBe(1)
    say()
    await registry.save()
    expect(writes.n).toBe(1)
  })
})

test.each([
  [
    'another address',
    { addresses: ['192.168.7.66'] },
    'It was at 192.168.7.20 when ada accepted it, and says 192.168.7.66 now.',
  ],
  ['another port', { port: 81 }, 'It was at port 80 when ada accepted it, and says 81 now.'],
  [
    'another kind',
    { kind: 'moonraker' },
    'It said it was OctoPrint when ada accepted it, and says Klipper (Moonraker) now.',
  ],
])('an acceptance ends with %s, is told, and does not come back by itself', async (_name, change, why) => {
  const { say, only, registry, reopened } = rig()
  say()
  await registry.decide(only().id, 'accepted', 'person:ada')
  say({ name: 'OctoPi renamed', facts: { version: '1.12.0' } })
  expect(only().status).toBe('accepted')
  say(change)
  expect(only()).toMatchObject({ status: 'new', reopened: why })
  expect(reopened).toHaveLength(1)
  say()
  expect(only().status).toBe('new')
  await registry.decide(only().id, 'accepted', 'person:ada')
  expect(only()).toMatchObject({ status: 'accepted' })
  expect(only().reopened).toBeUndefined()
})

test('an accepted thing keeps the address it was accepted at when it names others beside it', async () => {
  const { say, only, registry } = rig()
  say()
  await registry.decide(only().id, 'accepted', 'person:ada')
  say({ addresses: ['192.168.7.66', '192.168.7.20'] })
  expect(only().status).toBe('accepted')
  expect(only().next?.yaml).toContain('http://192.168.7.20:80')
})

test('the list is bounded: what is gone makes way, what is there and what is decided stays', async () => {
  const { registry, clock, finding } = rig({ most: 4 })
  const put = (n: number, until: number) =>
    registry.take({
      kind: 'found',
      finding: finding({ key: `mdns:${n}`, name: `N${n}`, addresses: [`10.0.0.${n}`], from: `10.0.0.${n}`, until }),
    })
  for (let n = 1; n <= 4; n++) put(n, clock.ms + n * 1000)
  expect(put(5, clock.ms + 9000)).toBe('full')
  const decided = registry.list().find(({ name }) => name === 'N1')?.id ?? ''
  await registry.decide(decided, 'ignored', 'person:ada')
  clock.ms += 2500
  expect(put(5, clock.ms + 9000)).toBe('changed')
  expect(put(6, clock.ms + 9000)).toBe('full')
  expect(
    registry
      .list()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['N1', 'N3', 'N4', 'N5'])
})

test('one address tells of no more than its part', () => {
  const { registry, finding } = rig({ mostOfOne: 3 })
  const outcomes = Array.from({ length: 6 }, (_, n) =>
    registry.take({ kind: 'found', finding: finding({ key: `mdns:${n}`, port: 1000 + n, from: '192.168.7.66' }) }),
  )
  expect(outcomes).toEqual(['changed', 'changed', 'changed', 'full', 'full', 'full'])
  expect(registry.take({ kind: 'found', finding: finding({ addresses: ['192.168.7.9'], from: '192.168.7.9' }) })).toBe(
    'changed',
  )
})

test('after a restart everything is there, and what does not read is dropped', async () => {
  const before = rig()
  before.say()
  await before.registry.decide(before.only().id, 'accepted', 'person:ada')
  before.memory.kept.set('found:ffffffffffff', '{"id":"ffffffffffff","voices":[]}')
  const after = rig({ memory: before.memory })
  await after.registry.load()
  expect(after.only()).toEqual(before.only())
  expect([...before.memory.kept.keys()]).toEqual([`found:${before.only().id}`])
  expect(after.say()).toBe('same')
})

test('what nobody decided about is forgotten a month after it was gone', async () => {
  const { say, registry, clock, memory } = rig()
  say({ until: clock.ms + 1000 })
  await registry.save()
  expect(memory.kept.size).toBe(1)
  clock.ms += 31 * DAY
  registry.sweep()
  await registry.save()
  expect(registry.size()).toBe(0)
  expect(memory.kept.size).toBe(0)
})

test('a decision that cannot be kept is not confirmed', async () => {
  const { say, registry, only, memory } = rig()
  say()
  memory.set = () => Promise.reject(new Error('disk full'))
  await expect(registry.decide(only().id, 'accepted', 'person:ada')).rejects.toThrow('disk full')
  expect(only().status).toBe('new')
})

test('what could not be written is written the next time, all of it', async () => {
  const { registry, memory, finding } = rig()
  for (let n = 0; n < 5; n++) registry.take({ kind: 'found', finding: finding({ key: `mdns:${n}`, port: 1000 + n }) })
  const { set } = memory
  memory.set = () => Promise.reject(new Error('disk full'))
  await expect(registry.save()).rejects.toThrow('disk full')
  memory.set = set
  await registry.save()
  expect(memory.kept.size).toBe(5)
})

test('five hundred things at one address are listed in a fraction of 50 ms', () => {
  const { registry, finding } = rig({ most: 512, mostOfOne: 512 })
  for (let n = 0; n < 512; n++) registry.take({ kind: 'found', finding: finding({ key: `mdns:${n}`, port: 1000 + n }) })
  const runs = Array.from({ length: 5 }, () => {
    const began = performance.now()
    registry.list()
    return performance.now() - began
  })
  expect(Math.min(...runs)).toBeLessThan(50)
})

test('the short list fits into a message however long the names are, and says how many it left out', () => {
  const { registry, finding } = rig({ most: 512, mostOfOne: 512 })
  for (let n = 0; n < 512; n++)
    registry.take({
      kind: 'found',
      finding: finding({
        key: `mdns:${n}`,
        name: '漢'.repeat(64),
        port: 1000 + n,
        addresses: [`10.0.${n >> 8}.${n & 255}`],
      }),
    })
  const short = shortList(registry.list(), undefined)
  expect(Buffer.byteLength(JSON.stringify(short))).toBeLessThan(64 * 1024)
  expect(short.items.length + short.more).toBe(512)
  expect(short.more).toBeGreaterThan(0)
})
