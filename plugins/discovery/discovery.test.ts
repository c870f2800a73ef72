// The bookkeeping of announcements against small stand-ins of what the hub gives a plugin: limits, sweeping, forgetting, leaving nothing.
import { Observable } from 'rxjs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Capabilities, Device, ErrorReport, NativeMessage } from '#hub/plugin'
import { type Discovery, openDiscovery } from './discovery.ts'

const world = () => {
  const retained = new Map<string, NativeMessage>()
  const listeners = new Set<(message: NativeMessage) => void>()
  const remembered = new Map<string, string>()
  const owners = new Map<string, string>()
  const names = new Map<string, string>()
  const said: { topic: string; device: string; payload: unknown }[] = []
  const sent: { topic: string; payload: string }[] = []
  const errors: Omit<ErrorReport, 'source'>[] = []
  const told: { event: string; fields: object }[] = []
  let healthy = ''
  let guarded: ReadonlySet<string> = new Set()
  let discovery: Discovery | undefined
  const native: Capabilities['native'] = {
    hear: (filter) =>
      new Observable((out) => {
        const head = filter.slice(0, -1)
        const fits = ({ topic }: NativeMessage): boolean => topic.startsWith(head)
        const listen = (message: NativeMessage): void => {
          if (fits(message)) out.next(message)
        }
        listeners.add(listen)
        for (const message of [...retained.values()]) if (fits(message)) out.next({ ...message, retained: true })
        return () => listeners.delete(listen)
      }),
    command: ({ topic, payload }) => void sent.push({ topic, payload: String(payload) }),
    fact: () => {},
    guard: (topics) => (guarded = topics),
    may: (_, __, topic) => !topic.startsWith('foreign/'),
  }
  const devices: Capabilities['devices'] = {
    list: () => [...owners].map(([id, owner]) => ({ id, owner }) as Device),
    get: () => undefined,
    ownerOf: (id) => owners.get(id),
    idFor: ({ key, name }) => {
      const id = names.get(key) ?? name.toLowerCase().replace(/\W+/g, '_')
      names.set(key, id)
      return id
    },
    claim: (id) => void owners.set(id, 'plugin:discovery'),
    forget: async (id) => void owners.delete(id),
  }
  const memory: Capabilities['memory'] = {
    get: async (key, schema) => {
      const json = remembered.get(key)
      return json === undefined ? undefined : schema.parse(JSON.parse(json))
    },
    set: async (key, value) => void remembered.set(key, JSON.stringify(value)),
    remove: async (key) => void remembered.delete(key),
    keys: async (prefix) => [...remembered.keys()].filter((key) => key.startsWith(prefix)),
  }
  const start = async (more: { devices?: number; outside?: boolean } = {}): Promise<Discovery> => {
    discovery = await openDiscovery({
      native,
      devices,
      memory,
      hub: 'jarvis',
      prefix: 'homeassistant',
      most: { devices: more.devices ?? 100, components: 64 },
      patience: 10_000,
      outside: more.outside ?? true,
      now: () => Date.now(),
      say: ({ topic, params, payload }) =>
        void said.push({ topic: topic.split('/').at(-1) ?? '', device: params.device, payload }),
      report: (error) => void errors.push(error),
      health: (_, what = '') => void (healthy = what),
      inform: (event, fields) => void told.push({ event, fields }),
    })
    return discovery
  }
  const publish = (topic: string, payload: unknown, origin = 'device:a', keep = true): void => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
    const message = { topic, payload: Buffer.from(text), origin, seq: 1, at: 1, retained: false }
    if (keep && text === '') retained.delete(topic)
    else if (keep) retained.set(topic, message)
    for (const listen of [...listeners]) listen(message)
  }
  return {
    start,
    publish,
    said,
    sent,
    errors,
    told,
    health: () => healthy,
    owners,
    remembered,
    retained,
    guarded: () => guarded,
    listeners,
    last: (device: string, topic: string) =>
      said.findLast((one) => one.device === device && one.topic === topic)?.payload,
    acks: (device: string) =>
      said.filter((one) => one.device === device && one.topic === 'ack').map(({ payload }) => payload),
    close: () => discovery?.close(),
  }
}

