// The host against small stand-ins of bus, gate and health: supervision, rights, order and stopping.
import { concat, defer, map, NEVER, Observable, of, Subject, throwError, timer } from 'rxjs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { Arrival, Bus } from '../bus/bus.ts'
import { originOf } from '../bus/principal.ts'
import type { ErrorReport, Health, Log } from '../health/report.ts'
import { message, type Message, type Topic } from '../streams/message.ts'
import { type PluginDeps, startPlugins } from './host.ts'
import { definePlugin, type Interlock, type Plugin } from './plugin.ts'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }

const none = (): never => {
  throw new Error('no plugin of these tests needs it')
}

const world = () => {
  const published: { who: string; message: unknown }[] = []
  const edges: string[] = []
  const arrivals = new Subject<Arrival<'devices/{device}/event'>>()
  const errors: ErrorReport[] = []
  const parts = new Map<string, string>()
  const interlocks: Interlock[] = []
  const bus: Pick<Bus, 'from' | 'publish'> = {
    from: <T extends Topic>(topic: T, edge: { name: string }) => {
      edges.push(`${edge.name} ${topic}`)
      return arrivals as unknown as Observable<Arrival<T>>
    },
    publish: (who, output) => {
      if (JSON.stringify(output).includes('"refuse":true')) throw new Error('the bus refused it')
      published.push({ who: originOf(who), message: output })
      return {
        seq: 1,
        at: 0,
        topic: '',
        payload: Buffer.alloc(0),
        qos: 0,
        retain: false,
        origin: originOf(who),
        cause: 0,
        correlation: '',
        n: 0,
      }
    },
  }
  const health: Health = {
    set: (part, word, what = '') => void parts.set(part, `${word} ${what}`.trim()),
    drop: (part) => void parts.delete(part),
    parts: () => [],
    status: () => 'healthy',
    report: (error) => void errors.push(error),
    metrics: { count() {}, gauge() {}, observe() {}, text: () => Promise.resolve('') },
  }
  const deps: PluginDeps = {
    settings: {},
    demo: false,
    bus,
    gate: { addInterlock: (interlock) => void interlocks.push(interlock) },
    capabilities: ({ id }) => ({
      credentials: {
        issue: (device) => Promise.resolve({ clientId: device, username: device, password: 'x' }),
        broker: () => ({ host: '127.0.0.1', port: 1 }),
      },
      peers: {
        names: () => [id],
        get: (name) => {
          throw new Error(`${id} has no ${name}`)
        },
      },
      native: { hear: none, command: none, fact: none, guard: none, may: none },
      devices: { list: none, get: none, ownerOf: none, idFor: none, claim: none, forget: none },
      requests: { ask: none, command: none },
      memory: { get: none, set: none, remove: none, keys: none },
    }),
    prefix: 'jarvis',
    offline: true,
    clock: { now: () => Date.now() },
    log: quiet,
    health,
  }
  return { deps, published, edges, arrivals, errors, parts, interlocks }
}

const EVENT = 'devices/{device}/event'
const event = (type: string, more = {}) => message(EVENT, { device: 'a' }, { type, ...more })

/** A plugin with nothing but its start; widened as discovery hands it on. */
const plugin = (id: string, start: () => Observable<Message>, more: Partial<Plugin> = {}): Plugin => ({
  id,
  title: id,
  config: z.strictObject({}),
  handles: [EVENT],
  publishes: [EVENT],
  start,
  ...more,
})
const found = (...plugins: Plugin[]) => ({ plugins, bad: [], topicTables: [] })

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

test('what a plugin emits is published as that plugin', async () => {
  const { deps, published, parts } = world()
  const host = startPlugins(found(plugin('p', () => concat(of(event('hello')), NEVER))), deps)
  expect(published).toEqual([{ who: 'plugin:p', message: event('hello') }])
  expect(host.list()).toEqual([
    { id: 'p', title: 'p', status: 'running', handles: [EVENT], publishes: [EVENT], restarts: 0 },
  ])
  expect(parts.get('plugin:p')).toBe('healthy')
  await host.close()
})

test('an undeclared topic and a message the bus refuses are reported; the plugin lives', async () => {
  const { deps, published, errors } = world()
  const online = message('devices/{device}/online', { device: 'a' }, true)
  const outputs = concat(of(online, event('x', { refuse: true }), event('good')), NEVER)
  const host = startPlugins(found(plugin('p', () => outputs)), deps)
  expect(published.map((p) => p.message)).toEqual([event('good')])
  expect(errors.map(({ source, type, message: text }) => [source, type, text])).toEqual([
    ['plugin:p', 'PluginMessageRefused', "Plugin 'p' must name 'devices/{device}/online' in publishes to write it."],
    ['plugin:p', 'PluginMessageRefused', 'the bus refused it'],
  ])
  expect(host.list()[0]?.status).toBe('running')
  await host.close()
})

