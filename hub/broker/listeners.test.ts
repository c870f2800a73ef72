// The ways in: TLS, WebSocket, the web port; and how many may stand at the door.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { openAdmission } from './admission.ts'
import { testCertificate } from './test-certificate.ts'
import { connected, connectPacket, heardBy, openTestBroker, rawClient, until, within } from './test-broker.ts'

test('MQTT over TLS, and a renewed certificate without a restart', async () => {
  const first = testCertificate('first')
  const second = testCertificate('second')
  await using hub = await openTestBroker({ listen: { bind: '127.0.0.1', mqtt: 0, mqtts: { port: 0, tls: first } } })
  const url = `mqtts://127.0.0.1:${hub.broker.ports.mqtts}`
  const ada = await connected(url, 'ada', { ca: first.cert })
  const heard = heardBy(ada)
  await ada.subscribeAsync('load/#')
  await ada.publishAsync('load/a', 'x', { qos: 1 })
  await until('the message', () => heard.length === 1)
  hub.broker.renewTls(second)
  const bob = await connected(url, 'bob', { ca: second.cert })
  expect(ada.connected && bob.connected).toBe(true)
  expect(hub.broker.clients().map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.1'])
  await Promise.all([ada.endAsync(true), bob.endAsync(true)])
})

test('whoever does not finish the TLS handshake is sent away', async () => {
  const tls = testCertificate('hub')
  await using hub = await openTestBroker({
    listen: { bind: '127.0.0.1', mqtt: undefined, mqtts: { port: 0, tls } },
    limits: { connectTimeout: 300 },
  })
  const port = hub.broker.ports.mqtts ?? 0
  const silent = connectTcp(port, '127.0.0.1')
  silent.on('error', () => {})
  silent.resume()
  await within(2000, 'the end', once(silent, 'close'))
  const wordless = connectTls({ port, host: '127.0.0.1', ca: tls.cert })
  wordless.on('error', () => {})
  wordless.resume()
  await within(2000, 'the end', once(wordless, 'close'))
  const babbling = connectTcp(port, '127.0.0.1')
  babbling.on('error', () => {})
  babbling.resume()
  babbling.write('GET / HTTP/1.1\r\n\r\n')
  await within(2000, 'the end', once(babbling, 'close'))
})

test('MQTT over its own WebSocket port', async () => {
  await using hub = await openTestBroker({
    listen: { bind: '127.0.0.1', mqtt: undefined, ws: 0 },
    limits: { connectTimeout: 300 },
  })
  const port = hub.broker.ports.ws ?? 0
  const ada = await connected(`ws://127.0.0.1:${port}`, 'ada', { protocolVersion: 5 })
  const heard = heardBy(ada)
  await ada.subscribeAsync('load/#')
  await ada.publishAsync('load/a', 'x'.repeat(100_000), { qos: 2 })
  await until('the message', () => heard.length === 1)
  expect(hub.broker.clients().map(({ address }) => address)).toEqual(['127.0.0.1'])
  await ada.endAsync(true)

  const say = async (text: string) => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => {})
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.write(text)
    await within(2000, 'the end', once(socket, 'close'))
    return answer.split('\r\n')[0]
  }
  const upgrade =
    'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  expect(await say(`GET / HTTP/1.1\r\n${upgrade}\r\n`)).toBe('HTTP/1.1 400 Bad Request')
  expect(await say('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('HTTP/1.1 426 Upgrade Required')
  expect(await say('GET / HT')).toMatch(/^$|408/)
  // Upgraded, but no CONNECT.
  expect(await say(`GET / HTTP/1.1\r\n${upgrade}Sec-WebSocket-Protocol: mqtt\r\n\r\n`)).toBe(
    'HTTP/1.1 101 Switching Protocols',
  )
})

test('a WebSocket of the web port is handed over as a stream', async () => {
  await using hub = await openTestBroker()
  const web = createServer()
  const sockets = new WebSocketServer({ server: web, handleProtocols: () => 'mqtt' })
  sockets.on('connection', (socket, request) =>
    hub.broker.handle(createWebSocketStream(socket), request.socket.remoteAddress ?? ''),
  )
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  const ada = await connected(`ws://127.0.0.1:${(web.address() as AddressInfo).port}`, 'ada')
  await ada.publishAsync('load/a', 'x', { qos: 1 })
  expect(hub.intake.accepted.map(({ topic }) => topic)).toEqual(['load/a'])
  await ada.endAsync(true)
  sockets.close()
  web.close()
})

test('one address holds so many strangers and so many connections, and no more', async () => {
  await using hub = await openTestBroker({ limits: { strangersPerAddress: 3, connectionsPerAddress: 5 } })
  const strangers = await Promise.all([rawClient(hub.port), rawClient(hub.port), rawClient(hub.port)])
  await until('they are counted', async () => {
    const one = await rawClient(hub.port)
    await Promise.race([one.closed, new Promise((resolve) => setTimeout(resolve, 50))])
    const full = one.isClosed
    one.socket.destroy()
    return full
  })
  // Who logs in makes room for the next stranger.
  for (const [i, stranger] of strangers.entries()) {
    stranger.send(connectPacket('bob', 4, { clientId: `b${i}` }))
    await stranger.next('connack')
  }
  await hub.client('ada')
  await hub.client('ada', { clientId: 'ada-2' })
  await expect(hub.client('ada', { clientId: 'ada-3' })).rejects.toThrow()
  strangers[0]?.socket.destroy()
  await until('the place is free', () => hub.broker.clients().length === 4)
  await expect(hub.client('ada', { clientId: 'ada-3' })).resolves.toBeDefined()
  for (const { socket } of strangers) socket.destroy()
})

test('a /64 of IPv6 counts as one address, and IPv4 in IPv6 as itself', () => {
  const admission = openAdmission({ connections: 10, connectionsPerAddress: 1, strangersPerAddress: 1 })
  expect(admission.enter('2001:db8:1:2:3::4')).toBeDefined()
  expect(admission.enter('2001:db8:1:2::9')).toBeUndefined()
  expect(admission.enter('2001:db8:1:3::9')).toBeDefined()
  expect(admission.enter('::1')).toBeDefined()
  const four = admission.enter('::ffff:10.0.0.1')
  expect(four?.address).toBe('10.0.0.1')
  expect(admission.enter('10.0.0.1')).toBeUndefined()
  four?.gone()
  four?.gone()
  expect(admission.enter('10.0.0.1')).toBeDefined()
})
