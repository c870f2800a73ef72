// My plugin through its front door, against the fake.
import { Subject, type Subscription } from 'rxjs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Heard, Log, Message } from '#hub/plugin'
import { type FakePeer, fakePeer } from './peer.fake.ts'
import plugin from './plugin.ts'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }
let peer: FakePeer
let running: Subscription
let said: Message[] = []
let health: string[] = []
let errors: string[] = []
const commands = new Subject<Heard<'devices/{device}/cmd'>>()

beforeEach(async () => {
  ;[said, health, errors] = [[], [], []]
  peer = await fakePeer()
  running = plugin
    .start({
      config: plugin.config.parse({ port: peer.port }),
      // The plugin reads this one topic.
      from: (() => commands) as never,
      prefix: 'jarvis',
      offline: true,
      use: {},
      log: quiet,
      health: (word) => health.push(word),
      report: ({ type }) => errors.push(type),
      now: () => 0,
      settle: () => {},
    })
    .subscribe((message) => said.push(message))
  await expect.poll(() => peer.connected).toBe(1)
})
afterEach(async () => {
  running.unsubscribe()
  await expect.poll(() => peer.connected).toBe(0)
  await peer.close()
})

const of = (topic: string) => said.filter((message) => message.topic === topic).map(({ payload }) => payload)

test('it says who it is, that it is there, and what it reads', async () => {
  peer.say('21.5\n')
  await expect.poll(() => of('devices/{device}/telemetry')).toEqual([{ value: 21.5 }])
  expect(of('devices/{device}/about')).toEqual([{ name: 'My plugin', kind: 'sensor', intents: {} }])
  expect(of('devices/{device}/online')).toEqual([true])
  expect(health).toEqual(['healthy'])
})

test('a lost peer is told in health and on its topic', async () => {
  peer.drop()
  await expect.poll(() => of('devices/{device}/online')).toEqual([true, false])
  expect(health).toEqual(['healthy', 'degraded'])
})

test('a reading that is no number is an error event, not a sample', async () => {
  peer.say('hot\n')
  await expect.poll(() => errors).toEqual(['BadReading'])
  expect(of('devices/{device}/telemetry')).toEqual([])
})

test('a command it cannot do fails with the reason', () => {
  const at = '2026-01-01T00:00:00Z'
  const payload = { id: 'c1', intent: 'switch.turn_on', requestedBy: 'person:ada', issuedAt: at, expiresAt: at }
  commands.next({
    topic: 'devices/{device}/cmd',
    params: { device: 'my_plugin' },
    payload,
    seq: 1,
    at: 0,
    origin: 'gate',
  })
  expect(of('devices/{device}/ack')).toEqual([
    { id: 'c1', status: 'failed', reason: 'my_plugin cannot switch.turn_on' },
  ])
})
