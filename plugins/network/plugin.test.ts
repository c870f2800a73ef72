// The search through the front door of a whole hub: peers on loopback that appear, move, leave and come back; people who accept and ignore.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHub } from '../../hub/main.ts'
import { ROOT, testHub, type TestHub } from '../../hub/testing/hub.ts'
import { outsider } from '../../hub/testing/outsider.ts'
import { eventually } from '../../hub/testing/until.ts'
import type { Found } from './thing.ts'
import {
  fakeDatagrams,
  fakeResponder,
  type FakeDatagrams,
  type FakeResponder,
  type FakeService,
  freeUdpPort,
  httpMessage,
  LOOPBACK,
} from './network.fake.ts'
import { kasaCipher, VENDOR_IDS } from './vendors.ts'

const WAIT = { ms: 15_000 }
let hub: TestHub
let mdns: FakeResponder
let upnp: FakeDatagrams
let kasa: FakeDatagrams
let ports: Record<string, number>

const octopi: FakeService = {
  type: '_octoprint._tcp',
  name: 'OctoPrint on Prusa',
  host: 'prusa.local',
  port: 5000,
  addresses: ['127.0.0.11'],
  txt: ['path=/', 'version=1.11.0', 'api=0.1', 'u=ada', 'p=verysecretword'],
}
const UUID = '2fac1234-31f8-11b4-a222-08002b34c003'
const root = (nts: string) => ({
  HOST: '239.255.255.250:1900',
  'CACHE-CONTROL': 'max-age=1800',
  LOCATION: `http://${LOOPBACK}:49152/description.xml`,
  NT: 'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
  NTS: nts,
  SERVER: 'Linux/6.1 UPnP/1.1 Gate/3',
  USN: `uuid:${UUID}::urn:schemas-upnp-org:device:InternetGatewayDevice:2`,
})

interface Listed {
  items: Found[]
  networks: string[]
  searchingUntil?: string
  refused: Record<string, number>
}
const list = async (): Promise<Listed> => (await hub.api<Listed>('/api/network/found')).body
const thing = async (name: string): Promise<Found | undefined> => (await list()).items.find((one) => one.name === name)
const comes = (name: string, isSo: (found: Found) => boolean = () => true): Promise<Found> =>
  eventually(
    () => thing(name),
    (found): found is Found => found !== undefined && isSo(found),
    WAIT,
  )

const settings = (): string =>
  `plugins:\n  network:\n    interfaces: ['${LOOPBACK}']\n    ports: { ${Object.entries(ports)
    .map(([name, port]) => `${name}: ${port}`)
    .join(', ')} }\n`

beforeAll(async () => {
  const names = ['mdns', 'ssdp', ...VENDOR_IDS]
  ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freeUdpPort()] as const)))
  mdns = await fakeResponder(ports['mdns'] ?? 0, [octopi])
  upnp = await fakeDatagrams(
    ports['ssdp'] ?? 0,
    (bytes) => {
      if (!bytes.toString().startsWith('M-SEARCH')) return undefined
      const { NT: _, NTS: __, HOST: ___, ...headers } = root('')
      return httpMessage('HTTP/1.1 200 OK', {
        ...headers,
        EXT: '',
        ST: 'upnp:rootdevice',
        USN: `uuid:${UUID}::upnp:rootdevice`,
      })
    },
    ['239.255.255.250'],
  )
  const answer = {
    system: {
      get_sysinfo: { alias: 'Soldering plug', model: 'HS110(EU)', mac: '50:C7:BF:00:11:22', latitude_i: 483000 },
    },
  }
  kasa = await fakeDatagrams(ports['kasa'] ?? 0, (bytes) =>
    kasaCipher.show(bytes).toString() === '{"system":{"get_sysinfo":{}}}'
      ? kasaCipher.hide(JSON.stringify(answer))
      : undefined,
  )
  hub = await testHub({
    prepare: (dir) => {
      mkdirSync(join(dir, 'plugins/network'), { recursive: true, mode: 0o700 })
      writeFileSync(
        join(dir, 'plugins/network/plugin.ts'),
        `export { default } from ${JSON.stringify(join(ROOT, 'plugins/network/plugin.ts'))}\n`,
      )
      writeFileSync(join(dir, 'millrace.yaml'), settings())
    },
  })
})
afterAll(async () => {
  await hub?.close()
  await Promise.all([mdns?.close(), upnp?.close(), kasa?.close()])
})

test('a printer, a router and a plug are found, each with reasons, and nothing of theirs that is secret is kept', async () => {
  const printer = await comes('OctoPrint on Prusa', ({ addresses }) => addresses.length > 0)
  expect(printer).toMatchObject({
    kind: 'octoprint',
    title: 'OctoPrint',
    addresses: ['127.0.0.11'],
    port: 5000,
    facts: { path: '/', version: '1.11.0', api: '0.1' },
    status: 'new',
    saidBy: [{ source: 'mdns', what: '_octoprint._tcp', from: LOOPBACK }],
  })
  expect(printer.reasons.map(({ text }) => text).join(' ')).toContain('gives 127.0.0.11, but 127.0.0.1 said so')
  expect(printer.next).toBeUndefined()
  const plug = await comes('Soldering plug')
  expect(plug).toMatchObject({ kind: 'kasa', addresses: [LOOPBACK], facts: { model: 'HS110(EU)' } })
  expect(plug.confidence).toBeGreaterThan(printer.confidence)
  await upnp.say(httpMessage('NOTIFY * HTTP/1.1', root('ssdp:alive')), ports['ssdp'] ?? 0, '239.255.255.250')
  const router = await comes('Linux/6.1 UPnP/1.1 Gate/3', ({ kind }) => kind === 'router')
  expect(router.url).toBe(`http://${LOOPBACK}:49152/description.xml`)
  const said = JSON.stringify(await list())
  for (const secret of ['verysecretword', '483000']) expect(said).not.toContain(secret)
})

