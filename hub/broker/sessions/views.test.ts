import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSessionStore } from './open.ts'

const log = { info: () => {}, warn: () => {}, error: () => {} }

test('each session shows whose it is, what waits for it, what it lost and when it ends', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'session-views-'))
  let now = 1_000_000
  const limits = { perClientMessages: 2, maxAgeMs: 60_000 }
  const store = await openSessionStore({
    file: join(dir, 'sessions.db'),
    durability: 'process',
    limits,
    log,
    clock: { now: () => now },
  })
  try {
    await store.setup({ id: 'broker-1', clients: { here: { id: 'here', version: 4 } } })
    await store.setOwner('asleep', 'device:asleep')
    for (const id of ['asleep', 'here']) await store.addSubscriptions({ id }, [{ topic: `to/${id}`, qos: 1 }])
    for (const n of [1, 2, 3, 4, 5]) {
      const payload = Buffer.alloc(100)
      await store.outgoingEnqueue({ clientId: 'asleep' }, { topic: 'to/asleep', payload, qos: 1, brokerCounter: n })
    }
    store.sweep()
    now += 1
    const views = new Map(store.views().map((view) => [view.clientId, view]))
    expect(views.get('here')).toEqual({ clientId: 'here', queued: 0, queuedBytes: 0, subscriptions: 1, dropped: 0 })
    const asleep = views.get('asleep')
    expect(asleep).toMatchObject({
      owner: 'device:asleep',
      queued: 2,
      subscriptions: 1,
      dropped: 3,
      expiresAt: 1_060_000,
    })
    expect(asleep?.queuedBytes).toBeGreaterThan(200)
    expect(store.sizes().dropped).toBe(3)
    expect(views.size).toBe(2)
  } finally {
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  }
})
