// A real Home Assistant and a whole hub: what is switched in one shows in the other, with one command and one service call, and survives restarts.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub } from '../../hub/main.ts'
import { ROOT, testHub, type TestHub } from '../../hub/testing/hub.ts'
import type { Wire } from '../../hub/testing/outsider.ts'
import { eventually } from '../../hub/testing/until.ts'
import { INSTALL, realHome, type RealHome, versionOf } from './home-assistant.real.ts'

const hass = process.env['HASS'] ?? 'hass'
const version = versionOf(hass)
const why = version === undefined ? ` (skipped: not installed: ${INSTALL})` : ` ${version}`

interface Listed {
  id: string
  name: string
  owner: string
  online: boolean
  state: Record<string, unknown>
}

const GRANTS = ['homeassistant/#', 'jarvis/devices/+/state', 'jarvis/devices/+/online', 'jarvis/devices/+/request']

describe.skipIf(version === undefined)(`with Home Assistant${why}`, { timeout: 120_000 }, () => {
  let home: RealHome
  let hub: TestHub
  let ear: Wire

  const device = async (id: string): Promise<Listed | undefined> => {
    const { status, body } = await hub.api<Listed>(`/api/devices/${id}`)
    return status === 200 ? body : undefined
  }

  beforeAll(async () => {
    home = await realHome(hass)
    hub = await testHub({
      env: { DEMO: '1', PLUGINS_DIR: join(ROOT, 'plugins') },
      prepare: (dir) => {
        mkdirSync(join(dir, 'data'), { mode: 0o700 })
        const peers = join(dir, 'data', 'peers.yaml')
        writeFileSync(
          peers,
          `home-assistant:\n  house:\n    baseUrl: ${home.url}\n    auth: { kind: bearer, token: ${home.token} }\n`,
        )
        chmodSync(peers, 0o600)
        writeFileSync(join(dir, 'millrace.yaml'), 'plugins: { home-assistant: {} }\n')
      },
    })
    ear = await hub.mqtt({ clientId: 'ui.ada-ear', username: 'ada', password: hub.token })
    await ear.subscribe('jarvis/devices/#')
  }, 180_000)
  afterAll(async () => {
    await hub?.close()
    await home?.close()
  })

  test('its demo light is here, and switched there it shows here within a second', async () => {
    const id = 'kitchen_lights'
    await eventually(
      () => device(id),
      (found) => found?.online === true,
      { ms: 20_000 },
    )
    await home.rest('/api/services/light/turn_off', { entity_id: 'light.kitchen_lights' })
    await eventually(
      () => device(id),
      (found) => found?.state['on'] === false,
    )
    const before = ear.heard.length
    const began = performance.now()
    const asked = home.rest('/api/services/light/turn_on', { entity_id: 'light.kitchen_lights', brightness_pct: 40 })
    const isNew = await ear.hears(
      (heard) =>
        ear.heard.indexOf(heard) >= before &&
        heard.topic === `jarvis/devices/${id}/state` &&
        heard.json()['on'] === true,
    )
    const ms = performance.now() - began
    await asked
    expect(isNew.json()).toMatchObject({ on: true, level: 40 })
    expect(ms).toBeLessThan(1000)
  })

  test('a request here is one cmd and one service call there, known by both ids', async () => {
    const watch = await home.watch()
    const before = ear.heard.length
    const { status, body } = await hub.api('/api/device/kitchen_lights/command', { json: { intent: 'light.turn_off' } })
    expect(status).toBe(202)
    const result = await ear.hears(
      ({ topic, json }) => topic === 'jarvis/devices/kitchen_lights/result' && json()['id'] === body['commandId'],
    )
    expect(result.json()).toMatchObject({ status: 'done' })
    expect((await home.state('light.kitchen_lights'))?.state).toBe('off')
    const heard = ear.heard.slice(before)
    const cmds = heard.filter(({ topic }) => topic === 'jarvis/devices/kitchen_lights/cmd')
    const acks = heard.filter(({ topic }) => topic === 'jarvis/devices/kitchen_lights/ack').map((ack) => ack.json())
    watch.end()
    expect(cmds.map((cmd) => cmd.json()['id'])).toEqual([body['commandId']])
    expect(watch.calls).toHaveLength(1)
    expect(watch.calls[0]).toMatchObject({ domain: 'light', service: 'turn_off' })
    expect(acks.map((ack) => ack['status'])).toEqual(['accepted', 'done'])
    expect(acks[1]?.['reason']).toContain(watch.calls[0]?.context)
  })

  test('the devices of the hub appear there by MQTT discovery, and are asked from there through the gate', async () => {
    const login = await hub.credential('homeassistant', GRANTS)
    await home.connectMqtt({ port: hub.mqttPort, ...login })
    const light = await eventually(
      () => home.state('light.bench_light_light'),
      (found) => found !== undefined && found.state !== 'unavailable',
      { ms: 30_000 },
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)} ${(await home.ids()).join(' ')} ${home.said().slice(-3000)}`)
    })
    expect(light?.state).toMatch(/on|off/)
    const before = ear.heard.length
    await home.rest('/api/services/light/turn_off', { entity_id: 'light.bench_light_light' })
    await home.rest('/api/services/light/turn_on', { entity_id: 'light.bench_light_light', brightness_pct: 30 })
    await eventually(
      () => device('bench_light'),
      (found) => found?.state['on'] === true && found.state['level'] === 30,
    )
    await eventually(
      () => home.state('light.bench_light_light'),
      (found) => found?.state === 'on',
    )
    const results = await eventually(
      () => ear.heard.slice(before).filter(({ topic }) => topic === 'jarvis/devices/bench_light/result'),
      (list) => list.length === 2,
    )
    expect(results.map((result) => result.json()['status'])).toEqual(['done', 'done'])
    const asked = ear.heard.slice(before).filter(({ topic }) => topic === 'jarvis/devices/bench_light/cmd')
    expect(asked.map((cmd) => cmd.json()['requestedBy'])).toEqual(['device:homeassistant', 'device:homeassistant'])
    expect(home.said()).not.toMatch(/template/i)
  })

  test('no loop: what the hub announced is not mirrored, and what was mirrored is not announced', async () => {
    const { body } = await hub.api<{ items: Listed[] }>('/api/devices')
    const ids = body.items.map(({ id }) => id)
    expect(body.items.filter(({ owner }) => owner === 'plugin:discovery')).toEqual([])
    expect(ids.filter((id) => id.startsWith('bench_light'))).toEqual(['bench_light'])
    expect((await home.ids()).filter((id) => id.includes('kitchen_lights'))).toEqual(['light.kitchen_lights'])
  })

  test('after a restart of Home Assistant everything is in step again', async () => {
    await home.stop()
    await eventually(
      () => device('kitchen_lights'),
      (found) => found?.online === false,
    )
    await home.start()
    await eventually(
      () => device('kitchen_lights'),
      (found) => found?.online === true,
      { ms: 45_000 },
    )
    const state = (await home.state('light.kitchen_lights'))?.state
    expect((await device('kitchen_lights'))?.state['on']).toBe(state === 'on')
    await eventually(
      () => home.state('light.bench_light_light'),
      (found) => found !== undefined && found.state !== 'unavailable',
      { ms: 30_000 },
    )
  })

  test('after a restart of the hub everything is in step again', async () => {
    await ear.end()
    await hub.hub.close()
    await eventually(
      () => home.state('light.bench_light_light'),
      (found) => found?.state === 'unavailable',
      { ms: 20_000 },
    )
    const again = await startHub({ ...hub.config, MQTT_PORT: hub.mqttPort, HTTP_PORT: Number(new URL(hub.base).port) })
    hub = { ...hub, hub: again }
    await eventually(
      () => device('kitchen_lights'),
      (found) => found?.online === true,
      { ms: 30_000 },
    )
    await eventually(
      () => home.state('light.bench_light_light'),
      (found) => found !== undefined && found.state !== 'unavailable',
      { ms: 60_000, everyMs: 500 },
    )
    const { body } = await hub.api<{ items: Listed[] }>('/api/devices')
    expect(body.items.filter(({ owner }) => owner === 'plugin:discovery')).toEqual([])
    expect(body.items.filter(({ id }) => id.startsWith('kitchen_lights'))).toHaveLength(1)
  })
})
