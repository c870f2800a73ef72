// Commands, stop and audit over HTTP, and devices with their credentials: the codes, bodies and errors people script against.
import { afterEach, expect, test } from 'vitest'
import type { Access, DeviceCredential } from '../access/access.ts'
import type { Devices } from '../devices/devices.ts'
import { deviceRoutes } from '../devices/routes.ts'
import { opened } from '../http/web.fixture.ts'
import { access as rights, rig, settle, type Rig } from './gate.rig.ts'
import { gateRoutes } from './routes.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const credentialStore = (
  claim: Devices['claim'],
): Pick<Access, 'credentials' | 'issueCredential' | 'revokeCredential'> => {
  const all = new Map<string, DeviceCredential>()
  return {
    credentials: async () => [...all.values()],
    issueCredential: async (device, topics = []) => {
      claim(device, `device:${device}`)
      const credential = { clientId: device, device, username: device, topics, createdAt: '2026-03-01T08:00:00.000Z' }
      all.set(device, credential)
      return { ...credential, password: 'secret' }
    },
    revokeCredential: async (clientId) => void all.delete(clientId),
  }
}

const hub = async (prepare: (shop: Rig) => void = () => {}) => {
  const shop = await rig()
  prepare(shop)
  await settle()
  const gate = await shop.open({ access: { ...rights, mayRequest: () => ({ ok: true }) } })
  const { url } = await opened({
    routes: [
      gateRoutes({ gate, store: { db: shop.db } }),
      deviceRoutes({ devices: shop.devices, access: credentialStore(shop.devices.claim) }),
    ],
  })
  closing.push(() => gate.close())
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(url + path, {
      method,
      headers: {
        authorization: 'Bearer right',
        'x-correlation-id': 'walk-1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) }
  }
  return { ...shop, gate, call }
}

test('a command is accepted with its id, and can be followed to its result', async () => {
  const { call, ack, bus } = await hub()
  const answer = await call('POST', '/api/device/press/command', { intent: 'press.close', payload: { force: 1 } })
  expect(answer).toMatchObject({ status: 202, body: { status: 'dispatched' } })
  const id = String(answer.body?.['commandId'])
  ack('press', { id, status: 'done', reason: 'closed' })
  await settle()
  expect(await call('GET', `/api/commands/${id}`)).toMatchObject({
    status: 200,
    body: {
      commandId: id,
      status: 'done',
      requestedBy: 'person:ada',
      correlationId: 'walk-1',
      result: { status: 'done', reason: 'closed' },
      history: [{ status: 'pending' }, { status: 'dispatched' }, { status: 'done' }],
    },
  })
  expect((await call('GET', '/api/commands?device=press&limit=5')).body?.['items']).toHaveLength(1)
  expect(bus.said('devices/{device}/request')).toHaveLength(1)
})

test('each refusal has its status, its code and a message that says what to do', async () => {
  const { call } = await hub((shop) => {
    shop.about('off', { name: 'Off', kind: 'light', intents: { 'light.turn_on': {} } }, false)
    shop.about('laser', { name: 'Laser', kind: 'laser', intents: { 'laser.start': {} } })
  })
  const ask = (device: string, body: unknown) => call('POST', `/api/device/${device}/command`, body)
  const close = { intent: 'press.close', payload: { force: 1 } }
  const error = (status: number, code: string, details: object = {}) => ({
    status,
    body: { error: { code, correlation_id: 'walk-1', details } },
  })
  expect(await ask('press', { intent: 'press.close', payload: { force: 'x' } })).toMatchObject(
    error(400, 'VALIDATION_ERROR', { field: 'payload.force' }),
  )
  expect(await ask('press', { ...close, requestedBy: 'person:boss' })).toMatchObject(error(400, 'VALIDATION_ERROR'))
  expect(await ask('Press', close)).toMatchObject(error(400, 'VALIDATION_ERROR'))
  expect(await ask('laser', { intent: 'laser.start' })).toMatchObject(error(403, 'POLICY_ERROR'))
  expect(await ask('ghost', close)).toMatchObject(error(404, 'NOT_FOUND'))
  expect(await ask('off', { intent: 'light.turn_on' })).toMatchObject(error(404, 'NOT_FOUND'))
  expect(await ask('press', { ...close, id: 'x' })).toMatchObject({ status: 202 })
  expect(await ask('press', { intent: 'press.open', id: 'x' })).toMatchObject(error(409, 'CONFLICT'))
  expect(await ask('press', { ...close, expiresAt: '2026-01-01T00:00:00Z' })).toMatchObject(error(410, 'GONE'))
  expect(await ask('press', { intent: 'press.clos' })).toMatchObject(
    error(422, 'UNKNOWN_INTENT', { near: ['press.close'] }),
  )
  expect(await call('GET', '/api/commands/none')).toMatchObject(error(404, 'NOT_FOUND'))
})

test('a stop says what it reached and that it replaces no button', async () => {
  const { call } = await hub()
  const answer = await call('POST', '/api/safety/stop', { reason: 'smoke' })
  expect(answer).toMatchObject({
    status: 200,
    body: {
      devices: [{ device: 'press', intents: ['press.stop'] }],
      note: expect.stringMatching(/no substitute for a physical emergency stop/),
    },
  })
  expect((await call('POST', '/api/safety/stop')).status).toBe(200)
})

test('the audit is read newest first, filtered, and verified', async () => {
  const { call, gate } = await hub()
  const { body } = await call('POST', '/api/device/press/command', { intent: 'press.open' })
  await gate.commands({})
  const all = (await call('GET', '/api/audit?limit=3')).body?.['items']
  expect(all).toMatchObject([{ event: 'cmd' }, { event: 'interlocks' }, { event: 'valid' }])
  expect(all).toHaveProperty(
    '0',
    expect.objectContaining({
      subject: body?.['commandId'],
      device: 'press',
      detail: { by: 'interlocks', policy: expect.any(String) },
    }),
  )
  expect((await call('GET', '/api/audit?subject=nothing')).body?.['items']).toEqual([])
  expect((await call('GET', '/api/audit?since=2027-01-01T00:00:00Z')).body?.['items']).toEqual([])
  expect((await call('GET', '/api/audit?since=soon')).status).toBe(400)
  expect((await call('GET', '/api/audit/verify')).body).toMatchObject({ ok: true })
})

test('devices are listed with their age, and forgotten', async () => {
  const { call, devices } = await hub()
  expect((await call('GET', '/api/devices')).body?.['items']).toMatchObject([
    {
      id: 'press',
      name: 'Press',
      kind: 'press',
      online: true,
      owner: 'device:press',
      state: {},
      lastSeen: '2026-03-01T08:00:00.000Z',
      safe: ['press.stop'],
    },
  ])
  expect((await call('GET', '/api/devices/press')).body).toMatchObject({ id: 'press', intents: { 'press.open': {} } })
  expect((await call('GET', '/api/devices/ghost')).status).toBe(404)
  expect(await call('DELETE', '/api/devices/press')).toEqual({ status: 204, body: undefined })
  expect(devices.list()).toEqual([])
  expect((await call('DELETE', '/api/devices/press')).status).toBe(404)
})

test('a credential fixes the owner, is listed without its secret, and can be revoked', async () => {
  const { call, devices } = await hub()
  expect(await call('POST', '/api/device-credentials', { device: 'lamp', topics: ['zigbee2mqtt/#'] })).toEqual({
    status: 201,
    body: { clientId: 'lamp', username: 'lamp', password: 'secret' },
  })
  expect(devices.ownerOf('lamp')).toBe('device:lamp')
  const listed = await call('GET', '/api/device-credentials')
  expect(listed.body?.['items']).toMatchObject([{ clientId: 'lamp', device: 'lamp', topics: ['zigbee2mqtt/#'] }])
  expect(JSON.stringify(listed.body)).not.toContain('secret')
  expect((await call('DELETE', '/api/device-credentials/lamp')).status).toBe(204)
  expect((await call('DELETE', '/api/device-credentials/lamp')).status).toBe(404)
})

test('a credential for a device of a plugin is a conflict', async () => {
  const { call, devices } = await hub()
  devices.claim('mk4', 'plugin:printers')
  expect(await call('POST', '/api/device-credentials', { device: 'mk4' })).toMatchObject({
    status: 409,
    body: { error: { code: 'CONFLICT' } },
  })
  expect(await call('POST', '/api/device-credentials', { device: 'Lamp' })).toMatchObject({ status: 400 })
})

test('forgetting a device takes its credential away', async () => {
  const { call } = await hub()
  await call('POST', '/api/device-credentials', { device: 'lamp' })
  expect((await call('DELETE', '/api/devices/lamp')).status).toBe(204)
  expect((await call('GET', '/api/device-credentials')).body?.['items']).toEqual([])
})

test('a payload that nests too deep or is too large is refused in words', async () => {
  const { call } = await hub()
  const deep = JSON.parse(`{"a":${'['.repeat(200)}${']'.repeat(200)}}`) as object
  expect(await call('POST', '/api/device/press/command', { intent: 'press.name', payload: deep })).toMatchObject({
    status: 400,
    body: { error: { code: 'VALIDATION_ERROR', message: 'payload: nests deeper than 32 levels' } },
  })
  const deepest = `{"intent":"press.name","payload":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`
  expect(await call('POST', '/api/device/press/command', deepest)).toMatchObject({ status: 400 })
  const large = { intent: 'press.name', payload: { name: 'x'.repeat(70_000) } }
  expect(await call('POST', '/api/device/press/command', large)).toMatchObject({
    status: 400,
    body: { error: { details: { field: 'payload' } } },
  })
})
