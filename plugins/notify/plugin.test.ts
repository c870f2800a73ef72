// The notifier through the front door of a whole hub, with an ntfy server and a webhook that die and come back.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, testHub, type TestHub } from '../../hub/testing/hub.ts'
import { eventually } from '../../hub/testing/until.ts'
import { type FakePeer, fakePeer } from './peer.fake.ts'
import type { Notification } from './topics.ts'

let hub: TestHub
let ntfy: FakePeer
let hook: FakePeer
const WAIT = { ms: 15_000 }

const inbox = async (): Promise<Notification[]> =>
  (await hub.api<{ items: Notification[] }>('/api/notifications')).body.items
const bodies = (peer: FakePeer): Record<string, unknown>[] =>
  peer.taken.map(({ body }) => JSON.parse(body) as Record<string, unknown>)

const ofStop = (all: readonly Record<string, unknown>[]): Record<string, unknown>[] =>
  all.filter(({ title }) => String(title).includes('stopped by'))

/** A plugin that reports the error it is told to by a request to its route. */
const TROUBLE = `
import { NEVER } from 'rxjs'
import { z } from 'zod'
let tell = () => {}
export default {
  id: 'trouble', title: 'Trouble', config: z.strictObject({}), handles: [], publishes: [],
  routes: (app) => {
    app.post('/api/trouble/:type', { config: { may: 'devices.request' }, schema: { params: z.object({ type: z.string() }) } }, async (request) => {
      tell({ type: request.params.type, message: 'The peer refused password=hunter22', severity: 'error' })
      return {}
    })
  },
  start: ({ report }) => { tell = report; return NEVER },
}
`

beforeAll(async () => {
  ntfy = await fakePeer()
  hook = await fakePeer()
  hub = await testHub({
    prepare: (dir) => {
      for (const name of ['notify', 'trouble', '../data'])
        mkdirSync(join(dir, 'plugins', name), { recursive: true, mode: 0o700 })
      writeFileSync(
        join(dir, 'plugins/notify/plugin.ts'),
        `export { default } from ${JSON.stringify(join(ROOT, 'plugins/notify/plugin.ts'))}\n`,
      )
      // Beside the repository's modules, so that its imports are found.
      writeFileSync(
        join(dir, 'plugins/trouble/plugin.ts'),
        TROUBLE.replaceAll("'rxjs'", JSON.stringify(import.meta.resolve('rxjs'))).replaceAll(
          "'zod'",
          JSON.stringify(import.meta.resolve('zod')),
        ),
      )
      writeFileSync(
        join(dir, 'data/peers.yaml'),
        `notify:\n  ntfy: { baseUrl: '${ntfy.url}', auth: { kind: bearer, token: tk_verysecret } }\n  webhook: { baseUrl: '${hook.url}/hook', auth: { kind: api-key, key: signing-key } }\n`,
        { mode: 0o600 },
      )
      // A workshop of one person: a stop is released at once.
      writeFileSync(join(dir, 'data/policy.yaml'), 'resume: { roles: [admin], dual: false }\n', { mode: 0o600 })
      writeFileSync(
        join(dir, 'millrace.yaml'),
        `plugins:\n  notify: { appUrl: 'http://hub.local', firstPauseMs: 50, timeoutMs: 5000 }\n`,
      )
    },
  })
})
afterAll(async () => {
  await hub.close()
  await ntfy.close()
  await hook.close()
})

test('an approval that waits is told with the link that opens it', async () => {
  const lock = await hub.mqtt(await hub.credential('gate'))
  await lock.publish(
    'jarvis/devices/gate/about',
    { name: 'Gate', kind: 'lock', intents: { 'lock.unlock': {} } },
    { retain: true },
  )
  await lock.publish('jarvis/devices/gate/online', true, { retain: true })
  await eventually(
    () => hub.api<{ items: { online: boolean }[] }>('/api/devices'),
    ({ body }) => body.items.some(({ online }) => online),
    WAIT,
  )
  const { status, body } = await hub.api<{ approval?: string; error?: { message: string } }>(
    '/api/device/gate/command',
    { json: { intent: 'lock.unlock' } },
  )
  expect(status, JSON.stringify(body)).toBe(202)
  const told = await eventually(
    () => bodies(ntfy),
    (all) => all.some(({ click }) => String(click).includes('/approvals?id=')),
    WAIT,
  )
  expect(told.map(({ click }) => click)).toEqual([`http://hub.local/approvals?id=${body.approval ?? ''}`])
})

