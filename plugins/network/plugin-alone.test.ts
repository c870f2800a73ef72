// The plugin without a hub: what it says of its health, and that it does not run on a memory it cannot read.
import { expect, test } from 'vitest'
import { eventually } from '../../hub/testing/until.ts'
import { fakeResponder, type FakeService, freeUdpPort, LOOPBACK } from './network.fake.ts'
import plugin from './plugin.ts'

type Context = Parameters<typeof plugin.start>[0]
const log: Context['log'] = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, of: () => log }

const begin = (settings: object, memory: Partial<Context['use']['memory']> = {}) => {
  const words: string[] = []
  const said: unknown[] = []
  const kept = new Map<string, string>()
  const ends: { settled?: Promise<unknown>; error?: unknown } = {}
  const context = {
    config: plugin.config.parse({
      interfaces: [LOOPBACK],
      ssdp: [],
      vendors: [],
      services: ['_ipp._tcp'],
      ...settings,
    }),
    use: {
      memory: {
        get: async () => undefined,
        set: async (key: string, value: unknown) => void kept.set(key, JSON.stringify(value)),
        remove: async () => {},
        keys: async () => [],
        ...memory,
      },
    },
    log,
    now: Date.now,
    health: (word: string, what = '') => void words.push(`${word} ${what}`.trim()),
    report: () => {},
    settle: (work: Promise<unknown>) => void (ends.settled = work),
  }
  // The parts of a context this plugin uses.
  const subscription = plugin.start(context as unknown as Context).subscribe({
    next: (message) => said.push(message),
    error: (error: unknown) => (ends.error = error),
  })
  const stop = async (): Promise<void> => {
    subscription.unsubscribe()
    await ends.settled
  }
  return { words, said, ends, stop, kept: () => [...kept.values()].join() }
}

test('when there is no room health says what to raise; what is there stays', { timeout: 40_000 }, async () => {
  const port = await freeUdpPort()
  const service = (n: number): FakeService => ({
    type: '_ipp._tcp',
    name: `Laser ${n}`,
    host: `laser${n}.local`,
    port: 631 + n,
    addresses: [LOOPBACK],
  })
  const fake = await fakeResponder(port, [])
  const { words, kept, stop } = begin({ most: 1, ports: { mdns: port } })
  try {
    await eventually(
      () => fake.heard.length,
      (n) => n > 0,
    )
    await fake.announce(service(1))
    await eventually(kept, (text) => text.includes('Laser 1'))
    await fake.announce(service(2))
    await fake.announce({ ...service(1), host: 'laser1.local', port: 700 })
    await eventually(kept, (text) => text.includes('"port":700'))
    expect(kept()).not.toContain('Laser 2')
    expect(words.at(-1)).toContain('degraded There is no room for more found things: raise plugins.network.most')
  } finally {
    await stop()
    await fake.close()
  }
})

test('without what people decided it does not run: the hub starts it again', async () => {
  const { ends, stop } = begin({ services: [] }, { keys: () => Promise.reject(new Error('the database is locked')) })
  await eventually(
    () => ends.error,
    (error) => error instanceof Error && error.message === 'the database is locked',
  )
  await stop()
})

test('what cannot be written down is said in health, and no longer when it can be', async () => {
  const port = await freeUdpPort()
  const fake = await fakeResponder(port, [])
  let isFull = true
  const { words, stop } = begin(
    { ports: { mdns: port } },
    { set: () => (isFull ? Promise.reject(new Error('disk full')) : Promise.resolve()) },
  )
  try {
    await eventually(
      () => fake.heard.length,
      (n) => n > 0,
    )
    const laser = { type: '_ipp._tcp', name: 'Laser', host: 'laser.local', port: 631, addresses: [LOOPBACK] }
    await fake.announce(laser)
    await eventually(
      () => words.at(-1) ?? '',
      (word) => word === 'degraded What was found cannot be kept: disk full',
    )
    isFull = false
    await fake.announce({ ...laser, port: 632 })
    await eventually(
      () => words.at(-1) ?? '',
      (word) => word === 'healthy',
      { ms: 10_000 },
    )
  } finally {
    await stop()
    await fake.close()
  }
})

test(
  'one that changes its name all the time is said every ten seconds, not each time',
  { timeout: 30_000 },
  async () => {
    const port = await freeUdpPort()
    const fake = await fakeResponder(port, [])
    const { said, kept, stop } = begin({ ports: { mdns: port } })
    try {
      await eventually(
        () => fake.heard.length,
        (n) => n > 0,
      )
      for (let n = 0; n < 60; n++) {
        await fake.announce({
          type: '_ipp._tcp',
          name: 'Laser',
          host: 'laser.local',
          port: 1000 + n,
          addresses: [LOOPBACK],
        })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      expect(said.length).toBeLessThanOrEqual(2)
      await eventually(kept, (text) => text.includes('"port":1059'))
    } finally {
      await stop()
      await fake.close()
    }
  },
)
