// The protocol against a fake that lies, stalls and dies.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakePeer, fakePeer } from './peer.fake.ts'
import { type Reading, readings } from './peer.ts'

let peer: FakePeer
let stop = () => {}
let heard: Reading[] = []
const listen = (more: { silentMs?: number } = {}) => {
  heard = []
  const subscription = readings({ host: '127.0.0.1', port: peer.port, retryMs: 10, ...more }).subscribe((r) =>
    heard.push(r),
  )
  stop = () => subscription.unsubscribe()
}
const kinds = () => heard.map(({ kind }) => kind)

beforeEach(async () => {
  peer = await fakePeer()
})
afterEach(async () => {
  stop()
  await expect.poll(() => peer.connected).toBe(0)
  await peer.close()
})

test('each line is a sample, however it is cut into packets', async () => {
  listen()
  await expect.poll(() => peer.connected).toBe(1)
  peer.say('1\n2.')
  await expect.poll(kinds).toContain('sample')
  peer.say('5\n')
  await expect
    .poll(() => heard)
    .toEqual([{ kind: 'connected' }, { kind: 'sample', value: 1 }, { kind: 'sample', value: 2.5 }])
})

test('what is no number is garbage, and the next line counts again', async () => {
  listen()
  await expect.poll(() => peer.connected).toBe(1)
  peer.say('warm\n\n3\n')
  await expect.poll(kinds).toEqual(['connected', 'garbage', 'garbage', 'sample'])
})

test('a peer that drops, floods or falls silent is lost, and found again', async () => {
  listen({ silentMs: 200 })
  await expect.poll(kinds).toEqual(['connected'])
  peer.drop()
  await expect.poll(kinds).toEqual(['connected', 'lost', 'connected'])
  peer.say('9'.repeat(2000))
  await expect.poll(() => heard.at(3)).toEqual({ kind: 'lost', why: 'a line without an end' })
  await expect.poll(() => heard.at(5)).toEqual({ kind: 'lost', why: 'silent for 0.2 s' })
  await expect.poll(() => kinds().length).toBeGreaterThan(6)
})
