// kill -9 around the last yes: what was approved goes out once or ends with a result, never twice, never lost.
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ChildHub, childHub } from '../testing/child-hub.ts'
import { hubFolder } from '../testing/hub.ts'
import type { Login, Wire } from '../testing/outsider.ts'
import { eventually } from '../testing/until.ts'

/** ms between the last yes leaving the browser and the kill. */
const DELAYS = [0, 6, 15]
const PASSWORD = 'correct horse battery'
const dir = hubFolder()
let hub: ChildHub
let door: Login
let tokens: Record<string, string> = {}

interface View {
  id: string
  commandId: string
  digest: string
  phrase: string
  given: { by: string }[]
}

const ask = (path: string, who: string, json: unknown) =>
  hub.api<Record<string, unknown>>(path, { json, token: tokens[who] ?? null })

const connect = async (): Promise<Wire> => {
  const wire = await hub.mqtt(door, { clean: false })
  await wire.subscribe('jarvis/devices/door/cmd', 1)
  await wire.publish(
    'jarvis/devices/door/about',
    {
      name: 'Yard door',
      kind: 'lock',
      area: 'Yard',
      intents: { 'lock.unlock': {}, 'lock.lock': {} },
      safe: ['lock.lock'],
    },
    { retain: true },
  )
  await wire.publish('jarvis/devices/door/online', true, { retain: true })
  return wire
}

const logIn = async (): Promise<void> => {
  for (const name of ['bob', 'cleo']) tokens[name] = await hub.login(name, PASSWORD)
  tokens['ada'] = hub.token
}

beforeAll(async () => {
  hub = await childHub(dir)
  for (const [username, role] of [
    ['bob', 'engineer'],
    ['cleo', 'safety'],
  ] as const)
    expect((await hub.api('/api/people', { json: { username, password: PASSWORD, roles: [role] } })).status).toBe(201)
  door = await hub.credential('door')
  await logIn()
  await connect()
}, 90_000)
afterAll(async () => {
  await hub.leave()
  await hub.kill('SIGKILL').catch(() => {})
  rmSync(dir, { recursive: true, force: true })
})

const openOne = async (commandId: string): Promise<View | undefined> =>
  (await hub.api<{ items: View[] }>('/api/approvals')).body.items.find((one) => one.commandId === commandId)

test.each(DELAYS)(
  'killed %i ms after the last yes was sent',
  async (delay) => {
    const commandId = `open-${delay}`
    expect(
      await ask('/api/safety/hazards', 'ada', { device: 'door', intent: 'lock.unlock', id: commandId }),
    ).toMatchObject({ status: 202 })
    const view = await openOne(commandId)
    if (view === undefined) throw new Error('nobody is asked')
    const { id, digest, phrase } = view
    const yes = { id, digest, decision: 'approve' }
    expect(await ask('/api/safety/hazards/approve', 'bob', { ...yes, phrase })).toMatchObject({ status: 200 })
    const said = ask('/api/safety/hazards/approve', 'cleo', yes).catch(() => undefined)
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
    await hub.kill('SIGKILL')
    await said
    await hub.leave()
    hub = await childHub(dir)
    tokens = {}
    await logIn()
    await connect()
    const still = await openOne(commandId)
    if (still !== undefined) {
      // The yes was not recorded: it is asked for as before, and the first yes counts still.
      expect(still).toMatchObject({ id, digest, given: [{ by: 'person:bob' }] })
      expect(await ask('/api/safety/hazards/approve', 'cleo', yes)).toMatchObject({ status: 200 })
    }
    // The door never answers, so it ends as a timeout at the latest.
    const { body } = await eventually(
      () => hub.api<{ status: string; result?: { status: string } }>(`/api/commands/${commandId}`),
      (answer) => answer.body.result !== undefined,
      { everyMs: 200, ms: 15_000 },
    )
    expect(['timeout', 'refused']).toContain(body.result?.status)
    const { body: journal } = await hub.api<{ items: { payload: { id: string } }[] }>(
      '/api/journal?topic=devices/door/cmd&limit=1000',
    )
    const sent = journal.items.filter(({ payload }) => payload.id === commandId)
    // Killed between the mark and the command it is a timeout, and was not sent at all.
    expect(sent.length).toBeLessThanOrEqual(body.result?.status === 'timeout' ? 1 : 0)
    expect((await hub.api<{ ok: boolean }>('/api/audit/verify')).body.ok).toBe(true)
  },
  120_000,
)
