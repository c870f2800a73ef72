// For the crash test: a queue longer than memory holds, which is read while it grows, until it is killed. Notes what was queued and taken for good.
import { openSync, writeSync } from 'node:fs'
import { openSessionStore } from './open.ts'
import type { Packet } from './packets.ts'

const [file = '', round = '0', told = ''] = process.argv.slice(2)
const out = openSync(told, 'a')
const log = { info: () => {}, warn: () => {}, error: () => {} }
const limits = { heldMessages: 8, heldBytes: 4000 }
const store = await openSessionStore({ file, durability: 'process', log, limits })
await store.setup({ id: 'broker-1', clients: {} })
const tell = (line: string) => writeSync(out, `${line}\n`)
tell('start')
const one = { id: 'one' }
let n = Number(round) * 1_000_000
const writer = async (): Promise<never> => {
  for (;;) {
    const brokerCounter = ++n
    const packet = {
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.from('x'),
      qos: 2,
      brokerId: 'broker-1',
      brokerCounter,
    }
    await store.outgoingEnqueue({ clientId: 'one' }, packet)
    tell(`queued ${brokerCounter}`)
  }
}
const reader = async (): Promise<never> => {
  for (;;) {
    let id = 0
    for await (const each of store.outgoingStream(one)) {
      const packet = each as Packet
      const messageId = packet.messageId ?? (id = (id % 60_000) + 1)
      if (packet.cmd !== 'pubrel') {
        await store.outgoingUpdate(one, { ...packet, messageId })
        tell(`seen ${packet.brokerCounter}`)
      }
      await store.outgoingUpdate(one, { cmd: 'pubrel', messageId } as Packet)
      void store.outgoingClearMessageId(one, { cmd: 'pubcomp', messageId } as Packet)
      // That it is gone is stored with the next change, which waits for the file.
      await store.putWill(one, { topic: 'w', payload: Buffer.alloc(0), qos: 0 })
      if (packet.cmd !== 'pubrel') tell(`taken ${packet.brokerCounter}`)
    }
  }
}
for (let i = 0; i < 20; i++) void writer()
void reader()
