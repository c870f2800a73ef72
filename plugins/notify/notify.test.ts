// The pieces of the notifier: what becomes an incident, what is told once, when it is quiet, and how often it is tried.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { z } from 'zod'
import { Secret } from '../../hub/health/secret.ts'
import { eventually } from '../../hub/testing/until.ts'
import { ntfyChannel, signatureOf, webhookChannel } from './channels.ts'
import { clean, flowsIn, ofApproval, ofError, ofSafety } from './incidents.ts'
import { openInbox } from './inbox.ts'
import { type FakePeer, fakePeer } from './peer.fake.ts'
import { post, retryAfterMs } from './post.ts'
import { openQueue } from './queue.ts'
import { quietFor } from './quiet.ts'
import type { Notification } from './topics.ts'

const T0 = Date.UTC(2026, 10, 20, 12)

/** Memory as plugins have it, without a database. */
const memory = () => {
  const kept = new Map<string, string>()
  return {
    kept,
    get: async <T>(key: string, schema: z.ZodType<T>): Promise<T | undefined> => {
      const json = kept.get(key)
      return json === undefined ? undefined : schema.safeParse(JSON.parse(json)).data
    },
    set: async (key: string, value: unknown): Promise<void> => void kept.set(key, JSON.stringify(value)),
  }
}

const credential = (baseUrl: string, auth: Parameters<typeof webhookChannel>[1]['auth'] = { kind: 'none' }) => ({
  baseUrl,
  auth,
  verifyTls: true,
  scope: [],
})

const notification = (more: Partial<Notification> = {}): Notification => ({
  id: 'n1',
  key: 'error:x:Y',
  source: 'error',
  severity: 'error',
  title: 'Y in x',
  text: 'It broke.',
  at: new Date(T0).toISOString(),
  updatedAt: new Date(T0).toISOString(),
  count: 1,
  status: 'open',
  seenBy: [],
  ...more,
})

const error = (severity: 'warning' | 'error' | 'fatal', message: string, source = 'plugin:x') =>
  ofError({
    payload: {
      id: '1',
      timestamp: new Date(T0).toISOString(),
      source,
      type: 'Broke',
      severity,
      category: 'system',
      message,
      details: {},
      retry_count: 0,
    },
  })

let peer: FakePeer
beforeEach(async () => {
  peer = await fakePeer()
})
afterEach(() => peer.close())

test('an error becomes an incident, a warning does not, and its own errors never', () => {
  expect(error('error', 'no answer')).toMatchObject({ key: 'error:plugin:x:Broke', severity: 'error' })
  expect(error('fatal', 'no answer')).toMatchObject({ severity: 'critical' })
  expect(error('warning', 'no answer')).toBeUndefined()
  expect(error('error', 'no answer', 'plugin:notify')).toBeUndefined()
})

test.each([
  ['login with password=hunter22 failed', 'hunter22'],
  ['header was Authorization: Bearer abcdef0123456789', 'abcdef0123456789'],
  ['cannot reach http://ada:geheim99@10.0.0.1/', 'geheim99'],
  ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl is old', 'eyJzdWIi'],
  ['"api_key": "0815-4711"', '0815-4711'],
  ['key mr_abcdefgh12345678 refused', 'abcdefgh1234'],
])('"%s" leaves without its secret', (text, secret) => {
  expect(clean(text, 500)).toContain('[hidden]')
  expect(clean(text, 500)).not.toContain(secret)
})

