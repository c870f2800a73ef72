// A real Home Assistant and a whole hub: a sentence or a request here is one command and one service call there, and it fails where the call fails.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../hub/testing/until.ts'
import { house, type House, tested, version } from './peers.rig.ts'

interface Told {
  replies: { kind: string; text: string; commands?: { commandId: string; device: string; status: string }[] }[]
}

const KITCHEN = 'kitchen_lights'

type Row = [entity: string, intent: string, payload: Record<string, unknown>, service: string, after: object]
/** In this order: what follows finds what came before. */
const ASKED: readonly Row[] = [
  ['light.bed_light', 'light.turn_on', { level: 60, kelvin: 3000 }, 'light.turn_on', { state: 'on' }],
  ['switch.decorative_lights', 'switch.turn_off', {}, 'switch.turn_off', { state: 'off' }],
  [
    'climate.hvac',
    'climate.set_temperature',
    { temperature: 24.5 },
    'climate.set_temperature',
    { attributes: { temperature: 24.5 } },
  ],
  ['climate.hvac', 'climate.set_mode', { mode: 'heat' }, 'climate.set_hvac_mode', { state: 'heat' }],
  ['lock.kitchen_door', 'lock.lock', {}, 'lock.lock', { state: 'locked' }],
  ['fan.living_room_fan', 'fan.turn_on', { level: 66 }, 'fan.turn_on', { state: 'on', attributes: { percentage: 66 } }],
  ['fan.living_room_fan', 'fan.turn_off', {}, 'fan.turn_off', { state: 'off' }],
  ['media_player.walkman', 'media.pause', {}, 'media_player.media_pause', { state: 'paused' }],
  [
    'media_player.walkman',
    'media.set_volume',
    { volume: 30 },
    'media_player.volume_set',
    { attributes: { volume_level: 0.3 } },
  ],
  ['media_player.walkman', 'media.play', {}, 'media_player.media_play', { state: 'playing' }],
  [
    'cover.hall_window',
    'cover.set_position',
    { position: 20 },
    'cover.set_cover_position',
    { attributes: { current_position: 20 } },
  ],
  ['cover.hall_window', 'cover.close', {}, 'cover.close_cover', { state: 'closed' }],
  ['cover.kitchen_window', 'cover.open', {}, 'cover.open_cover', { state: 'open' }],
  ['siren.siren', 'siren.turn_off', {}, 'siren.turn_off', { state: 'off' }],
  ['humidifier.humidifier', 'humidifier.turn_off', {}, 'humidifier.turn_off', { state: 'off' }],
  ['number.volume', 'number.set', { value: 50 }, 'number.set_value', { state: '50.0' }],
  ['select.speed', 'select.choose', { option: 'light_speed' }, 'select.select_option', { state: 'light_speed' }],
  ['button.push', 'button.press', {}, 'button.press', {}],
  ['scene.print_runs', 'scene.activate', {}, 'scene.turn_on', {}],
]

