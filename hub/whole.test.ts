// The main job, as an outsider sees it: a reading, a flow, the gate, a command, an answer, and why it happened.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditCommand } from './gate/cli.ts'
import { openStore } from './store/open.ts'
import { DEMO, testHub, type TestHub } from './testing/hub.ts'
import type { Heard, Wire } from './testing/outsider.ts'
import { silent } from './testing/stores.ts'
import { eventually } from './testing/until.ts'

interface Item {
  seq: number
  topic: string
  payload: Record<string, unknown>
  origin: string
  cause: number
  correlation: string
}
interface Items<T = Item> {
  items: T[]
}
interface Device {
  id: string
  online: boolean
  owner: string
  state: Record<string, unknown>
}

const DOZEN = [
  'badge_reader', 'bench_light', 'compressor', 'door', 'dust', 'extractor', 'iron', 'laser', 'presence', 'press', 'printer_1', 'thermo', 'welder',
] // prettier-ignore

const onExtractor = (leaf: string, fits: (payload: Record<string, unknown>) => boolean) => (heard: Heard) =>
  heard.topic === `jarvis/devices/extractor/${leaf}` && fits(heard.json())

describe('the simulated workshop', () => {
  let hub: TestHub
  let ada: Wire
  let id = ''

  beforeAll(async () => {
    hub = await testHub({
      env: DEMO,
      prepare: (dir) => writeFileSync(join(dir, 'millrace.yaml'), 'plugins:\n  workshop-sim:\n    speed: 8\n'),
    })
    ada = await hub.mqtt({ clientId: 'ui.ada', username: 'ada', password: hub.token })
    await ada.subscribe('jarvis/devices/#')
  })
  afterAll(() => hub.close())

  test('a dozen devices and a badge reader are there, each with its own credential', async () => {
    const { body } = await eventually(
      () => hub.api<Items<Device>>('/api/devices'),
      ({ body: { items } }) => items.length === DOZEN.length && items.every(({ online }) => online),
      { everyMs: 200 },
    )
    expect(body.items.map(({ id }) => id).sort()).toEqual(DOZEN)
    for (const device of body.items) expect(device.owner).toBe(`device:${device.id}`)
    const extractor = body.items.find((device) => device.id === 'extractor')
    expect(extractor?.state).toMatchObject({ on: false })
  })

  test('dust starts the extractor: reading, request, cmd, ack, result', async () => {
    const asked = await hub.api<{ status: string }>('/api/device/dust/command', { json: { intent: 'simulate' } })
    expect(asked.status, JSON.stringify(asked.body)).toBe(202)
    expect(asked.body.status).toBe('dispatched')
    const request = await ada.hears(
      onExtractor('request', ({ intent }) => intent === 'switch.turn_on'),
      15_000,
    )
    expect(request.json()).toMatchObject({ reason: 'dust' })
    const cmd = await ada.hears('jarvis/devices/extractor/cmd')
    id = String(cmd.json()['id'])
    expect(cmd.json()).toMatchObject({ intent: 'switch.turn_on', requestedBy: 'flow:dust-starts-extractor' })
    expect(cmd.packet.retain).toBe(false)
    const mine = (payload: Record<string, unknown>) => payload['id'] === id
    await ada.hears(onExtractor('ack', (ack) => mine(ack) && ack['status'] === 'accepted'))
    await ada.hears(onExtractor('ack', (ack) => mine(ack) && ack['status'] === 'done'))
    const result = await ada.hears(onExtractor('result', mine))
    expect(result.json()).toMatchObject({ id, status: 'done', intent: 'switch.turn_on' })
    await ada.hears(onExtractor('state', ({ on }) => on === true))
  })

  test('why: from the cmd back to the dust reading', async () => {
    const { body } = await hub.api<Items>('/api/journal?topic=devices/extractor/cmd')
    const cmd = body.items.find(({ payload }) => payload['id'] === id)
    expect(cmd).toBeDefined()
    const why = await hub.api<Items>(`/api/journal/${cmd?.seq ?? 0}/why`)
    expect(why.body.items.map(({ topic }) => topic)).toEqual([
      'jarvis/devices/extractor/cmd',
      'jarvis/devices/extractor/request',
      'jarvis/devices/dust/telemetry',
    ])
    expect(why.body.items.map(({ origin }) => origin)).toEqual(['gate', 'flow:dust-starts-extractor', 'device:dust'])
    expect(why.body.items.at(-1)?.payload['dust']).toBeGreaterThan(80)
  })

  test('why: from the result through the ack to the same reading', async () => {
    const { body } = await hub.api<Items>('/api/journal?topic=devices/extractor/result')
    const result = body.items.filter(({ payload }) => payload['id'] === id)
    expect(result).toHaveLength(1)
    const why = await hub.api<Items>(`/api/journal/${result[0]?.seq ?? 0}/why`)
    const leaves = why.body.items.map(({ topic }) => topic.split('/').slice(2).join('/'))
    expect(leaves.slice(0, 3)).toEqual(['extractor/result', 'extractor/ack', 'extractor/cmd'])
    expect(leaves.at(-1)).toBe('dust/telemetry')
  })

  test('the command tells its own story', async () => {
    const { body } = await hub.api<{ history: { status: string }[]; result: unknown }>(`/api/commands/${id}`)
    expect(body).toMatchObject({
      commandId: id,
      device: 'extractor',
      requestedBy: 'flow:dust-starts-extractor',
      status: 'done',
      result: { id, status: 'done' },
    })
    const steps = body.history.map(({ status }) => status)
    expect(steps.filter((status) => status === 'dispatched')).toHaveLength(1)
    expect(steps.indexOf('dispatched')).toBeLessThan(steps.indexOf('accepted'))
    expect(steps.at(-1)).toBe('done')
  })

  test('flows say what they hear and say', async () => {
    const { body } = await hub.api<Items<{ id: string; status: string; in: number; out: number }>>('/api/flows')
    expect(body.items.length).toBeGreaterThanOrEqual(8)
    expect(new Set(body.items.map(({ status }) => status))).toEqual(new Set(['running']))
    const flow = body.items.find(({ id }) => id === 'dust-starts-extractor')
    expect(flow).toMatchObject({
      inputs: ['jarvis/devices/dust/telemetry'],
      outputs: ['jarvis/devices/extractor/request'],
      dropped: 0,
      restarts: 0,
    })
    expect(flow?.in).toBeGreaterThan(0)
    expect(flow?.out).toBeGreaterThan(0)
  })

  test('a correlation id runs from HTTP through request, cmd, ack and result', async () => {
    const correlation = 'from-the-bench-1'
    const asked = await hub.api<{ commandId: string }>('/api/device/bench_light/command', {
      json: { intent: 'light.turn_on', payload: { level: 40 } },
      headers: { 'X-Correlation-ID': correlation },
    })
    expect(asked.status).toBe(202)
    expect(asked.headers.get('x-correlation-id')).toBe(correlation)
    const { commandId } = asked.body
    const result = await ada.hears(
      ({ topic, json }) => topic === 'jarvis/devices/bench_light/result' && json()['id'] === commandId,
    )
    expect(result.json()).toMatchObject({ status: 'done', correlationId: correlation })
    const { body } = await hub.api<Items>('/api/journal?topic=devices/bench_light/%2B')
    const chain = body.items.filter(({ payload }) => payload['id'] === commandId)
    expect(chain.map(({ topic }) => topic.split('/').at(-1))).toEqual(['request', 'cmd', 'ack', 'ack', 'result'])
    expect(new Set(chain.map((entry) => entry.correlation))).toEqual(new Set([correlation]))
    const other = await hub.api<{ correlationId: string }>(`/api/commands/${commandId}`)
    expect(other.body.correlationId).toBe(correlation)
  })

  test('a hazard that needs an approval is refused with that reason', async () => {
    const { status, body } = await hub.api('/api/device/welder/command', { json: { intent: 'welder.start' } })
    expect(status).toBe(403)
    expect(JSON.stringify(body)).toMatch(/approval/)
  })

  test('an outsider cannot tell the demo from a device: a wrong payload and an unknown intent are refused', async () => {
    const wrong = await hub.api('/api/device/bench_light/command', {
      json: { intent: 'light.turn_on', payload: { level: 4000 } },
    })
    expect(wrong).toMatchObject({ status: 400, body: { error: { code: 'VALIDATION_ERROR' } } })
    expect(JSON.stringify(wrong.body)).toMatch(/level/)
    const unknown = await hub.api('/api/device/bench_light/command', { json: { intent: 'light.turn_onn' } })
    expect(unknown).toMatchObject({ status: 422, body: { error: { code: 'UNKNOWN_INTENT' } } })
    expect(JSON.stringify(unknown.body)).toMatch(/light\.turn_on"/)
  })

  test('the stop reaches every device with a safe intent', async () => {
    const { status, body } = await hub.api<{ devices: { device: string; intents: string[] }[]; note: string }>(
      '/api/safety/stop',
      { method: 'POST' },
    )
    expect(status).toBe(200)
    const press = body.devices.find(({ device }) => device === 'press')
    expect(press).toMatchObject({ intents: ['press.stop'] })
    expect(body.note).toMatch(/emergency stop/)
    await ada.hears(({ topic, json }) => topic === 'jarvis/devices/press/cmd' && json()['intent'] === 'press.stop')
  })

  test('the audit has every step, and its chain is whole', async () => {
    const { body } = await hub.api<Items<{ event: string; who: string }>>(`/api/audit?subject=${id}`)
    // A safe intent: no interlock is asked.
    expect(body.items.map(({ event }) => event).reverse()).toEqual(
      ['request', 'rights', 'valid', 'cmd', 'ack', 'ack', 'result'], // prettier-ignore
    )
    const light = await hub.api<Items<{ event: string }>>('/api/audit?device=bench_light')
    expect(light.body.items.map(({ event }) => event)).toContain('interlocks')
    const store = await openStore({ file: join(hub.config.DATA_DIR, 'hub.sqlite'), log: silent })
    const said: string[] = []
    try {
      expect(await auditCommand(['verify'], store, (line) => said.push(line))).toBe(0)
    } finally {
      await store.close()
    }
    expect(said.join()).toMatch(/whole/)
  })

  test('everything is healthy', async () => {
    const { body } = await hub.api<{ status: string; parts: { part: string; status: string }[] }>('/health', {
      token: null,
    })
    expect(body.parts.filter(({ status }) => status !== 'healthy')).toEqual([])
    expect(body.status).toBe('healthy')
  })
})