test('each topic it reads is an edge under its name; another topic and an unnamed capability are refused', async () => {
  const { deps, edges, arrivals, published } = world()
  const echo: Plugin['start'] = (context) => {
    expect(() => context.from('devices/{device}/state')).toThrow("must name 'devices/{device}/state' in handles")
    expect(() => context.use.credentials).toThrow("must name 'credentials' in needs")
    return context
      .from(EVENT)
      .pipe(map(({ payload }) => event(`echo ${'type' in payload ? String(payload.type) : ''}`)))
  }
  const host = startPlugins(found({ ...plugin('p', () => NEVER), start: echo }), deps)
  expect(edges).toEqual([`plugin:p ${EVENT}`])
  arrivals.next({ ...event('hi'), seq: 1, at: 1, origin: 'device:a' } as Arrival<typeof EVENT>)
  expect(published.map((p) => p.message)).toEqual([event('echo hi')])
  await host.close()
  expect(arrivals.observed).toBe(false)
})

test.each([
  [
    'throws',
    (): Observable<Message> => {
      throw new Error('no peer')
    },
    'no peer',
  ],
  ['errors', () => throwError(() => new Error('no peer')), 'no peer'],
  ['rejects', () => defer(() => Promise.reject(new Error('no peer'))), 'no peer'],
  ['ends', () => of(event('bye')), 'ended by itself'],
  [
    'is async and rejects',
    (() => Promise.reject(new Error('no peer'))) as unknown as () => Observable<Message>,
    'no peer',
  ],
  ['returns no stream', (() => 7) as unknown as () => Observable<Message>, 'must return an Observable'],
])(
  'a start that %s is tried again after 1, 2, 4 and 8 s and then quarantined, while others work',
  async (_, start, says) => {
    const { deps, errors, parts, published } = world()
    let starts = 0
    const bad = plugin('bad', () => {
      starts += 1
      return start()
    })
    const good = plugin('good', () =>
      timer(20_000).pipe(
        map(() => event('still here')),
        (s) => concat(s, NEVER),
      ),
    )
    const host = startPlugins(found(bad, good), deps)
    await vi.advanceTimersByTimeAsync(999)
    expect(starts).toBe(1)
    expect(host.list()[0]).toMatchObject({ id: 'bad', status: 'restarting', restarts: 1 })
    await vi.advanceTimersByTimeAsync(1 + 1999)
    expect(starts).toBe(2)
    await vi.advanceTimersByTimeAsync(1 + 3999)
    expect(starts).toBe(3)
    await vi.advanceTimersByTimeAsync(1 + 7999)
    expect(starts).toBe(4)
    expect(host.list()[0]?.status).toBe('restarting')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(starts).toBe(5)
    expect(host.list()[0]).toMatchObject({ status: 'quarantined', restarts: 4, error: expect.stringContaining(says) })
    expect(parts.get('plugin:bad')).toMatch(/degraded Plugin 'bad' failed 5 times in 60 s and is quarantined/)
    expect(errors.map(({ type }) => type)).toEqual([...Array<string>(4).fill('PluginCrashed'), 'PluginQuarantined'])
    expect(published.map(({ who }) => who).filter((who) => who === 'plugin:good')).toHaveLength(1)
    await host.close()
  },
)

test('a plugin that fails now and then is restarted for ever, and a long run makes the wait short again', async () => {
  const { deps } = world()
  let starts = 0
  const weary = plugin('weary', () => {
    starts += 1
    return timer(61_000).pipe(
      map(() => {
        throw new Error('tired')
      }),
    )
  })
  const host = startPlugins(found(weary), deps)
  await vi.advanceTimersByTimeAsync(62_000 * 20 - 1)
  expect(starts).toBe(20)
  expect(host.list()[0]?.status).toBe('restarting')
  await host.close()
})

test('what a plugin says of its own health stands', async () => {
  const { deps, parts } = world()
  const host = startPlugins(
    found({
      ...plugin('p', () => NEVER),
      start: (context) => {
        context.health('degraded', 'no peer yet')
        return NEVER
      },
    }),
    deps,
  )
  expect(parts.get('plugin:p')).toBe('degraded no peer yet')
  await host.close()
})

test('bad settings name plugin and field, and only that plugin stays down', async () => {
  const { deps, parts } = world()
  const config = z.strictObject({ port: z.number().int().default(1) })
  const host = startPlugins(
    found(
      plugin('p', () => NEVER, { config }),
      plugin('q', () => NEVER),
    ),
    {
      ...deps,
      settings: { p: { port: 'x' } },
    },
  )
  expect(host.list().map(({ id, status }) => [id, status])).toEqual([
    ['p', 'misconfigured'],
    ['q', 'running'],
  ])
  expect(host.list()[0]?.error).toMatch(/^plugins\.p\.port: .*expected number.*Mend it in the config file\.$/)
  expect(parts.get('plugin:p')).toContain('plugins.p.port')
  await host.close()
})

