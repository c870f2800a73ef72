// Two hubs in one building, bridged to the same broker with everything crossing: what one of them decided counts nothing at the other.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MISSING, mosquitto, type Mosquitto, WHY } from '../../broker/external.rig.ts'
import { eventually } from '../../testing/until.ts'
import { type Building, openBuilding, PHRASE, type View } from './building.rig.ts'

const EVERYTHING = `bridge:
  in: ['jarvis/devices/#', 'jarvis/approvals/#', 'jarvis/safety/events/#']
  out: ['jarvis/devices/#', 'jarvis/approvals/#', 'jarvis/safety/events/#']
`
const LOCK = { kind: 'lock', area: 'Yard', intents: { 'lock.unlock': {}, 'lock.lock': {} }, safe: ['lock.lock'] }
const unlock = { intent: 'lock.unlock' }

describe.skipIf(MISSING.length > 0)(`two hubs in one building${WHY}`, () => {
  let peer: Mosquitto
  /** The door hangs on `north`; `south` sees it through the bridge. */
  let north: Building
  let south: Building
  let marks = 0

  const cmds = (hub: Building) => hub.heard(({ topic }) => topic === 'jarvis/devices/door/cmd')
  /** What crossed before this has arrived. */
  const crossed = async (): Promise<void> => {
    const n = ++marks
    await north.of('marker').says('event', { type: 'mark', n })
    await south.watcher.hears(({ topic, json }) => topic === 'jarvis/devices/marker/event' && json()['n'] === n)
  }
  const ask = async (hub: Building): Promise<View> => {
    const { status, body } = await hub.ask('olga', 'door', unlock)
    expect(status, JSON.stringify(body)).toBe(202)
    return hub.open(String(body['hazardEventId']))
  }
  const takeBack = (hub: Building, { id }: View) => hub.api('/api/safety/hazards/cancel', 'olga', { json: { id } })

  beforeAll(async () => {
    peer = await mosquitto()
    await peer.start()
    const env = { BRIDGE_URL: `mqtt://127.0.0.1:${peer.port}` }
    north = await openBuilding('', env, EVERYTHING)
    south = await openBuilding('', env, EVERYTHING)
    await north.thing('door', LOCK)
    await north.thing('marker', { kind: 'sensor', intents: {} })
    await eventually(
      () => south.api<{ online?: boolean }>('/api/devices/door', 'ada'),
      ({ body }) => body.online === true,
      { ms: 15_000, everyMs: 200 },
    )
    await crossed()
  }, 60_000)
  afterAll(async () => {
    await north?.close()
    await south?.close()
    await peer?.remove()
  })

  test('an approval of the one is none at the other: neither listed, nor retained, nor answered', async () => {
    const view = await ask(north)
    await crossed()
    expect((await south.api('/api/approvals', 'ada')).body).toEqual({ items: [] })
    expect(south.heard(({ topic }) => topic.startsWith('jarvis/approvals/'))).toEqual([])
    expect((await south.api(`/api/approvals/${view.id}`, 'ada')).status).toBe(404)
    expect((await south.answer('bob', view, { phrase: PHRASE })).status).toBe(404)
    await south.row(({ event, who }) => event === 'approval.refused' && who === 'person:bob')
    expect(await north.open(view.id)).toMatchObject({ status: 'pending', given: [] })
    await takeBack(north, view)
  })

  test('the digest of the same question at the other does not count', async () => {
    const [here, there] = [await ask(north), await ask(south)]
    expect(here.digest).not.toBe(there.digest)
    expect((await north.answer('bob', { ...here, digest: there.digest }, { phrase: PHRASE })).status).toBe(409)
    await north.row(({ event, detail }) => event === 'approval.refused' && detail['why'] === 'digest')
    await takeBack(north, here)
    await takeBack(south, there)
  })

  test('a yes at the one is no yes at the other', async () => {
    const [here, there] = [await ask(north), await ask(south)]
    expect((await north.answer('bob', here, { phrase: PHRASE })).status).toBe(200)
    await crossed()
    expect(await south.open(there.id)).toMatchObject({ status: 'pending', given: [] })
    await takeBack(north, here)
    await takeBack(south, there)
  })

  test('a token and a key of the one are nobody’s at the other', async () => {
    const { body } = await north.api('/api/keys', 'bob', {
      json: { name: 'x', scopes: ['hazards.approve', 'devices.request'] },
    })
    for (const token of [north.tokens.bob ?? '', String(body['key'])])
      expect((await south.ask(token, 'door', unlock)).status).toBe(401)
    await south.row(({ event, who }) => event === 'refused.right' && who === 'nobody')
  })

  test('a command that two people approved at the other does not reach the door, and is told', async () => {
    const view = await ask(south)
    expect((await south.answer('bob', view, { phrase: PHRASE })).status).toBe(200)
    expect((await south.answer('cleo', view)).body).toMatchObject({ command: { status: 'dispatched' } })
    await south.watcher.hears('jarvis/devices/door/cmd')
    const told = await eventually(
      () => north.api<{ items: { type: string; severity: string }[] }>('/api/errors', 'ada'),
      ({ body }) => body.items.some(({ type }) => type === 'GateBypassed'),
      { ms: 15_000, everyMs: 200 },
    )
    expect(told.body.items).toContainEqual(expect.objectContaining({ type: 'GateBypassed', severity: 'critical' }))
    expect(north.of('door').cmds()).toEqual([])
    expect(cmds(north)).toEqual([])
  })

  test('and a command of the one is carried out here once, and is none at the other', async () => {
    const before = cmds(south).length
    const view = await ask(north)
    await north.answer('bob', view, { phrase: PHRASE })
    await north.answer('cleo', view)
    const cmd = await north.of('door').wire.hears('jarvis/devices/door/cmd')
    await north.of('door').says('ack', { id: cmd.json()['id'], status: 'done' })
    await north.watcher.hears(
      ({ topic, json }) => topic === 'jarvis/devices/door/result' && json()['id'] === cmd.json()['id'],
    )
    await crossed()
    expect(north.of('door').cmds()).toHaveLength(1)
    expect(cmds(south)).toHaveLength(before)
    expect((await south.api(`/api/commands/${String(cmd.json()['id'])}`, 'ada')).status).toBe(404)
    for (const hub of [north, south])
      expect((await hub.api<{ ok: boolean }>('/api/audit/verify', 'ada')).body.ok).toBe(true)
  })

  test('a safety event of the one says nothing at the other', async () => {
    expect(
      south.heard(({ topic, text }) => topic.startsWith('jarvis/safety/events/') && text.includes('person:olga'))
        .length,
    ).toBeGreaterThan(0)
    const theirs = new Set(
      north.rows().flatMap(({ event, detail }) => (event === 'approval.asked' ? [detail['approval']] : [])),
    )
    const foreign = south
      .heard(({ topic }) => topic.startsWith('jarvis/safety/events/'))
      .map((heard) => heard.json())
      .filter(({ type, approval }) => type !== 'approval.refused' && theirs.has(approval))
    expect(theirs.size).toBeGreaterThan(0)
    expect(foreign).toEqual([])
  })
})
