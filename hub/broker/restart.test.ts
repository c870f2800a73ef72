// The broker with the session store it runs with: what a restart leaves as it was.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSessionStore } from './sessions/open.ts'
import { connectPacket, envelopeOf, openTestBroker, rawClient, testLog, until } from './test-broker.ts'

test('sessions, queues, retained messages, wills and owners are there after a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'broker-'))
  const start = async () => {
    const persistence = await openSessionStore({
      file: join(folder, 'sessions.sqlite'),
      durability: 'process',
      log: testLog().log,
    })
    const hub = await openTestBroker({ persistence, limits: { heartbeat: 100 } })
    const stop = async () => {
      await hub[Symbol.asyncDispose]()
      await persistence.close()
    }
    return { ...hub, stop }
  }
  try {
    const first = await start()
    const bob = await first.client('bob', { clientId: 'wall', clean: false })
    await bob.subscribeAsync('load/#', { qos: 1 })
    await bob.endAsync()
    const will = { topic: 'jarvis/devices/dust/online', payload: Buffer.from('false'), qos: 1 as const, retain: true }
    const dust = await first.client('dust', { clean: false, will })
    await dust.publishAsync('jarvis/devices/dust/state', 'on', { qos: 1, retain: true })
    await first.broker.deliver(
      envelopeOf({ topic: 'load/a', payload: Buffer.from('kept'), qos: 1, retain: false, origin: 'hub' }),
    )
    await first.stop()

    const second = await start()
    expect(
      (await second.broker.storedRetained()).map(({ topic, payload }) => `${topic} ${payload.toString()}`),
    ).toEqual(['jarvis/devices/dust/state on'])
    await expect(second.client('ada', { clientId: 'wall', clean: false })).rejects.toMatchObject({ code: 2 })
    const raw = await rawClient(second.port)
    raw.send(connectPacket('bob', 4, { clientId: 'wall', clean: false }))
    expect(await raw.next('connack')).toMatchObject({ sessionPresent: true })
    expect(await raw.next('publish')).toMatchObject({ topic: 'load/a', payload: Buffer.from('kept') })
    raw.socket.destroy()
    await until('the will of the device that is gone', () => second.intake.accepted.length === 1)
    expect(second.intake.accepted.map(({ origin, topic }) => `${origin} ${topic}`)).toEqual([
      'device:dust jarvis/devices/dust/online',
    ])
    await second.stop()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
