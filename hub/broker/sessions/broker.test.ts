import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt'
import { expect, test } from 'vitest'
import { openTestBroker } from '../test-broker.ts'
import { openSessionStore } from './open.ts'

const log = { info: () => {}, warn: () => {}, error: () => {} }

/** The next `count` messages of a client, within five seconds. */
const next = (
  client: MqttClient,
  count: number,
): Promise<{ topic: string; text: string; qos: number; properties: unknown }[]> =>
  new Promise((resolve, reject) => {
    const got: { topic: string; text: string; qos: number; properties: unknown }[] = []
    const late = setTimeout(() => reject(new Error(`${got.length} of ${count} messages came`)), 5000)
    client.on('message', (topic, payload, { qos, properties }) => {
      got.push({ topic, text: payload.toString(), qos, properties })
      if (got.length < count) return
      clearTimeout(late)
      resolve(got)
    })
  })

test.each([4, 5] as const)(
  'a sleeping client gets everything after hub and store were started again, MQTT %i',
  async (protocolVersion) => {
    const dir = mkdtempSync(join(tmpdir(), 'sessions-broker-'))
    const file = join(dir, 'sessions.db')
    const lasting = {
      protocolVersion,
      clean: false,
      ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
    }
    try {
      {
        const persistence = await openSessionStore({ file, durability: 'process', log })
        await using hub = await openTestBroker({ persistence })
        const sleeper = await hub.client('ada', lasting)
        await sleeper.subscribeAsync('jarvis/devices/dust/#', { qos: 2 })
        await sleeper.endAsync()
        const dust = await hub.client('dust', { protocolVersion })
        const properties = { correlationData: Buffer.from([1, 2]), messageExpiryInterval: 600 }
        for (let n = 1; n <= 20; n++) {
          const qos = n % 2 === 0 ? 2 : 1
          const more = protocolVersion === 5 ? { properties } : {}
          await dust.publishAsync('jarvis/devices/dust/event', `n${n}`, { qos, ...more })
        }
        await dust.publishAsync('jarvis/devices/dust/state', 'kept', { qos: 1, retain: true })
        await hub[Symbol.asyncDispose]()
        await persistence.close()
      }
      const persistence = await openSessionStore({ file, durability: 'process', log })
      await using hub = await openTestBroker({ persistence })
      expect(await hub.broker.storedRetained()).toMatchObject([{ topic: 'jarvis/devices/dust/state' }])
      const back: IClientOptions = {
        ...lasting,
        clientId: 'ada',
        username: 'ada',
        password: 'ada-secret',
        reconnectPeriod: 0,
      }
      const sleeper = mqtt.connect(`mqtt://127.0.0.1:${hub.port}`, back)
      const came = next(sleeper, 21)
      const connack = await new Promise<IConnackPacket>((resolve) => sleeper.once('connect', resolve))
      expect(connack.sessionPresent).toBe(true)
      const messages = await came
      // The client shows a QoS 2 message only after its PUBREL, so the order holds within a QoS.
      for (const qos of [1, 2]) {
        const sent = Array.from({ length: 20 }, (_, i) => i + 1).filter((n) => (n % 2 === 0 ? 2 : 1) === qos)
        const expected = [...sent.map((n) => `n${n}`), ...(qos === 1 ? ['kept'] : [])]
        expect(messages.filter((message) => message.qos === qos).map(({ text }) => text)).toEqual(expected)
      }
      if (protocolVersion === 5)
        expect(messages[0]?.properties).toMatchObject({
          correlationData: Buffer.from([1, 2]),
          messageExpiryInterval: 600,
        })
      await sleeper.endAsync()
      await expect.poll(() => persistence.sizes().queued, { timeout: 5000 }).toBe(0)
      await hub[Symbol.asyncDispose]()
      await persistence.close()
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