test('the list is on its topic', async () => {
  const wire = await hub.mqtt({ clientId: 'ui.ada-network', username: 'ada', password: hub.token })
  await wire.subscribe('jarvis/network/found')
  const { text } = await wire.hears(
    ({ text }) => text.includes('Soldering plug') && text.includes('"kind":"router"'),
    15_000,
  )
  expect(text).not.toContain('verysecretword')
})

test('accepting is a decision of a person that is kept, and says what to do next; it can be taken back', async () => {
  const { id } = await comes('OctoPrint on Prusa')
  const accepted = await hub.api<Found>(`/api/network/found/${id}/accept`, { method: 'POST', json: {} })
  expect(accepted.body).toMatchObject({ status: 'accepted', decision: { status: 'accepted', by: 'person:ada' } })
  expect(accepted.body.next?.yaml).toContain('baseUrl: http://127.0.0.11:5000')
  expect(accepted.body.next?.text).toContain('nothing can be controlled')
  const devices = await hub.api<{ items: unknown[] }>('/api/devices')
  expect(devices.body.items).toEqual([])
  const back = await hub.api<Found>(`/api/network/found/${id}/reset`, { method: 'POST', json: {} })
  expect(back.body).toMatchObject({ status: 'new' })
  expect(back.body.next).toBeUndefined()
  const { id: plug } = await comes('Soldering plug')
  await hub.api(`/api/network/found/${plug}/ignore`, { method: 'POST', json: {} })
  expect(await thing('Soldering plug')).toMatchObject({ status: 'ignored' })
  await hub.api(`/api/network/found/${id}/accept`, { method: 'POST', json: {} })
})

test('who may not manage devices may look and decides nothing', async () => {
  const { id } = await comes('OctoPrint on Prusa')
  expect((await hub.api('/api/network/found', { token: null })).status).toBe(401)
  const key = await hub.api<{ key: string }>('/api/keys', { json: { name: 'screen', scopes: ['devices.read'] } })
  const asScreen = { token: key.body.key }
  expect((await hub.api('/api/network/found', asScreen)).status).toBe(200)
  for (const path of [`/api/network/found/${id}/accept`, `/api/network/found/${id}/ignore`, '/api/network/search'])
    expect((await hub.api(path, { ...asScreen, method: 'POST', json: {} })).status, path).toBe(403)
  expect((await hub.api('/api/network/found/000000000000/accept', { method: 'POST', json: {} })).status).toBe(404)
  expect((await hub.api('/api/network/found/..%2f/accept', { method: 'POST', json: {} })).status).toBe(400)
})

test('an acceptance does not follow to another address, and the network alone cannot bring it back', async () => {
  octopi.addresses = ['127.0.0.12']
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await mdns.announce(octopi)
  const moved = await comes('OctoPrint on Prusa', ({ addresses }) => addresses[0] === '127.0.0.12')
  expect(moved).toMatchObject({ status: 'new', reopened: expect.stringContaining('127.0.0.11 when ada accepted it') })
  octopi.addresses = ['127.0.0.11']
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await mdns.announce(octopi)
  expect(await comes('OctoPrint on Prusa', ({ addresses }) => addresses[0] === '127.0.0.11')).toMatchObject({
    status: 'new',
  })
  await hub.api(`/api/network/found/${moved.id}/accept`, { method: 'POST', json: {} })
})

test('what says goodbye is gone and stays decided; when it is back it is accepted again', async () => {
  await mdns.leave(octopi)
  await comes('OctoPrint on Prusa', ({ status, decision }) => status === 'gone' && decision?.status === 'accepted')
  await mdns.announce(octopi)
  await comes('OctoPrint on Prusa', ({ status }) => status === 'accepted')
  await upnp.say(httpMessage('NOTIFY * HTTP/1.1', root('ssdp:byebye')), ports['ssdp'] ?? 0, '239.255.255.250')
  await comes('Linux/6.1 UPnP/1.1 Gate/3', ({ status }) => status === 'gone')
})

test('a person searches now: everything is asked again, and while it runs it is the same search', async () => {
  await eventually(list, ({ searchingUntil }) => searchingUntil === undefined, WAIT)
  const before = [upnp, kasa].map(({ heard }) => heard.length)
  const asked = mdns.heard.length
  const search = () => hub.api<{ searchingUntil: string }>('/api/network/search', { method: 'POST', json: {} })
  const first = await search()
  expect(first.status).toBe(202)
  await eventually(
    () => [upnp, kasa].every(({ heard }, n) => heard.length > (before[n] ?? 0)) && mdns.heard.length > asked,
    (isSo) => isSo,
    WAIT,
  )
  expect((await search()).body).toEqual(first.body)
  expect(await list()).toMatchObject({ searchingUntil: first.body.searchingUntil, networks: [`${LOOPBACK}/8`] })
})

test('what was decided is there after a restart, before anything has spoken', async () => {
  const { config } = hub
  await hub.hub.close()
  await mdns.close()
  const again = await startHub(config)
  const outside = outsider(`http://127.0.0.1:${again.ports.http}`, again.ports.mqtt ?? 0, () => token)
  let token = ''
  try {
    token = await outside.login('ada', 'correct horse battery')
    const { body } = await outside.api<Listed>('/api/network/found')
    expect(body.items.find(({ name }) => name === 'OctoPrint on Prusa')).toMatchObject({ status: 'accepted' })
    expect(body.items.find(({ name }) => name === 'Soldering plug')?.decision).toMatchObject({ status: 'ignored' })
  } finally {
    await outside.leave()
    await again.close()
  }
})
