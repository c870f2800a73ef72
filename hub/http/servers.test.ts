import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { share } from './servers.ts'

test('one address cannot take every place at the web port', async () => {
  const server = createServer((_, response) => response.end('stopped'))
  share(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const idle: Socket[] = []
  let closed = 0
  for (let i = 0; i < 300; i++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    socket.on('error', () => {})
    socket.on('close', () => closed++)
    await once(socket, 'connect')
    idle.push(socket)
  }
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  expect(await answer.text()).toBe('stopped')
  expect(closed).toBe(300 - 256)
  for (const socket of idle) socket.destroy()
  server.close()
})
