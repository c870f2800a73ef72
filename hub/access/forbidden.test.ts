// Who tries over MQTT what only the gate may write has a row, once a minute and never too many; a question about rights has none.
import { expect, test } from 'vitest'
import { no, YES } from '../broker/broker.ts'
import type { Principal } from '../bus/principal.ts'
import { withForbidden } from './forbidden.ts'

const login = { clientId: 'spy', username: 'spy', password: Buffer.from('x'), address: '127.0.0.1' }

const opened = () => {
  let now = 1_000_000
  const rows: { who: string; subject: string; detail: Record<string, unknown> }[] = []
  const rights = withForbidden(
    {
      authenticate: async ({ username = '' }): Promise<Principal> => ({ kind: 'device', id: username, roles: [] }),
      mayPublish: (_, topic) => (topic.endsWith('/event') ? YES : no('not yours')),
    },
    {
      prefix: 'jarvis',
      clock: { now: () => now },
      note: (event, about) => void (event === 'refused.publish' && rows.push(about)),
    },
  )
  return { rights, rows, pass: (ms: number) => void (now += ms) }
}

test.each([
  'jarvis/devices/door/cmd',
  'jarvis/devices/door/result',
  'jarvis/approvals/x',
  'jarvis/safety/events/x',
  'zigbee2mqtt/plug/set',
  'cmnd/plug/POWER',
])('%s', async (topic) => {
  const { rights, rows } = opened()
  const spy = await rights.authenticate(login)
  expect(rights.mayPublish(spy, topic).ok).toBe(false)
  expect(rows).toEqual([{ who: 'device:spy', subject: topic, detail: { topic, reason: 'not yours' } }])
})

test('what is somebody’s own, and what is nobody’s command, has none', async () => {
  const { rights, rows } = opened()
  const spy = await rights.authenticate(login)
  expect(rights.mayPublish(spy, 'jarvis/devices/spy/event')).toEqual(YES)
  for (const topic of ['jarvis/devices/door/state', 'jarvis/hub/health', 'other/topic']) rights.mayPublish(spy, topic)
  expect(rights.mayPublish({ kind: 'device', id: 'spy', roles: [] }, 'jarvis/devices/door/cmd').ok).toBe(false)
  expect(rows).toEqual([])
})

test('the same again is counted, and many different ones are bounded', async () => {
  const { rights, rows, pass } = opened()
  const spy = await rights.authenticate(login)
  for (let n = 0; n < 5; n++) rights.mayPublish(spy, 'jarvis/devices/door/cmd')
  expect(rows).toHaveLength(1)
  pass(60_000)
  rights.mayPublish(spy, 'jarvis/devices/door/cmd')
  expect(rows.at(-1)).toMatchObject({ detail: { more: 4 } })
  for (let n = 0; n < 5_000; n++) rights.mayPublish(spy, `jarvis/devices/d${n}/cmd`)
  expect(rows).toHaveLength(21)
})