test('a stop is told everywhere, with a link, once', async () => {
  await hub.api('/api/safety/stop', { json: { reason: 'smoke at the laser' } })
  await eventually(inbox, (items) => items.some(({ source }) => source === 'stop'), WAIT)
  await eventually(
    () => [bodies(ntfy), bodies(hook)],
    ([a = [], b = []]) => ofStop(a).length === 1 && ofStop(b).length === 1,
    WAIT,
  )
  expect(ofStop(bodies(ntfy))[0]).toMatchObject({ topic: 'millrace', priority: 5, click: 'http://hub.local/now' })
  expect(ofStop(bodies(hook))[0]).toMatchObject({
    source: 'stop',
    severity: 'critical',
    text: expect.stringContaining('smoke at the laser'),
  })
})

test('the stop is over for everybody when the shop is released, and the approval it cancelled says so', async () => {
  const [stop] = (await inbox()).filter(({ source }) => source === 'stop')
  expect(stop?.status).toBe('open')
  const gone = (await inbox()).find(({ source }) => source === 'approval')
  expect(gone).toMatchObject({ status: 'ended', title: expect.stringMatching(/^Approval cancelled: lock\.unlock/) })
  expect((await hub.api('/api/safety/resume', { json: {} })).body).toMatchObject({ released: true })
  const ended = await eventually(inbox, (all) =>
    all.every(({ source, status }) => source !== 'stop' || status === 'ended'),
  )
  expect(ended.some(({ id, status }) => id === stop?.id && status === 'ended')).toBe(true)
})

test('a hundred errors of one cause are one notification with a count, and no secret leaves', async () => {
  const before = bodies(hook).length
  for (let n = 0; n < 20; n++) await hub.api('/api/trouble/Flood', { json: {} })
  const items = await eventually(
    inbox,
    (all) => all.some(({ key, count }) => key.endsWith(':Flood') && count > 1),
    WAIT,
  )
  expect(items.filter(({ key }) => key.endsWith(':Flood'))).toHaveLength(1)
  await eventually(
    () => bodies(hook).length,
    (n) => n > before,
    WAIT,
  )
  expect(bodies(hook)).toHaveLength(before + 1)
  const said = JSON.stringify([items, ntfy.heard.map(({ body }) => body), hook.heard])
  for (const secret of ['hunter22', 'signing-key']) expect(said).not.toContain(secret)
})

test('a peer that is away is in health, and gets what waited when it is back', async () => {
  await hook.die()
  await hub.api('/api/trouble/Away', { json: {} })
  const part = async () =>
    (await hub.api<{ parts?: { part: string; status: string; what?: string }[] }>('/api/health')).body
  await eventually(part, (body) => JSON.stringify(body).includes('do not get through'), WAIT)
  await hook.revive()
  await eventually(
    () => bodies(hook).some(({ key }) => String(key).endsWith(':Away')),
    (isThere) => isThere,
    WAIT,
  )
  await eventually(part, (body) => !JSON.stringify(body).includes('do not get through'), WAIT)
})

test('the inbox is on its topic for pages, and a person marks one as seen', async () => {
  const wire = await hub.mqtt({ clientId: 'ui.ada-inbox', username: 'ada', password: hub.token })
  await wire.subscribe('jarvis/notify/inbox')
  const retained = await wire.hears('jarvis/notify/inbox')
  expect(retained.json()['items']).toEqual(expect.arrayContaining([expect.objectContaining({ source: 'stop' })]))
  const [first] = await inbox()
  const { status, body } = await hub.api<Notification>(`/api/notifications/${first?.id ?? ''}/seen`, {
    method: 'POST',
    json: {},
  })
  expect(status).toBe(200)
  expect(body.seenBy).toEqual(['person:ada'])
  await wire.hears(({ text }) => text.includes('"seenBy":["person:ada"]'))
  expect((await hub.api('/api/notifications/seen', { method: 'POST' })).status).toBe(200)
  const seen = (await inbox()).map(({ seenBy }) => seenBy)
  expect(new Set(seen.map(String))).toEqual(new Set(['person:ada']))
  expect((await hub.api('/api/notifications/none/seen', { method: 'POST', json: {} })).status).toBe(404)
  expect((await hub.api('/api/notifications', { token: null })).status).toBe(401)
})
