// For the crash test: stores without end and notes in a second file what was acknowledged, until it is killed.
import { openSync, writeSync } from 'node:fs'
import { openSessionStore } from './open.ts'

const [file = '', from = '0', told = ''] = process.argv.slice(2)
const out = openSync(told, 'a')
const log = { info: () => {}, warn: () => {}, error: () => {} }
const store = await openSessionStore({ file, durability: 'process', log })
await store.setup({ id: `broker-${from}`, clients: {} })
const tell = (line: string) => writeSync(out, `${line}\n`)
await store.addSubscriptions({ id: `subscriber-${from}` }, [{ topic: 'a/#', qos: 1 }])
tell(`sub subscriber-${from}`)
let n = Number(from)
const packet = (k: number) => ({
  cmd: 'publish',
  topic: `a/${k % 50}`,
  payload: Buffer.from(`message ${k}`),
  qos: 1,
  brokerId: `broker-${from}`,
  brokerCounter: k + 1,
  properties: { correlationData: Buffer.from([k & 255]), userProperties: { k: String(k) } },
  messageExpiry: 4_000_000_000_000,
})
const writer = async () => {
  for (;;) {
    const k = n++
    const retained = store.storeRetained({ ...packet(k), topic: `r/${k % 500}` }).then(() => tell(`ret ${k}`))
    const queued = store
      .outgoingEnqueueCombi([{ clientId: 'offline' }, { clientId: `subscriber-${from}` }], packet(k))
      .then(() => tell(`que ${k}`))
    const begun = store
      .incomingStorePacket({ id: 'sender' }, { ...packet(k), qos: 2, messageId: (k % 900) + 1 })
      .then(() => tell(`inc ${(k % 900) + 1}`))
    await Promise.all([retained, queued, begun])
  }
}
for (let i = 0; i < 20; i++) void writer()