test('an approval is an incident with a link that opens it, and ends with it', () => {
  const payload: Parameters<typeof ofApproval>[0]['payload'] = {
    id: 'a1',
    commandId: 'c1',
    device: 'welder',
    intent: 'power.enable',
    payload: {},
    effect: 'MIG welder: power enable.',
    hazard: 'high',
    requestedBy: 'person:ada',
    needed: 2,
    given: [],
    requestedAt: new Date(T0).toISOString(),
    expiresAt: new Date(T0).toISOString(),
    status: 'pending',
    digest: 'd',
  }
  expect(ofApproval({ payload })).toMatchObject({ key: 'approval:a1', severity: 'critical', link: '/approvals?id=a1' })
  expect(ofApproval({ payload })).toMatchObject({ endsAt: payload.expiresAt })
  expect(ofApproval({ payload: { ...payload, status: 'denied' } })).toMatchObject({
    ended: true,
    title: 'Approval denied: power.enable of welder',
  })
  const expired = { type: 'approval.expired', at: payload.expiresAt, by: 'gate', approval: 'a1', device: 'welder' }
  expect(
    ofSafety({
      params: { event: 'e' },
      payload: { ...expired, intent: 'power.enable', effect: 'MIG welder: power enable.', why: 'Silence is a no.' },
    }),
  ).toMatchObject({
    key: 'approval:a1',
    ended: true,
    title: 'Approval expired: power.enable of welder',
    text: 'MIG welder: power enable. Silence is a no.',
  })
  expect(ofSafety({ params: { event: 'e' }, payload: { ...expired, type: 'approval.given' } })).toBeUndefined()
})

test('a flow is told when it goes into quarantine and over when it leaves', () => {
  const items = [
    { id: 'a', status: 'running' },
    { id: 'b', status: 'quarantined' },
  ]
  const first = flowsIn({ payload: { items } }, new Set())
  expect(first.incidents).toMatchObject([{ key: 'flow:b', severity: 'error' }])
  expect(flowsIn({ payload: { items } }, first.quarantined).incidents).toEqual([])
  expect(flowsIn({ payload: { items: [] } }, first.quarantined).incidents).toMatchObject([
    { key: 'flow:b', ended: true },
  ])
})

test('one cause is one notification: counted within the window, told again when it is worse or after the window', async () => {
  let now = T0
  const kept = memory()
  const box = openInbox({ memory: kept, now: () => now, windowMs: 60_000, keepMs: 3_600_000 })
  const incident = { key: 'k', source: 'error', severity: 'error', title: 't', text: 'x' } as const
  expect(box.take(incident).kind).toBe('new')
  expect(box.take(incident).kind).toBe('counted')
  expect(box.take({ ...incident, severity: 'critical' }).kind).toBe('worse')
  expect(box.list()).toMatchObject([{ count: 3, severity: 'critical' }])
  now += 60_001
  expect(box.take(incident).kind).toBe('new')
  expect(box.take({ ...incident, ended: true }).kind).toBe('ended')
  await box.save()
  const again = openInbox({ memory: kept, now: () => now, windowMs: 60_000, keepMs: 3_600_000 })
  await again.load()
  expect(again.list()).toEqual(box.list())
  now += 3_700_000
  expect(again.list()).toEqual([])
})

test('what was seen is unread again only when it has become worse', () => {
  const box = openInbox({ memory: memory(), now: () => T0, windowMs: 60_000, keepMs: 3_600_000 })
  const incident = { key: 'k', source: 'error', severity: 'error', title: 't', text: 'x' } as const
  box.take(incident)
  box.take({ ...incident, key: 'k2' })
  expect(box.allSeen('person:ada')).toBe(2)
  expect(box.allSeen('person:ada')).toBe(0)
  box.seen(box.list().find(({ key }) => key === 'k')?.id ?? '', 'person:bob')
  box.take(incident)
  expect(box.list().find(({ key }) => key === 'k')?.seenBy).toEqual(['person:ada', 'person:bob'])
  box.take({ ...incident, severity: 'critical' })
  expect(box.list().map(({ key, seenBy }) => [key, seenBy])).toEqual(
    expect.arrayContaining([
      ['k', []],
      ['k2', ['person:ada']],
    ]),
  )
})

test('what nobody ended ends by itself: an approval at its time, a stop when the shop is released', () => {
  let now = T0
  const box = openInbox({ memory: memory(), now: () => now, windowMs: 60_000, keepMs: 3_600_000 })
  const endsAt = new Date(T0 + 300_000).toISOString()
  box.take({ key: 'a', source: 'approval', severity: 'critical', title: 't', text: 'x', endsAt })
  box.take({ key: 's', source: 'stop', severity: 'critical', title: 't', text: 'x' })
  expect(box.take({ key: 'other', source: 'stop', severity: 'error', title: '', text: '', ended: true })).toEqual({
    kind: 'unchanged',
  })
  now += 299_999
  expect(box.sweep()).toEqual({ ended: [], changed: false })
  now += 1
  expect(box.sweep()).toMatchObject({ ended: [{ key: 'a', title: 't', status: 'ended' }], changed: true })
  expect(box.end('stop')).toMatchObject([{ key: 's', status: 'ended' }])
  expect(box.end('stop')).toEqual([])
  now += 3_600_001
  expect(box.sweep()).toEqual({ ended: [], changed: true })
  expect(box.list()).toEqual([])
})

