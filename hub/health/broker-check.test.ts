// The doctor's look at another broker, against a peer that speaks real MQTT.
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { fakeBroker, type FakeBroker, type Manners } from '../broker/external-line.fake.ts'
import { brokerReached } from './broker-check.ts'
import { Secret } from './secret.ts'

const running: FakeBroker[] = []
afterEach(() => running.splice(0).forEach((broker) => broker.close()))

const fake = async (manners: Manners = {}): Promise<FakeBroker> => {
  const broker = await fakeBroker(manners)
  running.push(broker)
  return broker
}
const look = (url: string, { offline = true, caFile }: { offline?: boolean; caFile?: string } = {}) =>
  brokerReached({ variable: 'BROKER_URL', url: new Secret(url), offline, caFile }).run()

test('a broker that takes the login is healthy, and keeps nothing of the check', async () => {
  const broker = await fake()
  expect(await look(`mqtt://hub:geheim@127.0.0.1:${broker.port}`)).toEqual({
    word: 'healthy',
    what: `mqtt://127.0.0.1:${broker.port} takes the hub's login (MQTT 5)`,
  })
  expect(broker.connects).toHaveLength(1)
  expect(broker.connects[0]).toMatchObject({ clean: true, username: 'hub' })
  expect(broker.connects[0]?.password?.toString()).toBe('geheim')
})

test('a login that is refused says what to do, and never the password', async () => {
  const { port } = await fake({ reasonCode: 0x86 })
  const found = await look(`mqtt://hub:geheim@127.0.0.1:${port}`)
  expect(found).toMatchObject({ word: 'unhealthy', hint: expect.stringContaining('correct BROKER_URL') })
  expect(JSON.stringify(found)).not.toContain('geheim')
})

test('nothing there, an address off the site, a wrong address and a missing authority are told apart', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await new Promise((closed) => server.close(closed))
  expect(await look(`mqtt://127.0.0.1:${port}`)).toMatchObject({ hint: expect.stringContaining('Nothing listens') })
  expect(await look('mqtt://8.8.8.8')).toMatchObject({ hint: expect.stringContaining('OFFLINE_MODE') })
  expect(await look('http://127.0.0.1')).toMatchObject({ hint: expect.stringContaining('mqtt://user:password@') })
  expect(await look('mqtts://127.0.0.1', { caFile: '/nowhere/ca.pem' })).toMatchObject({
    word: 'unhealthy',
    hint: expect.stringContaining('BROKER_CA_FILE'),
  })
})

test('a peer that takes the connection and says nothing is given up in time', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    const begun = performance.now()
    expect(await look(`mqtt://127.0.0.1:${port}`)).toMatchObject({
      word: 'unhealthy',
      hint: expect.stringContaining('no answer within 2 s'),
    })
    expect(performance.now() - begun).toBeLessThan(4500)
  } finally {
    server.close()
  }
})