let at: ReturnType<typeof world>
beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 10) })
  at = world()
})
afterEach(async () => {
  await at.close()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const turn = (ms = 1): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const config = (id: string, more: object = {}) => ({
  device: { identifiers: [id], name: id },
  state_topic: `x/${id}/state`,
  command_topic: `x/${id}/do`,
  ...more,
})
const topic = (id: string): string => `homeassistant/switch/${id}/config`
const command = (intent: string, id = 'c1', payload: Record<string, unknown> = {}) => ({
  id,
  intent,
  payload,
  requestedBy: 'person:ada',
  issuedAt: new Date(Date.now()).toISOString(),
  expiresAt: new Date(Date.now() + 30_000).toISOString(),
})

test('what is taken back leaves nothing: no device, no topic, nothing guarded, nothing remembered', async () => {
  const discovery = await at.start()
  const before = at.listeners.size
  for (const id of ['one', 'two', 'three']) at.publish(topic(id), config(id))
  await turn(1000)
  expect(discovery.size).toMatchObject({ devices: 3, components: 3, topics: 3, waiting: 0 })
  expect([...at.guarded()]).toEqual(['x/one/do', 'x/two/do', 'x/three/do'])
  expect(at.remembered.size).toBe(1)
  for (const id of ['one', 'two', 'three']) at.publish(topic(id), '')
  await turn(1000)
  expect(discovery.size).toMatchObject({ devices: 0, components: 0, topics: 0 })
  expect(at.guarded().size).toBe(0)
  expect(at.owners.size).toBe(0)
  expect(at.remembered.size).toBe(0)
  expect(at.listeners.size).toBe(before)
})

test('a hundred renames leave one device with one id', async () => {
  const discovery = await at.start()
  for (let i = 0; i < 100; i++) {
    at.publish(
      topic('one'),
      config('one', { device: { identifiers: ['one'], name: `Name ${i}` }, state_topic: `x/${i}` }),
    )
    await turn()
  }
  expect(discovery.size).toMatchObject({ devices: 1, topics: 1 })
  expect([...at.owners.keys()]).toEqual(['name_0'])
  expect(at.last('name_0', 'about')).toMatchObject({ name: 'Name 99' })
})

test('more devices of one origin than allowed are refused; another origin has its own share', async () => {
  const discovery = await at.start({ devices: 3 })
  for (let i = 0; i < 10; i++) at.publish(topic(`d${i}`), config(`d${i}`))
  at.publish(topic('other'), config('other'), 'device:b')
  await turn(100)
  expect(discovery.size.devices).toBe(4)
  expect(at.errors).toEqual([
    expect.objectContaining({
      type: 'AnnouncementTooLarge',
      message: expect.stringContaining('device:a announced on'),
    }),
  ])
})

test('announcing and taking back new devices for ever is slowed down', async () => {
  const discovery = await at.start({ devices: 5 })
  for (let i = 0; i < 20; i++) {
    at.publish(topic(`d${i}`), config(`d${i}`))
    await turn()
    at.publish(topic(`d${i}`), '')
    await turn()
  }
  expect(discovery.size.devices).toBe(0)
  expect(at.errors).toEqual([expect.objectContaining({ type: 'AnnouncementTooFast' })])
  await turn(60_000)
  at.publish(topic('late'), config('late'))
  await turn(10)
  expect(discovery.size.devices).toBe(1)
})

test('who announces ten thousand things in one moment leaves room for others', async () => {
  const discovery = await at.start()
  for (let i = 0; i < 12_000; i++) at.publish(`homeassistant/x/${i}/config`, '{', 'device:b', false)
  at.publish(topic('one'), config('one'))
  await turn(3000)
  expect([...at.owners.keys()]).toEqual(['one'])
  expect(discovery.size.waiting).toBe(0)
  expect(at.errors.find(({ message }) => message.includes('too many announcements wait'))).toMatchObject({
    type: 'AnnouncementTooFast',
    details: { origin: 'device:b' },
  })
})

test('the announcements of one origin have 64 MiB in all; what is taken back makes room', async () => {
  const discovery = await at.start({ devices: 1000 })
  const large = (id: string) => config(id, { odd: Array.from({ length: 16 }, () => 'x'.repeat(8000)) })
  for (let i = 0; i < 540; i++) {
    at.publish(topic(`d${i}`), large(`d${i}`), 'device:a', false)
    if (i % 20 === 0) await turn(20)
  }
  await turn(500)
  expect(discovery.size.devices).toBeGreaterThan(500)
  expect(discovery.size.devices).toBeLessThan(540)
  expect(at.errors.map(({ message }) => message)).toEqual([expect.stringContaining('more than 67108864 bytes in all')])
  at.publish(topic('d0'), '', 'device:a', false)
  at.publish(topic('d539'), large('d539'), 'device:a', false)
  at.publish(topic('other'), large('other'), 'device:b', false)
  await turn(500)
  expect([...at.owners.keys()]).toEqual(expect.arrayContaining(['d539', 'other']))
})

test('what a Tasmota measures is its own word, whoever else writes on that topic', async () => {
  await at.start()
  const mac = 'A1B2C3D4E5F6'
  const record = (dn: string) => ({
    mac,
    dn,
    t: 'plug',
    ft: '%prefix%/%topic%/',
    tp: ['cmnd', 'stat', 'tele'],
    rl: [1],
  })
  at.publish(`tasmota/discovery/${mac}/config`, record('Plug'))
  at.publish(`tasmota/discovery/${mac}/sensors`, { sn: { ENERGY: { Power: 1 }, constructor: 1 } })
  await turn(100)
  expect(at.last('plug', 'state')).toEqual({ relay: null, energy_power: null, constructor: null })
  at.publish(`tasmota/discovery/${mac}/sensors`, { sn: { Forged: 1 } }, 'device:b')
  at.publish(`tasmota/discovery/${mac}/config`, record('Kettle'))
  await turn(100)
  expect(at.last('plug', 'about')).toMatchObject({ name: 'Kettle' })
  expect(at.last('plug', 'state')).toEqual({ relay: null, energy_power: null, constructor: null })
  at.publish(`tasmota/discovery/${mac}/sensors`, '')
  await turn(100)
  expect(at.last('plug', 'state')).toEqual({ relay: null })
})

test('what hubs announce of their own devices is no device: this one, another one, and over a bridge; it is said once', async () => {
  const discovery = await at.start()
  const exported = {
    device: { identifiers: ['millrace_0a1b2c3d_press'], name: 'Press' },
    state_topic: 'haus/devices/p/state',
  }
  at.publish('homeassistant/device/millrace_0a1b2c3d_lamp/config', config('lamp'), 'plugin:home-assistant')
  at.publish('homeassistant/sensor/millrace_0a1b2c3d_press/f_on/config', exported, 'external')
  at.publish('homeassistant/sensor/press/config', exported, 'external')
  at.publish('homeassistant/sensor/millrace_0a1b2c3d_press/config', config('press'), 'bridge')
  at.publish(topic('own'), config('one', { device: { identifiers: ['one', 'millrace_x'], name: 'Hides' } }))
  at.publish(topic('two'), config('two'))
  await turn(10)
  expect(discovery.size).toMatchObject({ devices: 1, refused: 0 })
  expect(at.told.map(({ fields }) => fields)).toMatchObject([
    { origin: 'external' },
    { origin: 'bridge' },
    { origin: 'device:a' },
  ])
  expect(at.health()).toBe('1 devices announced themselves. What hubs announce of their own devices is passed over.')
  // A device that takes such a name is no device any more: it cannot be asked, and guards nothing.
  at.publish(topic('two'), config('two', { device: { identifiers: ['two', 'millrace_x'], name: 'two' } }))
  await turn(10)
  expect(discovery.size.devices).toBe(0)
  expect(at.guarded().size).toBe(0)
})

test.each([
  ['a state topic', { state_topic: 'jarvis/devices/press/state' }],
  ['a command topic', { command_topic: 'jarvis/devices/press/cmd' }],
  ['an availability topic', { availability_topic: 'jarvis/devices/press/online' }],
  ['the prefix itself', { command_topic: 'jarvis' }],
])('%s of the hub is refused', async (_, more) => {
  const discovery = await at.start()
  at.publish(topic('own'), config('own', more))
  await turn(10)
  expect(discovery.size).toMatchObject({ devices: 0, refused: 1 })
  expect(at.errors).toEqual([
    expect.objectContaining({ type: 'ForeignTopic', message: expect.stringContaining('belongs to the hub') }),
  ])
  expect(at.guarded().size).toBe(0)
})

test('a command topic is of one origin: another one’s device is not commanded there, whatever it may hear', async () => {
  const discovery = await at.start()
  at.publish(topic('welder'), config('welder'))
  await turn(10)
  at.publish(topic('lamp'), config('lamp', { command_topic: 'x/welder/do' }), 'device:b')
  await turn(10)
  expect(discovery.size.devices).toBe(1)
  expect(at.errors).toEqual([
    expect.objectContaining({ type: 'TopicTaken', message: expect.stringContaining('a device of device:a') }),
  ])
  // Of its own devices an origin may have two on one topic, and what was taken back is free.
  at.publish(topic('twin'), config('twin', { command_topic: 'x/welder/do' }))
  at.publish(topic('welder'), '')
  await turn(10)
  at.publish(topic('lamp'), config('lamp', { command_topic: 'x/welder/do', state_topic: 'x/l' }), 'device:b')
  await turn(10)
  expect([...at.owners.keys()]).toEqual(['twin'])
  at.publish(topic('twin'), '')
  at.publish(topic('lamp'), config('lamp', { command_topic: 'x/welder/do', state_topic: 'x/l2' }), 'device:b')
  await turn(10)
  expect([...at.owners.keys()]).toEqual(['lamp'])
})

test('devices of another broker are taken in, or not when that is switched off', async () => {
  const open = await at.start()
  at.publish(topic('far'), config('far', { state_topic: 'foreign/x' }), 'external')
  await turn(10)
  expect(open.size.devices).toBe(1)
  await at.close()
  const closed = await at.start({ outside: false })
  await turn(10)
  expect(closed.size.devices).toBe(0)
})

test('an identity belongs to its first origin, also after a restart, and for thirty days', async () => {
  await at.start()
  at.publish(topic('one'), config('one'))
  await turn(1000)
  await at.close()
  at.retained.clear()
  const again = await at.start()
  at.publish(topic('fake'), config('one'), 'device:b')
  await turn(10)
  expect(again.size.devices).toBe(0)
  expect(at.errors.at(-1)).toMatchObject({ type: 'ForeignIdentity', details: { origin: 'device:b' } })
  await at.close()
  vi.setSystemTime(Date.now() + 31 * 86_400_000)
  at.retained.clear()
  const later = await at.start()
  at.publish(topic('fake'), config('one'), 'device:b')
  await turn(10)
  expect(later.size.devices).toBe(1)
})

test('what an earlier run mirrored and nobody announces is forgotten; what is announced stays', async () => {
  at.owners.set('gone', 'plugin:discovery')
  at.owners.set('press', 'device:press')
  at.publish(topic('one'), config('one'))
  await at.start()
  await turn(59_000)
  expect([...at.owners.keys()]).toEqual(['gone', 'press', 'one'])
  await turn(2000)
  expect([...at.owners.keys()]).toEqual(['press', 'one'])
})

test('a device a person forgot comes back when it announces itself again, and may then be another’s', async () => {
  const discovery = await at.start()
  at.publish(topic('one'), config('one'))
  await turn(10)
  at.owners.delete('one')
  await turn(200)
  expect(discovery.size).toMatchObject({ devices: 0, topics: 0 })
  expect(at.guarded().size).toBe(0)
  at.publish(topic('one'), config('one'), 'device:b')
  await turn(10)
  expect(discovery.size.devices).toBe(1)
  expect(at.errors).toEqual([])
})

test('two announcements of one batch cannot contradict each other', async () => {
  const discovery = await at.start()
  at.publish(topic('one'), config('one'))
  at.publish(topic('mute'), config('mute', { command_topic: 'x/one/state' }), 'device:b')
  at.publish(topic('steal'), config('steal', { state_topic: 'x/one/do' }), 'device:b')
  await turn(10)
  expect(discovery.size.devices).toBe(1)
  expect([...at.guarded()]).toEqual(['x/one/do'])
  expect(at.errors.map(({ type }) => type)).toEqual(['TopicTaken', 'TopicTaken'])
})

test('after a restart those who are remembered come first: a refused record that lies there does not lock them out', async () => {
  await at.start()
  at.publish(topic('one'), config('one'))
  await turn(1000)
  at.publish(topic('mute'), config('mute', { command_topic: 'x/one/state' }), 'device:b')
  await turn(10)
  await at.close()
  // In the broker's order the forged one is first now.
  const one = at.retained.get(topic('one'))
  at.retained.delete(topic('one'))
  if (one !== undefined) at.retained.set(topic('one'), one)
  const again = await at.start()
  await turn(10)
  expect(again.size.devices).toBe(1)
  expect(at.last('one', 'about')).toMatchObject({ name: 'one' })
  expect([...at.guarded()]).toEqual(['x/one/do'])
})

test('after a restart what stood comes first: a known device cannot take another’s command topic by a record that was refused', async () => {
  await at.start()
  const part = (more: object) => config('b', { device: { identifiers: ['b'], name: 'b' }, ...more })
  at.publish(topic('welder'), config('welder'))
  at.publish(topic('b1'), part({ state_topic: 'x/b1', command_topic: 'x/b1/do' }), 'device:b')
  at.publish(topic('b2'), part({ state_topic: 'x/b2', command_topic: 'x/welder/do' }), 'device:b')
  at.publish(topic('b3'), part({ state_topic: 'x/b3', command_topic: 'x/welder/state' }), 'device:b')
  await turn(1000)
  expect([...at.guarded()].sort()).toEqual(['x/b1/do', 'x/welder/do'])
  await at.close()
  const welder = at.retained.get(topic('welder'))
  at.retained.delete(topic('welder'))
  if (welder !== undefined) at.retained.set(topic('welder'), welder)
  await at.start()
  await turn(100)
  expect([...at.guarded()].sort()).toEqual(['x/b1/do', 'x/welder/do'])
  expect(at.last('welder', 'about')).toMatchObject({ name: 'welder' })
  expect(at.errors.map(({ type, details }) => [type, details?.['origin']])).toEqual(
    Array.from({ length: 4 }, () => ['TopicTaken', 'device:b']),
  )
})

test('who has more records than can be remembered keeps its devices', async () => {
  await at.start({ devices: 5000 })
  for (let i = 0; i < 1000; i++) {
    const identifiers = Array.from({ length: 3 }, (_, n) => `d${i}-${n}-`.padEnd(190, 'x'))
    for (let n = 0; n < 9; n++)
      at.publish(`homeassistant/sensor/d${i}/${n}/config`, { device: { identifiers }, state_topic: `x/${i}/${n}` })
  }
  await turn(3000)
  expect(at.errors).toEqual([])
  const text = at.remembered.get('origin/device:a') ?? ''
  expect(text.length).toBeLessThan(900_000)
  expect(JSON.parse(text)).toHaveLength(1000)
})

test('a device may exchange its own topics', async () => {
  const discovery = await at.start()
  at.publish(topic('one'), config('one'))
  await turn(10)
  at.publish(topic('one'), config('one', { state_topic: 'x/one/do', command_topic: 'x/one/state' }))
  await turn(10)
  expect(discovery.size).toMatchObject({ devices: 1, topics: 1, refused: 0 })
  expect([...at.guarded()]).toEqual(['x/one/state'])
})

test('a refused new version of a record takes the old one away', async () => {
  const discovery = await at.start()
  at.publish(topic('one'), config('one'))
  await turn(10)
  at.publish(topic('one'), config('one', { state_topic: 'foreign/x' }))
  await turn(10)
  expect(discovery.size.devices).toBe(0)
  expect(at.errors).toHaveLength(1)
})

test('a command is carried out once, not when it has expired, and done when the state shows it', async () => {
  const discovery = await at.start()
  at.publish('x/one/state', 'OFF')
  at.publish(topic('one'), config('one'))
  await turn(10)
  const wish = command('switch.turn_on')
  discovery.obey('one', wish)
  discovery.obey('one', wish)
  discovery.obey('one', { ...command('switch.turn_on', 'old'), expiresAt: new Date(Date.now() - 1).toISOString() })
  expect(at.sent).toEqual([{ topic: 'x/one/do', payload: 'ON' }])
  expect(at.acks('one')).toEqual([{ id: 'c1', status: 'accepted' }])
  await turn(3000)
  at.publish('x/one/state', 'ON')
  expect(at.acks('one').at(-1)).toEqual({ id: 'c1', status: 'done' })
  discovery.obey('one', command('switch.toggle', 'c2'))
  expect(at.acks('one').at(-1)).toMatchObject({ id: 'c2', status: 'failed' })
  discovery.obey('one', command('switch.turn_off', 'c3'))
  await turn(10_200)
  expect(at.acks('one').at(-1)).toMatchObject({ id: 'c3', status: 'failed', reason: expect.stringContaining('10 s') })
  discovery.obey('one', command('switch.turn_off', 'c4'))
  at.publish(topic('one'), '')
  await turn(10)
  expect(at.acks('one').at(-1)).toMatchObject({
    id: 'c4',
    status: 'failed',
    reason: expect.stringContaining('took back'),
  })
})

test('a stop overtakes what has begun', async () => {
  const discovery = await at.start()
  at.publish('homeassistant/cover/gate/config', config('gate'))
  at.publish('x/gate/state', 'closed')
  await turn(10)
  discovery.obey('gate', command('cover.open', 'c1'))
  discovery.obey('gate', command('cover.stop', 'c2'))
  expect(at.acks('gate')).toEqual([
    { id: 'c1', status: 'accepted', within: 100_000 },
    { id: 'c1', status: 'failed', reason: 'overtaken by cover.stop' },
    { id: 'c2', status: 'accepted', within: 100_000 },
    { id: 'c2', status: 'done', reason: expect.stringContaining('no topic that would show') },
  ])
  expect(at.sent.map(({ payload }) => payload)).toEqual(['OPEN', 'STOP'])
})

test('state is published at most twenty times a second, the last one always; what fades, fades', async () => {
  await at.start()
  at.publish('homeassistant/binary_sensor/eye/config', config('eye', { off_delay: 2, command_topic: undefined }))
  at.publish(
    'homeassistant/sensor/n/config',
    config('eye', { state_topic: 'x/n', unit_of_measurement: 'W', command_topic: undefined }),
  )
  await turn(100)
  const before = at.said.length
  for (let i = 0; i < 100; i++) at.publish('x/n', String(i))
  await turn(150)
  expect(at.said.slice(before).map(({ payload }) => payload)).toEqual([
    { eye: null, n: 0 },
    { eye: null, n: 99 },
  ])
  at.publish('x/eye/state', 'ON')
  await turn(1900)
  expect(at.last('eye', 'state')).toEqual({ eye: true, n: 99 })
  await turn(300)
  expect(at.last('eye', 'state')).toEqual({ eye: false, n: 99 })
})

test('what a device said up to thirty seconds before it announced itself counts, and no event of it happens again', async () => {
  await at.start()
  const early = (id: string, more: object = {}) => config(id, { state_topic: `tele/${id}`, ...more })
  at.publish('tele/old', 'ON', 'device:a', false)
  await turn(20_000)
  at.publish('tele/one', 'OFF', 'device:a', false)
  at.publish('tele/one', 'ON', 'device:a', false)
  at.publish('tele/btn', 'press', 'device:a', false)
  at.publish('plug/one', 'ON', 'device:a', false)
  await turn(11_000)
  at.publish(topic('one'), early('one'))
  at.publish(topic('old'), early('old'))
  at.publish(topic('elsewhere'), config('elsewhere', { state_topic: 'plug/one' }))
  at.publish(
    'homeassistant/device_automation/b/config',
    config('one', { topic: 'tele/btn', payload: 'press', type: 'button' }),
  )
  await turn(100)
  expect(at.last('one', 'state')).toEqual({ one: true })
  expect(at.last('old', 'state')).toEqual({ old: null })
  expect(at.last('elsewhere', 'state')).toEqual({ elsewhere: null })
  expect(at.said.filter(({ topic: leaf }) => leaf === 'event')).toEqual([])
  // A first level that is in use is listened to: the next device there is heard from the start.
  at.publish('plug/two', 'ON', 'device:a', false)
  at.publish(topic('two'), config('two', { state_topic: 'plug/two' }))
  await turn(100)
  expect(at.last('two', 'state')).toEqual({ two: true })
})

test('however much is said before, only the newest of it is kept', async () => {
  await at.start()
  const early = (id: string) => config(id, { state_topic: `tele/${id}` })
  at.publish('tele/first', 'ON', 'device:a', false)
  for (let i = 0; i < 5000; i++) at.publish(`tele/n${i}`, 'ON', 'device:a', false)
  at.publish(topic('first'), early('first'))
  at.publish(topic('n0'), early('n0'))
  await turn(100)
  expect(at.last('first', 'state')).toEqual({ first: null })
  expect(at.last('n0', 'state')).toEqual({ n0: true })
  for (let i = 0; i < 5; i++) at.publish('tele/large', 'x'.repeat(1_000_000), 'device:a', false)
  at.publish(topic('n1'), early('n1'))
  await turn(100)
  expect(at.last('n1', 'state')).toEqual({ n1: null })
})

test('an empty retained state takes the value back; a retained event is not told again', async () => {
  await at.start()
  at.publish('x/one/state', 'ON')
  at.publish('x/btn', 'press')
  at.publish(topic('one'), config('one'))
  at.publish(
    'homeassistant/device_automation/b/config',
    config('one', { topic: 'x/btn', payload: 'press', type: 'button' }),
  )
  await turn(100)
  expect(at.last('one', 'state')).toEqual({ one: true })
  expect(at.said.filter(({ topic: leaf }) => leaf === 'event')).toEqual([])
  at.publish('x/btn', 'press')
  at.publish('x/one/state', '')
  await turn(100)
  expect(at.said.filter(({ topic: leaf }) => leaf === 'event')).toHaveLength(1)
  expect(at.last('one', 'state')).toEqual({ one: null })
})
