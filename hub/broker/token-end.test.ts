// A connection ends with the token it was made with; its session waits for a new one.
import { expect, test } from 'vitest'
import { connectPacket, openTestBroker, rawClient, testRights, until, within } from './test-broker.ts'

for (const version of [4, 5] as const) {
  test(`a connection made with a token ends when the token does, and its session is there for the next one, MQTT ${version}`, async () => {
    let now = Date.now()
    let life = 60_000
    const rights = testRights()
    await using site = await openTestBroker({
      clock: { now: () => now, stamp: () => now },
      rights: {
        ...rights,
        authenticate: async (login) => {
          const who = await rights.authenticate(login)
          return who.kind === 'person' ? { ...who, expiresAt: now + life } : who
        },
      },
    })
    const lasting = { clean: false, ...(version === 5 ? { properties: { sessionExpiryInterval: 1000 } } : {}) }
    const connect = async (user: string, more: object) => {
      const raw = await rawClient(site.port, version)
      raw.send(connectPacket(user, version, more))
      const connack = await raw.next('connack')
      return { raw, present: connack.cmd === 'connack' && connack.sessionPresent }
    }
    const person = await connect('bob', lasting)
    person.raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 1 }] })
    await person.raw.next('suback')
    const device = await connect('dust', {})
    now += 59_000
    await new Promise((done) => setTimeout(done, 1200))
    expect(site.broker.clients()).toHaveLength(2)
    now += 1000
    await within(3000, 'the end', person.raw.closed)
    if (version === 5) expect(await person.raw.next('disconnect')).toMatchObject({ reasonCode: 0xa0 })
    await until('one is left', () => site.broker.clients().length === 1)
    expect(site.lines.filter(({ event }) => event === 'mqtt-token-ended')).toHaveLength(1)
    life = 1_000_000
    expect((await connect('bob', lasting)).present).toBe(true)
    device.raw.socket.destroy()
  })
}