test('settings for a plugin that does not exist stop the start', () => {
  expect(() => startPlugins(found(plugin('p', () => NEVER)), { ...world().deps, settings: { pp: {} } })).toThrow(
    'plugins.pp: there is no such plugin. Correct the name in the config file, or remove it. Known plugins: p.',
  )
})

test('defaults are filled in and reach the plugin', async () => {
  let seen: unknown
  const { deps } = world()
  const p = definePlugin({
    id: 'p',
    title: 'P',
    config: z.strictObject({ port: z.number().int().default(7) }),
    handles: [],
    publishes: [],
    start: ({ config }) => {
      seen = config.port
      return NEVER
    },
  })
  const host = startPlugins(found(p), deps)
  expect(seen).toBe(7)
  await host.close()
})

test('demo plugins run only in the demo, configured ones only when configured', async () => {
  const plugins = found(
    plugin('d', () => NEVER, { enabled: 'demo' }),
    plugin('c', () => NEVER, { enabled: 'configured' }),
  )
  const statuses = async (more: Partial<PluginDeps>) => {
    const host = startPlugins(plugins, { ...world().deps, ...more })
    const all = host.list().map(({ status }) => status)
    await host.close()
    return all
  }
  expect(await statuses({})).toEqual(['off', 'off'])
  expect(await statuses({ demo: true })).toEqual(['off', 'running'])
  expect(await statuses({ settings: { c: {} } })).toEqual(['running', 'off'])
})

test('a plugin whose forerunner is off, missing or broken is named; interlocks of enabled plugins guard all the same', async () => {
  const { deps, interlocks, errors } = world()
  const limit: Interlock = { name: 'limit', explains: 'x', check: () => ({ ok: true }) }
  const host = startPlugins(
    {
      plugins: [
        plugin('off', () => NEVER, { enabled: 'demo', interlocks: [{ ...limit, name: 'never' }] }),
        plugin('a', () => NEVER, { after: ['off'], interlocks: [limit] }),
        plugin('b', () => NEVER, { after: ['broken'] }),
        plugin('c', () => NEVER, { after: ['nobody'] }),
      ],
      bad: [{ id: 'broken', error: 'has no plugin.ts' }],
      topicTables: [],
    },
    deps,
  )
  expect(host.list().map(({ id, status, error }) => [id, status, error])).toEqual([
    ['a', 'not startable', "after: 'off' is switched off"],
    ['b', 'not startable', "after: 'broken' failed to load"],
    ['broken', 'failed to load', 'has no plugin.ts'],
    ['c', 'not startable', "after: 'nobody' is not here"],
    ['off', 'off', undefined],
  ])
  expect(interlocks.map(({ name }) => name)).toEqual(['limit'])
  expect(errors.map(({ source }) => source)).toEqual(['plugin:broken', 'plugin:a', 'plugin:b', 'plugin:c'])
  await host.close()
})

test('stopping unsubscribes in reverse order, waits for goodbyes, and gives up after one and a half', async () => {
  const { deps, errors, parts } = world()
  const order: string[] = []
  const leaves = (id: string, after: string[], goodbyeMs: number): Plugin => ({
    ...plugin(id, () => NEVER, { after }),
    start: (context) =>
      new Observable(() => () => {
        order.push(`${id} unsubscribed`)
        context.settle(
          new Promise<void>((done) =>
            setTimeout(() => {
              order.push(`${id} gone`)
              done()
            }, goodbyeMs),
          ),
        )
      }),
  })
  const host = startPlugins(found(leaves('slow', [], 5000), leaves('quick', ['slow'], 500)), deps)
  let closed = false
  const closing = host.close().then(() => {
    closed = true
  })
  await vi.advanceTimersByTimeAsync(1499)
  expect(order).toEqual(['quick unsubscribed', 'slow unsubscribed', 'quick gone'])
  expect(closed).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  await closing
  expect(errors.map(({ message: text }) => text)).toEqual([
    "Plugin 'slow' did not finish stopping within 1.5 s; the hub went on.",
  ])
  expect(host.list().map(({ status }) => status)).toEqual(['stopped', 'stopped'])
  expect([...parts.keys()]).toEqual([])
  await vi.advanceTimersByTimeAsync(3501)
})

test('a stop while a restart is waiting starts nothing any more', async () => {
  const { deps } = world()
  let starts = 0
  const host = startPlugins(
    found(
      plugin('p', () => {
        starts += 1
        throw new Error('x')
      }),
    ),
    deps,
  )
  await host.close()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(starts).toBe(1)
})

test('a teardown that throws is reported and stops nobody else', async () => {
  const { deps, errors } = world()
  const bad = plugin(
    'bad',
    () =>
      new Observable(() => () => {
        throw new Error('stuck')
      }),
  )
  let gone = false
  const good = plugin(
    'good',
    () =>
      new Observable(() => () => {
        gone = true
      }),
  )
  const host = startPlugins(found(good, bad), deps)
  await host.close()
  expect(gone).toBe(true)
  expect(errors[0]).toMatchObject({ source: 'plugin:bad', type: 'PluginStopFailed' })
})