describe.skipIf(version === undefined)(`with Home Assistant${tested}`, { timeout: 60_000 }, () => {
  let at: House

  const say = async (text: string) =>
    (await at.hub.api<Told>('/api/query', { json: { conversationId: 'desk', channel: 'web', input: { text } } })).body
      .replies
  const request = (device: string, json: Record<string, unknown>) =>
    at.hub.api(`/api/device/${device}/command`, { json })
  const kitchen = (service: string, data: Record<string, unknown> = {}) =>
    at.home.rest(`/api/services/light/${service}`, { entity_id: 'light.kitchen_lights', ...data })

  beforeAll(async () => {
    at = await house()
    await at.isSo(KITCHEN, ({ online }) => online, 20_000)
  }, 180_000)
  afterAll(() => at?.close())

  test('its demo light is here, and switched there it shows here within a second', async () => {
    await kitchen('turn_off')
    await at.isSo(KITCHEN, ({ state }) => state['on'] === false)
    const before = at.ear.heard.length
    const began = performance.now()
    const asked = kitchen('turn_on', { brightness_pct: 40 })
    const isNew = await at.ear.hears(
      (heard) =>
        at.ear.heard.indexOf(heard) >= before &&
        heard.topic === `jarvis/devices/${KITCHEN}/state` &&
        heard.json()['on'] === true,
    )
    const ms = performance.now() - began
    await asked
    expect(isNew.json()).toMatchObject({ on: true, level: 40 })
    expect(ms).toBeLessThan(1000)
  })

  test.each([
    ['turn on the kitchen lights', 'on'],
    ['schalte die Kitchen Lights aus', 'off'],
    ['mach das Licht in der Küche an', 'on'],
  ])('"%s" is one cmd and one service call, known by the same id', async (sentence, becomes) => {
    // The room as it is called there; the sentence in German means it by the area.
    if (sentence.includes('Küche')) {
      const area = (await at.home.ask({ type: 'config/area_registry/create', name: 'Küche' })) as { area_id: string }
      const devices = (await at.home.ask({ type: 'config/device_registry/list' })) as { id: string; name: string }[]
      const device_id = devices.find(({ name }) => name === 'Kitchen Lights')?.id
      await at.home.ask({ type: 'config/device_registry/update', device_id, area_id: area.area_id })
      await at.isSo(KITCHEN, ({ area: place }) => place === 'Küche')
    }
    await kitchen(becomes === 'on' ? 'turn_off' : 'turn_on')
    await at.isSo(KITCHEN, ({ state }) => state['on'] === (becomes !== 'on'))
    const before = at.ear.heard.length
    const watch = await at.home.watch()
    const replies = await say(sentence)
    expect(replies.map(({ kind }) => kind)).toEqual(['done'])
    const [{ commandId, device } = { commandId: '', device: '' }] = replies[0]?.commands ?? []
    expect(device).toBe(KITCHEN)
    expect(await at.home.state('light.kitchen_lights')).toMatchObject({ state: becomes })
    await eventually(
      () => watch.told,
      (told) => told.length > 0,
    )
    watch.end()
    const cmds = at.ear.heard.slice(before).filter(({ topic }) => topic.endsWith('/cmd'))
    expect(cmds.map(({ topic, json }) => [topic, json()['id']])).toEqual([[`jarvis/devices/${KITCHEN}/cmd`, commandId]])
    expect(watch.calls).toEqual([{ domain: 'light', service: `turn_${becomes}`, context: expect.any(String) }])
    const [{ context } = { context: '' }] = watch.calls
    expect(watch.told).toEqual([{ id: commandId, context, device: KITCHEN, intent: `light.turn_${becomes}` }])
    const acks = at.since(before, KITCHEN, 'ack')
    expect(acks.map(({ id, status }) => [id, status])).toEqual([
      [commandId, 'accepted'],
      [commandId, 'done'],
    ])
    expect(acks[1]?.['reason']).toContain(context)
    expect(await at.result(KITCHEN, commandId)).toMatchObject({ status: 'done' })
  })

  test('what it has is asked through the gate: one service call each, and done when the effect is seen', async () => {
    for (const [entity, intent, payload, service, after] of ASKED) {
      const device = entity.slice(entity.indexOf('.') + 1)
      const watch = await at.home.watch()
      const { body } = await request(device, { intent, payload })
      const result = body['status'] === 'dispatched' ? await at.result(device, body['commandId'], 15_000) : body
      const now = await at.home.state(entity)
      watch.end()
      expect.soft({ entity, intent, ...result }).toMatchObject({ status: 'done' })
      const direct = watch.calls.filter((call) => !entity.startsWith('scene.') || call.domain === 'scene')
      expect.soft(direct.map((call) => `${call.domain}.${call.service}`)).toEqual([service])
      expect.soft({ entity, ...now }).toMatchObject(after)
    }
    // What the scene is for.
    expect(await at.home.state('light.bed_light')).toMatchObject({ state: 'on', attributes: { brightness: 51 } })
  })

  test('what it cannot do is not offered, and what may hurt waits for people and calls nothing', async () => {
    // A roof that only tilts, and a thermostat with a lower and an upper target.
    expect(await request('pergola_roof', { intent: 'cover.open' })).toMatchObject({ status: 422 })
    const warm = { intent: 'climate.set_temperature', payload: { temperature: 20 } }
    expect(await request('ecobee', warm)).toMatchObject({ status: 422 })
    const watch = await at.home.watch()
    const { status, body } = await request('front_door', { intent: 'lock.unlock' })
    expect([status, body['status']]).toEqual([202, 'awaiting_confirmation'])
    await at.home.rest('/api/services/light/turn_on', { entity_id: 'light.ceiling_lights' })
    await eventually(
      () => watch.calls,
      (calls) => calls.length > 0,
    )
    watch.end()
    expect(watch.calls.map(({ domain }) => domain)).toEqual(['light'])
    expect(await at.home.state('lock.front_door')).toMatchObject({ state: 'locked' })
  })

  test('a print that starts gets its scene there, and a scene that is missing holds up nothing', async () => {
    const params = { start: 'print_runs', end: 'no_such_scene' }
    expect(await at.hub.api('/api/flows/scene-for-print/params', { method: 'PUT', json: params })).toMatchObject({
      status: 200,
    })
    const wire = await at.hub.mqtt({ clientId: 'ui.ada-flows', username: 'ada', password: at.hub.token })
    await wire.subscribe('jarvis/flows/scene-for-print/#')
    await at.home.rest('/api/services/light/turn_off', { entity_id: 'light.bed_light' })
    await at.isSo('bed_light', ({ state }) => state['on'] === false)
    const before = at.ear.heard.length
    // Somebody starts it at its own panel.
    await request('printer_1', { intent: 'simulate' })
    await at.isSo('printer_1', ({ state }) => state['status'] === 'printing')
    await at.isSo('bed_light', ({ state }) => state['on'] === true && state['level'] === 20)
    const [scene] = await eventually(
      () => at.since(before, 'print_runs', 'result'),
      (list) => list.length > 0,
    )
    expect(scene).toMatchObject({ status: 'done', intent: 'scene.activate' })
    await request('printer_1', { intent: 'printer.cancel' })
    await at.isSo('printer_1', ({ state }) => state['status'] === 'idle', 12_000)
    const told = await wire.hears('jarvis/flows/scene-for-print/end')
    expect(told.json()).toMatchObject({ scene: 'no_such_scene', status: 'missing' })
    expect(at.since(before, 'printer_1', 'cmd').map(({ requestedBy }) => requestedBy)).toEqual([
      'person:ada',
      'person:ada',
    ])
    await wire.end()
  })

  test('a service call that fails ends the command as failed, and the answer says so', async () => {
    const before = at.ear.heard.length
    const [reply] = await say('turn on the broken lamp')
    expect(reply).toMatchObject({ kind: 'failed', text: expect.stringMatching(/nowhere\.at_all/) })
    expect(at.since(before, 'broken_lamp', 'cmd')).toHaveLength(1)
    expect(at.since(before, 'broken_lamp', 'ack').map(({ status }) => status)).toEqual(['accepted', 'failed'])
  })

  test('a lock that jams is told when it jams, not when the time for locks is over', async () => {
    const { body } = await request('poorly_installed_door', { intent: 'lock.lock' })
    expect(await at.result('poorly_installed_door', body['commandId'])).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('is jammed'),
    })
  })

  test('killed in mid-call: the one command ends as failed, the answer says so, and nothing is called again', async () => {
    const before = at.ear.heard.length
    const watch = await at.home.watch()
    const saying = say('turn on the slow lamp')
    await eventually(
      () => watch.calls,
      (calls) => calls.length > 0,
      { everyMs: 10 },
    )
    await at.home.kill()
    const [reply] = await saying
    expect(reply).toMatchObject({ kind: 'failed', text: expect.stringMatching(/went away/) })
    const [{ commandId } = { commandId: '' }] = reply?.commands ?? []
    expect(await at.result('slow_lamp', commandId)).toMatchObject({ status: 'failed' })
    await at.isSo('slow_lamp', ({ online }) => !online)
    await at.home.start()
    const again = await at.home.watch()
    await at.isSo('slow_lamp', ({ online }) => online, 30_000)
    await at.isSo(KITCHEN, ({ online }) => online, 30_000)
    await request(KITCHEN, { intent: 'light.turn_off' })
    await eventually(
      () => again.calls,
      (calls) => calls.length > 0,
    )
    again.end()
    expect(again.calls.map(({ service }) => service)).toEqual(['turn_off'])
    expect(at.since(before, 'slow_lamp', 'cmd').map(({ id }) => id)).toEqual([commandId])
    expect(at.since(before, 'slow_lamp', 'ack').map(({ status }) => status)).toEqual(['accepted', 'failed'])
  })
})