test('the inbox is bounded', () => {
  const box = openInbox({ memory: memory(), now: () => T0, windowMs: 1, keepMs: 1000 })
  for (let n = 0; n < 500; n++) box.take({ key: `k${n}`, source: 'stop', severity: 'error', title: 't', text: 'x' })
  expect(box.list()).toHaveLength(100)
})

test('quiet hours reach over midnight, and end at their minute', () => {
  const hours = { from: '22:00', to: '07:00' }
  const at = (h: number, m: number) => new Date(2026, 10, 20, h, m).getTime()
  expect(quietFor(hours, at(21, 59))).toBe(0)
  expect(quietFor(hours, at(22, 0))).toBe(9 * 3_600_000)
  expect(quietFor(hours, at(6, 59))).toBe(60_000)
  expect(quietFor(hours, at(7, 0))).toBe(0)
  expect(quietFor(null, at(3, 0))).toBe(0)
})

test('ntfy takes JSON with topic, priority and a link; the token is a header and not in the body', async () => {
  const channel = ntfyChannel(
    'ntfy',
    credential(peer.url, { kind: 'bearer', token: new Secret('tk_verysecret') }),
    'shop',
  )
  const posted = await post({
    ...channel.request(
      notification({ source: 'approval', severity: 'critical' }),
      'http://hub.local/approvals?id=a1',
      T0,
    ),
    timeoutMs: 8000,
    offline: true,
  })
  expect(posted).toEqual({ kind: 'taken' })
  const [one] = peer.taken
  expect(one?.headers.authorization).toBe('Bearer tk_verysecret')
  expect(one?.body).not.toContain('verysecret')
  expect(JSON.parse(one?.body ?? '')).toMatchObject({
    topic: 'shop',
    priority: 5,
    click: 'http://hub.local/approvals?id=a1',
  })
})

test('a webhook is signed over time and body, and its key is not sent', async () => {
  const channel = webhookChannel(
    'webhook',
    credential(`${peer.url}/hook`, { kind: 'api-key', header: 'X-Api-Key', key: new Secret('signing-key') }),
  )
  await post({ ...channel.request(notification(), undefined, T0), timeoutMs: 8000, offline: true })
  const [one] = peer.taken
  expect(one?.url).toBe('/hook')
  expect(one?.headers['x-millrace-signature']).toBe(
    `sha256=${signatureOf('signing-key', String(T0 / 1000), one?.body ?? '')}`,
  )
  expect(JSON.stringify(one)).not.toContain('signing-key')
})

test.each<[FakePeer['mood'], string]>([
  ['breaks', 'later'],
  ['stalls', 'later'],
  ['drops', 'later'],
  ['busy', 'later'],
  ['refuses', 'never'],
])('a peer that %s is tried again or not: %s', async (mood, kind) => {
  peer.mood = mood
  const channel = webhookChannel('webhook', credential(peer.url))
  const posted = await post({ ...channel.request(notification(), undefined, T0), timeoutMs: 200, offline: true })
  expect(posted.kind).toBe(kind)
  if (mood === 'busy') expect(posted).toMatchObject({ afterMs: 1000 })
})

test('what is not on the site is never called unless that was allowed', async () => {
  const channel = webhookChannel('webhook', credential('http://203.0.113.7/hook'))
  expect(
    await post({ ...channel.request(notification(), undefined, T0), timeoutMs: 200, offline: true }),
  ).toMatchObject({ kind: 'never', why: expect.stringContaining('OFFLINE_MODE') })
})

test('Retry-After in seconds and as a date, an hour at most', () => {
  expect(retryAfterMs('7', T0)).toBe(7000)
  expect(retryAfterMs(new Date(T0 + 9000).toUTCString(), T0)).toBe(9000)
  expect(retryAfterMs('86400', T0)).toBe(3_600_000)
  expect(retryAfterMs('soon', T0)).toBeUndefined()
})

