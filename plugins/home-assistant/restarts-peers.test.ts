// A real Home Assistant and the simulated workshop: its devices appear there by MQTT discovery, are asked from there through the gate, and outlive a restart of either side.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Wire } from '../../hub/testing/outsider.ts'
import { eventually } from '../../hub/testing/until.ts'
import { house, type House, tested, version } from './peers.rig.ts'
import { formFor } from './records.ts'

const GRANTS = ['homeassistant/#', 'jarvis/devices/+/state', 'jarvis/devices/+/online', 'jarvis/devices/+/request']
const LIGHT = 'light.bench_light_light'
const SWITCH = 'switch.extractor_switch'

const DeviceList = z.array(z.looseObject({ id: z.string(), identifiers: z.array(z.array(z.string())) }))
const EntityList = z.array(z.looseObject({ entity_id: z.string(), device_id: z.string().nullable() }))

describe.skipIf(version === undefined)(`with Home Assistant${tested}`, { timeout: 120_000 }, () => {
  let at: House
  let records: Wire

  /** The hub's devices as Home Assistant's registries have them: its id of each, and its entities. */
  const there = async () => {
    const devices = DeviceList.parse(await at.home.ask({ type: 'config/device_registry/list' }))
    const entities = EntityList.parse(await at.home.ask({ type: 'config/entity_registry/list' }))
    return Object.fromEntries(
      devices.flatMap(({ id, identifiers }) => {
        const [, ours] = /^millrace_[0-9a-f]{8}_(.+)$/.exec(identifiers[0]?.[1] ?? '') ?? []
        const own = entities.filter(({ device_id }) => device_id === id).map(({ entity_id }) => entity_id)
        return ours === undefined ? [] : [[ours, { id, entities: own.toSorted() }]]
      }),
    )
  }
  const isThere = (id: string, ms = 60_000) =>
    eventually(
      () => at.home.state(id),
      (found) => found !== undefined && found.state !== 'unavailable',
      { ms },
    )
  const workshop = async (): Promise<string[]> =>
    (await at.devices()).filter(({ owner }) => owner.startsWith('device:')).map(({ id }) => id)
  /** Listens to discovery; only what is said after it is connected counts. */
  const listen = async (): Promise<Wire> => {
    const wire = await at.hub.mqtt(await at.hub.credential('listener', ['homeassistant/#']))
    await wire.subscribe('homeassistant/#')
    return wire
  }
  const said = (wire: Wire) => wire.heard.filter(({ topic, packet }) => topic.endsWith('/config') && !packet.retain)

  /** Asks from there: one request, one command in the name of Home Assistant, done, and shown there. */
  const askedFromThere = async (level: number): Promise<void> => {
    const before = at.ear.heard.length
    await at.home.rest('/api/services/light/turn_off', { entity_id: LIGHT })
    // The device takes both at once, and what comes second may be done first.
    await eventually(
      () => at.since(before, 'bench_light', 'result'),
      (list) => list.length === 1,
    )
    await at.home.rest('/api/services/light/turn_on', { entity_id: LIGHT, brightness_pct: level })
    await at.isSo('bench_light', ({ state }) => state['on'] === true && state['level'] === level)
    const results = await eventually(
      () => at.since(before, 'bench_light', 'result'),
      (list) => list.length === 2,
    )
    expect(results.map(({ status }) => status)).toEqual(['done', 'done'])
    expect(at.since(before, 'bench_light', 'cmd').map(({ requestedBy }) => requestedBy)).toEqual([
      'device:homeassistant',
      'device:homeassistant',
    ])
    await eventually(
      () => at.home.state(LIGHT),
      (found) => found?.state === 'on' && Math.round(Number(found.attributes['brightness']) / 2.55) === level,
    )
  }

  const inStep = async (): Promise<void> => {
    for (const [device, entity] of [
      ['bench_light', LIGHT],
      ['extractor', SWITCH],
    ] as const) {
      await eventually(
        async () => [at.device(device)?.state['on'], (await at.home.state(entity))?.state],
        ([here, over]) => (over === 'on' || over === 'off') && here === (over === 'on'),
        { ms: 20_000 },
      )
    }
    expect((await at.home.ids()).filter((id) => id.startsWith('light.bench_light'))).toEqual([LIGHT])
    expect((await at.home.ids()).filter((id) => id.includes('kitchen_lights'))).toEqual(['light.kitchen_lights'])
    const listed = await at.devices()
    const mirrored = listed.map(({ id }) => id)
    expect(mirrored.filter((id) => id.startsWith('bench_light'))).toEqual(['bench_light'])
    expect(mirrored.filter((id) => id.startsWith('kitchen_lights'))).toEqual(['kitchen_lights'])
    expect(listed.filter(({ owner }) => owner === 'plugin:discovery')).toEqual([])
  }

  let first: Awaited<ReturnType<typeof there>>

  beforeAll(async () => {
    at = await house()
    records = await listen()
    await at.isSo('kitchen_lights', ({ online }) => online, 20_000)
    await at.home.connectMqtt({ port: at.hub.mqttPort, ...(await at.hub.credential('homeassistant', GRANTS)) })
  }, 180_000)
  afterAll(() => at?.close())

  test('every device of the workshop appears there once, in the form its version knows', async () => {
    const ids = await workshop()
    expect(ids).toHaveLength(13)
    first = await eventually(
      there,
      (found) => ids.every((id) => (found[id]?.entities.length ?? 0) > 0) && Object.keys(found).length === ids.length,
      { ms: 30_000 },
    )
    await isThere(LIGHT)
    const standing = new Map(
      records.heard.filter(({ topic }) => topic.endsWith('/config')).map((h) => [h.topic, h.text]),
    )
    const topics = [...standing].filter(([, text]) => text !== '').map(([topic]) => topic)
    const form = formFor([version ?? ''])
    expect(topics.every((topic) => topic.startsWith('homeassistant/device/') === (form === 'device'))).toBe(true)
    if (form === 'device') expect(topics).toHaveLength(ids.length)
    expect(at.home.said()).not.toMatch(/template/i)
    await inStep()
  })

  test('what is asked there is a request here, and the gate decides', async () => {
    await askedFromThere(30)
    // The laser needs people and presence: pressing its button there is a request like any other, and moves nothing.
    const before = at.ear.heard.length
    await at.home.rest('/api/services/button/press', { entity_id: 'button.laser_laser_start' })
    const results = await eventually(
      () => at.since(before, 'laser', 'result'),
      (list) => list.length === 1,
    )
    expect(results[0]).toMatchObject({ status: 'refused', intent: 'laser.start' })
    expect(at.since(before, 'laser', 'cmd')).toEqual([])
    await at.home.rest('/api/services/number/set_value', {
      entity_id: 'number.iron_iron_set_temperature',
      value: 300,
    })
    const warmer = await eventually(
      () => at.since(before, 'iron', 'result'),
      (list) => list.length === 1,
    )
    expect(warmer[0]).toMatchObject({ status: 'done', intent: 'iron.set_temperature' })
    expect(at.since(before, 'iron', 'cmd')[0]).toMatchObject({ payload: { celsius: 300 } })
  })

  test('after a restart of Home Assistant, now with MQTT 5, all is announced again at its birth', async () => {
    await at.home.stop()
    await at.isSo('kitchen_lights', ({ online }) => !online)
    await at.home.editMqtt({ protocol: '5' })
    const before = said(records).length
    await at.home.start()
    await at.isSo('kitchen_lights', ({ online }) => online, 45_000)
    await isThere(LIGHT)
    await inStep()
    expect(await there()).toEqual(first)
    const clients = await at.hub.api<{ items: { protocol: number }[] }>(
      '/api/broker/clients?text=homeassistant&online=true',
    )
    expect(clients.body.items.map(({ protocol }) => protocol)).toEqual([5])
    const again = await eventually(
      () =>
        new Set(
          said(records)
            .slice(before)
            .map(({ topic }) => topic),
        ),
      (topics) => Object.keys(first).every((id) => [...topics].some((topic) => topic.includes(`_${id}/`))),
      { ms: 45_000 },
    )
    expect(again.size).toBeGreaterThan(0)
    await askedFromThere(50)
    expect(await there()).toEqual(first)
  })

  test('after a restart of the hub the same devices are there, with no record taken back and no double', async () => {
    await records.end()
    await at.restartHub(async () => {
      await eventually(
        () => at.home.state(LIGHT),
        (found) => found?.state === 'unavailable',
        { ms: 20_000 },
      )
    })
    records = await listen()
    await at.isSo('kitchen_lights', ({ online }) => online, 30_000)
    await isThere(LIGHT)
    await inStep()
    expect(said(records).filter(({ text }) => text === '')).toEqual([])
    expect(await there()).toEqual(first)
    await askedFromThere(70)
  })

  // One that is too old knows the single form only.
  const forms = formFor([version ?? '']) === 'single' ? ['single'] : ['single', 'device']
  test(`announced in ${forms.join(' and then in ')} form, what people set there for the entities stays`, async () => {
    const name = 'My own name'
    await at.home.ask({ type: 'config/entity_registry/update', entity_id: LIGHT, name })
    const isNamed = async () =>
      eventually(
        () => at.home.state(LIGHT),
        (found) => found?.attributes['friendly_name'] === name && found.state !== 'unavailable',
        { ms: 45_000 },
      )
    const formsAre = (form: string) =>
      eventually(
        async () => {
          const standing = new Map((await listened()).map(({ topic, text }) => [topic, text]))
          return [...standing].filter(([topic, text]) => topic.endsWith('/config') && text !== '')
        },
        (list) =>
          list.length > 0 &&
          list.every(
            ([topic, text]) =>
              topic.startsWith('homeassistant/device/') === (form === 'device') && !text.includes('migrate_discovery'),
          ),
        { ms: 40_000, everyMs: 1000 },
      )
    const listened = async () => {
      const wire = await listen()
      await wire.hears(({ topic }) => topic.endsWith('/config'))
      const { heard } = wire
      await wire.end()
      return heard
    }
    await isNamed()
    for (const form of forms) {
      await at.restartHub(undefined, { export: { form } })
      await at.isSo('kitchen_lights', ({ online }) => online, 30_000)
      await formsAre(form)
      await isNamed()
      expect(await there()).toEqual(first)
      await askedFromThere(form === 'single' ? 20 : 80)
    }
    await inStep()
  })
})
