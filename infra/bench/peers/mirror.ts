// Sends every byte of every PUBLISH straight back: how fast the generator itself can go.
import { createServer, type Socket } from 'node:net'
import { generate, parser } from 'mqtt-packet'

let subscriber: Socket | undefined
const server = createServer((socket) => {
  const parse = parser({ protocolVersion: 4 })
  let open = false
  parse.on('packet', (packet: { cmd: string; messageId?: number }) => {
    if (packet.cmd === 'connect') socket.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }))
    if (packet.cmd === 'subscribe') {
      socket.write(generate({ cmd: 'suback', messageId: packet.messageId ?? 1, granted: [0] }))
      subscriber = socket
    }
    open = packet.cmd === 'connect'
  })
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    if (open && subscriber !== undefined && subscriber !== socket) subscriber.write(chunk)
    else parse.parse(chunk)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : 0}\n`)
})