const queueTo = (kept: ReturnType<typeof memory>, more: Partial<Parameters<typeof openQueue>[0]> = {}) => {
  const lost: string[] = []
  const states: (string | undefined)[] = []
  const channel = webhookChannel('webhook', credential(peer.url))
  const queue = openQueue({
    name: 'webhook',
    memory: kept,
    now: () => Date.now(),
    send: (one) => post({ ...channel.request(one, undefined, T0), timeoutMs: 5000, offline: true }),
    holdFor: () => 0,
    state: (why) => void states.push(why),
    lost: ({ id }, why) => void lost.push(`${id}: ${why}`),
    firstMs: 5,
    ...more,
  })
  return { queue, lost, states }
}

test('a peer that is away gets it when it is back, once', async () => {
  await peer.die()
  const { queue, states } = queueTo(memory())
  queue.add(notification())
  await eventually(
    () => states.length,
    (n) => n > 1,
    { everyMs: 5 },
  )
  await peer.revive()
  await eventually(
    () => queue.size,
    (n) => n === 0,
    { everyMs: 5 },
  )
  expect(peer.taken).toHaveLength(1)
  expect(states.at(-1)).toBeUndefined()
  await queue.close()
})

test('retries end: what a peer never takes is given up and said so', async () => {
  peer.mood = 'breaks'
  const { queue, lost } = queueTo(memory(), {
    firstMs: 1,
    send: async () => ({ kind: 'later', why: 'it answered 503' }),
  })
  queue.add(notification())
  await eventually(
    () => lost.length,
    (n) => n === 1,
    { ms: 15_000, everyMs: 20 },
  )
  expect(lost).toEqual(['n1: it answered 503'])
  expect(queue.size).toBe(0)
  await queue.close()
})

test('what waits outlives the process, in its order', async () => {
  const kept = memory()
  peer.mood = 'breaks'
  const first = queueTo(kept, { firstMs: 60_000 })
  first.queue.add(notification({ id: 'a' }))
  first.queue.add(notification({ id: 'b' }))
  await eventually(
    () => peer.heard.length,
    (n) => n === 2,
    { everyMs: 5 },
  )
  await first.queue.close()
  peer.mood = 'well'
  const second = queueTo(kept, { now: () => Date.now() + 600_000 })
  await second.queue.load()
  await eventually(
    () => peer.taken.length,
    (n) => n === 2,
    { everyMs: 5 },
  )
  expect(peer.taken.map(({ body }) => (JSON.parse(body) as { id: string }).id)).toEqual(['a', 'b'])
  await second.queue.close()
})

test('a queue is bounded: the oldest go, and that is said', async () => {
  const { queue, lost } = queueTo(memory(), { holdFor: () => 3_600_000 })
  for (let n = 0; n < 230; n++) queue.add(notification({ id: `n${n}` }))
  expect(queue.size).toBe(200)
  expect(lost).toHaveLength(30)
  expect(lost[0]).toContain('n0')
  await queue.close()
})

test('what changes while it waits is sent as it is then, and what ended before it was told is not told', async () => {
  peer.mood = 'breaks'
  const { queue } = queueTo(memory(), { firstMs: 400 })
  queue.add(notification())
  queue.add(notification({ id: 'n2' }))
  await eventually(
    () => peer.heard.length,
    (n) => n === 2,
    { everyMs: 5 },
  )
  queue.add(notification({ title: 'worse' }))
  // While it is on its way it cannot be taken back.
  await eventually(
    () => queue.drop('n2'),
    (isOut) => isOut,
    { everyMs: 1 },
  )
  peer.mood = 'well'
  await eventually(
    () => queue.size,
    (n) => n === 0,
    { everyMs: 5 },
  )
  expect(peer.taken.map(({ body }) => (JSON.parse(body) as { title: string }).title)).toEqual(['worse'])
  await queue.close()
})

test('quiet hours hold a notification back', async () => {
  let hold = 80
  const { queue } = queueTo(memory(), { holdFor: () => hold })
  queue.add(notification())
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(peer.heard).toEqual([])
  hold = 0
  await eventually(
    () => peer.taken.length,
    (n) => n === 1,
    { everyMs: 5 },
  )
  await queue.close()
})
