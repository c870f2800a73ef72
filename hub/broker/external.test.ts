// The small parts of the line to another broker: its address, who speaks, what comes back, when a retained set is over.
import { describe, expect, test, vi } from 'vitest'
import { reasonOf } from '../errors.ts'
import { Secret } from '../health/secret.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { bridgeFilters } from './bridge.ts'
import { openEchoes, openLoopGuard } from './external-echo.ts'
import { openReplay } from './external-replay.ts'
import { openSource, untilOf } from './external-source.ts'
import { brokerAddress } from './external-url.ts'

const table = topicTable([core], 'jarvis')
const bytes = (text: string) => Buffer.from(text)

describe('the address', () => {
  test('is read with what belongs to it', () => {
    const at = brokerAddress('BROKER_URL', new Secret('mqtts://hub:p%40ss%2F@broker.lan'))
    expect(at).toMatchObject({
      host: 'broker.lan',
      port: 8883,
      tls: true,
      username: 'hub',
      said: 'mqtts://broker.lan:8883',
    })
    expect(at.password?.reveal()).toBe('p@ss/')
    expect(JSON.stringify(at)).not.toContain('p@ss')
    expect(brokerAddress('BROKER_URL', new Secret('mqtt://[fd00::2]:1884'))).toMatchObject({
      host: 'fd00::2',
      port: 1884,
    })
  })

  test.each([
    'sesame',
    'http://hub:sesame@x',
    'mqtt://hub:sesame@x/y',
    'mqtt://:sesame@x',
    'mqtt://hub:sesame%zz@x',
    'mqtt://hub%0a:sesame@x',
  ])('%s is refused without repeating the password', (text) => {
    let why = ''
    try {
      brokerAddress('BROKER_URL', new Secret(text))
    } catch (error) {
      why = reasonOf(error)
    }
    expect(why).toMatch(/^BROKER_URL .*mqtt:\/\/user:password@host:1883/)
    expect(why).not.toContain('sesame')
  })
})

describe('who speaks', () => {
  const external = openSource({ table, origin: 'external', requests: true })
  const bridge = openSource({ table, origin: 'bridge', requests: false })

  test.each([
    ['jarvis/devices/lamp/state', 'device:lamp'],
    ['jarvis/devices/lamp/ack', 'device:lamp'],
    ['jarvis/safety/stop', 'external'],
    ['jarvis/devices/lamp/request', 'external'],
    ['zigbee2mqtt/plug', 'external'],
    ['jarvis/lab/x', 'external'],
  ])('%s is taken as from %s', (topic, origin) => {
    expect(external(topic)).toMatchObject({ take: true, origin })
  })

  test.each([
    ['jarvis/devices/lamp/cmd', true],
    ['jarvis/devices/lamp/result', true],
    ['jarvis/safety/events/x', true],
    ['jarvis/hub/health', false],
    ['jarvis/errors/error/x', false],
    ['jarvis/flows/x/y', false],
    ['jarvis/jobs/x', false],
    ['jarvis/devices/lamp/firmware', false],
    ['zigbee2mqtt/plug/set', false],
    ['cmnd/plug/POWER', false],
    ['$SYS/broker/load', false],
    ['a/+', false],
  ])('%s is given to nobody', (topic, bypass) => {
    expect(external(topic)).toMatchObject({ take: false, bypass })
    expect(bridge(topic)).toMatchObject({ take: false, bypass })
  })

  test('over a bridge nobody asks for anything, but anybody may stop', () => {
    expect(bridge('jarvis/devices/lamp/request')).toMatchObject({ take: false, bypass: false })
    expect(bridge('jarvis/safety/stop')).toMatchObject({ take: true, origin: 'bridge' })
  })

  test('a command says how long it is valid; nothing else does', () => {
    const at = '2026-01-01T00:00:00.000Z'
    const until = (topic: string, text: string) => untilOf(table.match(topic), bytes(text))
    expect(until('jarvis/devices/lamp/cmd', JSON.stringify({ expiresAt: at }))).toBe(Date.parse(at))
    expect(until('jarvis/devices/lamp/cmd', '{"expiresAt":"soon"}')).toBeUndefined()
    expect(until('jarvis/devices/lamp/cmd', 'no json')).toBeUndefined()
    expect(until('jarvis/devices/lamp/state', JSON.stringify({ expiresAt: at }))).toBeUndefined()
  })
})

describe('what comes back', () => {
  test('each message sent is recognised once, and not for ever', () => {
    let now = 0
    const echoes = openEchoes({ now: () => now })
    echoes.sent('a', bytes('1'))
    echoes.sent('a', bytes('1'))
    echoes.sent('a', Buffer.alloc(5000, 7))
    expect(['1', '1', '1'].map((text) => echoes.isEcho('a', bytes(text)))).toEqual([true, true, false])
    expect(echoes.isEcho('b', Buffer.alloc(5000, 7))).toBe(false)
    expect(echoes.isEcho('a', Buffer.alloc(5000, 8))).toBe(false)
    now = 700_000
    expect(echoes.isEcho('a', Buffer.alloc(5000, 7))).toBe(false)
  })

  test('a circle is cut after a hundred rounds in ten seconds, told once, and open again later', () => {
    let now = 0
    const told: string[] = []
    const guard = openLoopGuard({ now: () => now }, (topic) => told.push(topic))
    const round = (payload: string, qos: 0 | 1 = 1) => guard.passes('out', { topic: 'a', payload: bytes(payload), qos })
    expect(Array.from({ length: 200 }, () => round('x')).filter(Boolean)).toHaveLength(100)
    expect(round('y')).toBe(true)
    expect(guard.passes('in', { topic: 'a', payload: bytes('x'), qos: 1 })).toBe(true)
    expect(Array.from({ length: 900 }, () => round('fast sensor', 0)).every(Boolean)).toBe(true)
    expect(told).toEqual(['a'])
    now = 10_001
    expect(round('x')).toBe(true)
  })
})

test('a retained set is over when nothing has come for a while', () => {
  vi.useFakeTimers()
  try {
    const over: string[][] = []
    const replay = openReplay((topics) => over.push([...topics]))
    vi.advanceTimersByTime(250)
    replay.heard('a')
    vi.advanceTimersByTime(250)
    expect(replay.isOn).toBe(true)
    replay.heard('b')
    vi.advanceTimersByTime(300)
    expect(replay.isOn).toBe(false)
    expect(over).toEqual([['a', 'b']])
    const stopped = openReplay(() => over.push(['never']))
    stopped.stop()
    vi.advanceTimersByTime(20_000)
    expect(over).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
})

test('a bridge without filters, or with a wrong one, stops the start and says what to write', () => {
  expect(() => bridgeFilters({ in: [], out: [] }, 'jarvis')).toThrow(/bridge:\n {2}in: \['jarvis\/devices/)
  expect(() => bridgeFilters({ in: ['a/#/b'], out: [] }, 'jarvis')).toThrow(/bridge\.in .*'a\/#\/b'/)
  expect(() => bridgeFilters({ in: [], out: ['$SYS/#'] }, 'jarvis')).toThrow(/bridge\.out/)
})
