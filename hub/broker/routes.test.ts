import { afterAll, beforeAll, expect, test } from 'vitest'
import { testHub, type TestHub } from '../testing/hub.ts'
import type { Login } from '../testing/outsider.ts'
import { eventually } from '../testing/until.ts'

interface Client {
  clientId: string
  principal: string
  online: boolean
  address?: string
  protocol?: number
  connectedAt?: string
  subscriptions: number
  queued: number
  queuedBytes: number
  dropped: number
  lastError?: { at: string; what: string }
  expiresAt?: string
}
interface Clients {
  items: Client[]
  total: number
  counts: Record<string, number>
}

const PASSWORD = 'staple battery horse'
let hub: TestHub
let dust: Login
let lamp: Login
const tokens: Record<string, string> = {}

beforeAll(async () => {
  hub = await testHub()
  dust = await hub.credential('dust', ['load/#'])
  lamp = await hub.credential('lamp', ['load/#'])
  for (const name of ['operator', 'safety', 'engineer']) {
    await hub.api('/api/people', { json: { username: name, password: PASSWORD, roles: [name] } })
    tokens[name] = await hub.login(name, PASSWORD)
  }
})
afterAll(() => hub.close())

const clients = async (query = ''): Promise<Clients> => {
  const { status, body } = await hub.api<Clients>(`/api/broker/clients${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}
const row = async (clientId: string): Promise<Client | undefined> =>
  (await clients()).items.find((client) => client.clientId === clientId)
const became = (clientId: string, isSo: (client: Client | undefined) => boolean) =>
  eventually(() => row(clientId), isSo)
const path = (clientId: string, rest: string) => `/api/broker/clients/${encodeURIComponent(clientId)}/${rest}`

test('a client is seen connected, asleep with what waits for it, and back', async () => {
  const here = await hub.mqtt(dust, { clean: false })
  await here.subscribe('load/a')
  expect(await row(dust.clientId)).toMatchObject({
    clientId: dust.clientId,
    principal: 'device:dust',
    online: true,
    protocol: 4,
    subscriptions: 1,
    queued: 0,
    dropped: 0,
  })
  expect((await row(dust.clientId))?.address).toMatch(/127\.0\.0\.1$/)
  expect(Date.parse((await row(dust.clientId))?.connectedAt ?? '')).toBeGreaterThan(Date.now() - 60_000)

  await here.end()
  await became(dust.clientId, (client) => client?.online === false)
  const other = await hub.mqtt(lamp)
  for (const n of [1, 2, 3]) await other.publish('load/a', { n })
  const asleep = await became(dust.clientId, (client) => client?.queued === 3)
  expect(asleep).toMatchObject({ principal: 'device:dust', online: false, subscriptions: 1 })
  expect(asleep?.queuedBytes).toBeGreaterThan(10)
  expect(asleep).not.toHaveProperty('address')
  const all = await clients()
  expect(all.counts).toMatchObject({ connected: 1, asleep: 1, queued: 3, slowClientsCut: 0 })
  expect((await clients('?online=true')).items.map(({ clientId }) => clientId)).toEqual([lamp.clientId])
  expect((await clients('?online=false')).items.map(({ clientId }) => clientId)).toEqual([dust.clientId])
  expect((await clients('?text=DEVICE:LAMP')).items.map(({ principal }) => principal)).toEqual(['device:lamp'])
  expect(await clients('?limit=1')).toMatchObject({ items: [{}], total: 2 })
  expect((await clients('?limit=1')).items).toHaveLength(1)

  const metrics = (await hub.api<{ text: string }>('/metrics')).body.text
  expect(metrics).toMatch(/millrace_broker_sessions\{kind="queued"\} 3/)
  expect(metrics).toMatch(/millrace_broker_clients\{protocol="3\.1\.1"\} 1/)
  expect(metrics).toMatch(/millrace_broker_unsent_bytes 0/)

  const back = await hub.mqtt(dust, { clean: false })
  expect(back.present).toBe(true)
  await became(dust.clientId, (client) => client?.online === true && client.queued === 0)
  await Promise.all([back.end(), other.end()])
})

test('what was refused last is told, at the right client', async () => {
  const wire = await hub.mqtt(lamp)
  const before = await row(lamp.clientId)
  expect(before).not.toHaveProperty('lastError')
  expect(await wire.subscribe('jarvis/devices/dust/state')).toBe(128)
  const after = await row(lamp.clientId)
  expect(after?.lastError?.what).toMatch(
    /^Subscription to jarvis\/devices\/dust\/state refused: .*device:lamp may not read/,
  )
  expect(Date.parse(after?.lastError?.at ?? '')).toBeGreaterThan(Date.now() - 60_000)
  await expect(hub.mqtt({ ...lamp, password: 'wrong wrong wrong' })).rejects.toThrow(/bad username or password/i)
  expect((await row(lamp.clientId))?.lastError?.what).toMatch(
    /^Connection from .*127\.0\.0\.1 refused: wrong user name/,
  )
  await wire.end()
})

test('disconnecting ends the connection, publishes the will and keeps the session', async () => {
  const watcher = await hub.mqtt(lamp)
  await watcher.subscribe('load/will')
  const wire = await hub.mqtt(dust, {
    clean: false,
    will: { topic: 'load/will', payload: Buffer.from('"gone"'), qos: 1, retain: false },
  })
  await wire.subscribe('load/b')
  const answer = await hub.api(path(dust.clientId, 'disconnect'), { method: 'POST', token: tokens['engineer'] ?? '' })
  expect(answer.status, JSON.stringify(answer.body)).toBe(204)
  await wire.gone
  await watcher.hears('load/will')
  expect(await became(dust.clientId, (client) => client?.online === false)).toMatchObject({ subscriptions: 2 })
  expect((await hub.api(path(dust.clientId, 'disconnect'), { method: 'POST' })).status).toBe(404)
  const back = await hub.mqtt(dust, { clean: false })
  expect(back.present).toBe(true)
  await Promise.all([back.end(), watcher.end()])
})

test('purging forgets the session of exactly this client id, connected or not', async () => {
  const suffixed = { ...dust, clientId: `${dust.clientId}-2` }
  const [one, two] = [await hub.mqtt(dust, { clean: false }), await hub.mqtt(suffixed, { clean: false })]
  for (const wire of [one, two]) await wire.subscribe('load/c')
  await two.end()
  const answer = await hub.api(path(dust.clientId, 'session'), { method: 'DELETE' })
  expect(answer.status, JSON.stringify(answer.body)).toBe(204)
  await one.gone
  expect(await row(dust.clientId)).toBeUndefined()
  expect(await row(suffixed.clientId)).toMatchObject({ online: false, subscriptions: 1 })
  const back = await hub.mqtt(dust, { clean: false })
  expect(back.present).toBe(false)
  await back.end()
  expect((await hub.api(path(suffixed.clientId, 'session'), { method: 'DELETE' })).status).toBe(204)
  expect((await hub.api(path(suffixed.clientId, 'session'), { method: 'DELETE' })).status).toBe(404)
})

test('who may not, cannot look or disconnect', async () => {
  const look = (token: string) => hub.api('/api/broker/clients', { token })
  expect((await look(tokens['operator'] ?? '')).status).toBe(403)
  expect((await look(tokens['safety'] ?? '')).status).toBe(200)
  const safety = tokens['safety'] ?? ''
  expect((await hub.api(path('x', 'disconnect'), { method: 'POST', token: safety })).status).toBe(403)
  expect((await hub.api(path('x', 'session'), { method: 'DELETE', token: safety })).status).toBe(403)
  expect((await hub.api('/api/broker/right?origin=hub&topic=a', { token: tokens['operator'] ?? '' })).status).toBe(403)
  expect((await hub.api('/api/broker/clients?limit=5000')).status).toBe(400)
})

test('the right behind a message is explained by today’s policy', async () => {
  const right = async (origin: string, topic: string) =>
    (await hub.api(`/api/broker/right?${new URLSearchParams({ origin, topic }).toString()}`)).body
  expect(await right('device:dust', 'load/a')).toEqual({ allowed: true, why: 'its credential was granted load/#' })
  expect(await right('person:ada', 'jarvis/devices/dust/request')).toMatchObject({
    allowed: true,
    why: expect.stringMatching(/devices\.request/) as string,
  })
  expect(await right('device:dust', 'jarvis/devices/lamp/state')).toMatchObject({ allowed: false })
  await hub.api(`/api/device-credentials/${lamp.clientId}`, { method: 'DELETE' })
  expect(await right('device:lamp', 'jarvis/devices/lamp/state')).toMatchObject({
    allowed: false,
    why: expect.stringMatching(/nobody the hub knows now/) as string,
  })
  const answer = await hub.api('/api/broker/right?origin=hub&topic=a/%23')
  expect(answer.status).toBe(400)
})
