// Which form the records have, and how they change from one to the other without anything being taken back on the way.
import { Observable, Subject, type Subscription } from 'rxjs'
import { afterEach, expect, test } from 'vitest'
import type { Device, Log, NativeMessage } from '#hub/plugin'
import { eventually } from '../../hub/testing/until.ts'
import { announce, type AnnounceOptions } from './announce.ts'
import type { Form } from './records.ts'
import { Settings } from './settings.ts'

const SELF = 'plugin:home-assistant'
const HUB = '0a1b2c3d'
const SINGLE = `homeassistant/sensor/millrace_${HUB}_thermo/f_celsius/config`
const DEVICE = `homeassistant/device/millrace_${HUB}_thermo/config`
const MOVING = '{"migrate_discovery":true}'

const thermo: Device = {
  ...{ id: 'thermo', name: 'Thermo', kind: 'climate_sensor', online: true, owner: 'device:thermo', lastSeen: 0 },
  ...{ intents: {}, safe: [], state: { celsius: 21 } },
}
const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, of: () => log }

const bench = () => {
  const kept = new Map<string, unknown>([['hub', { hub: HUB }]])
  const retained = new Map<string, string>()
  const live = new Subject<NativeMessage>()
  const said: [topic: string, payload: string][] = []
  let running: Subscription | undefined
  let suits: Form | undefined
  const seen = (topic: string, payload: string, retain: boolean): NativeMessage => ({
    ...{ topic, payload: Buffer.from(payload), origin: SELF, seq: 0, at: 0, retained: retain },
  })
  const native: AnnounceOptions['native'] = {
    hear: (filter) =>
      new Observable((out) => {
        const own = live.subscribe((heard) => out.next(heard))
        if (!filter.endsWith('/status'))
          for (const [topic, payload] of [...retained]) {
            if (topic.split('/').length === filter.split('/').length) out.next(seen(topic, payload, true))
          }
        return own
      }),
    fact({ topic, payload }) {
      const text = payload.toString()
      said.push([topic, text])
      if (text === '') retained.delete(topic)
      else retained.set(topic, text)
      live.next(seen(topic, text, false))
    },
  }
  return {
    said,
    retained,
    topics: () => [...retained.keys()],
    suit: (form: Form | undefined) => void (suits = form),
    start: (more: Partial<AnnounceOptions> = {}) => {
      running = announce({
        ...{
          settings: Settings.parse({}).export,
          self: SELF,
          prefix: 'jarvis',
          devices: { list: () => [thermo] },
          native,
        },
        memory: {
          get: async (key, schema) => schema.safeParse(kept.get(key)).data,
          set: async (key, value) => void kept.set(key, value),
        },
        ...{ suits: () => suits, now: () => performance.now(), log, odd: () => {} },
        ...{ lookMs: 10, jitterMs: 0, patienceMs: 60_000, movingMs: 60 },
        ...more,
      }).subscribe()
    },
    stop: () => running?.unsubscribe(),
  }
}
let at: ReturnType<typeof bench>
afterEach(() => at.stop())
const becomes = (topics: string[]) =>
  eventually(
    () => at.topics(),
    (now) => now.join() === topics.join(),
    { ms: 3000, everyMs: 5 },
  )
const looks = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60))

test('nothing is said before a server has told its version, and single records when it takes too long', async () => {
  at = bench()
  at.start()
  await looks()
  expect(at.said).toEqual([])
  at.suit('device')
  await becomes([DEVICE])
  expect(at.said.map(([topic]) => topic)).toEqual([DEVICE])
  at.stop()

  at = bench()
  at.start({ patienceMs: 30 })
  await becomes([SINGLE])
})

test('the form is kept over a restart: nothing is taken back while the server is not there yet', async () => {
  at = bench()
  at.suit('device')
  at.start()
  await becomes([DEVICE])
  at.stop()
  at.suit(undefined)
  at.said.length = 0
  at.start({ patienceMs: 0 })
  await looks()
  expect(at.said).toEqual([])
  expect(at.topics()).toEqual([DEVICE])
})

test('a new form moves: the old record says so, the new one comes, and only later the old one goes', async () => {
  at = bench()
  at.suit('single')
  at.start()
  await becomes([SINGLE])
  at.said.length = 0
  at.suit('device')
  await becomes([DEVICE])
  await looks()
  const words = at.said.map(([topic, text]) => [topic, text === MOVING || text === '' ? text : 'record'])
  expect(words).toEqual([
    [SINGLE, MOVING],
    [DEVICE, 'record'],
    [SINGLE, ''],
    [DEVICE, 'record'],
  ])
})

test('a move that was interrupted is brought to its end', async () => {
  at = bench()
  at.retained.set(SINGLE, MOVING)
  at.suit('device')
  at.start()
  await becomes([DEVICE])
  at.stop()
  at.said.length = 0
  at.start()
  await looks()
  expect(at.said).toEqual([])
})
