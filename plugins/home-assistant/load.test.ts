// A large house: 2,000 entities with 200 changes a second, and no turn of the event loop that holds the others up.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Secret } from '../../hub/health/secret.ts'
import { world } from './plugin.rig.ts'

const DEVICES = 500
const HELD_MS = 50
const SECONDS = 3

/** CPU time of each turn of this thread's event loop, in ms: what a busy machine takes from it does not count. */
const turns = () => {
  let longest = 0
  let before = process.threadCpuUsage()
  let running = true
  const turn = (): void => {
    const now = process.threadCpuUsage()
    longest = Math.max(longest, (now.user + now.system - before.user - before.system) / 1000)
    before = now
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    /** Ends watching, and says how long the longest took. */
    end: () => {
      running = false
      return longest
    },
  }
}

test('mirrored and kept in step without a turn of more than 50 ms', { timeout: 60_000 }, async () => {
  const peer = fork(fileURLToPath(new URL('./home-assistant.bench.ts', import.meta.url)), ['peer'])
  try {
    const [said] = (await once(peer, 'message')) as [unknown]
    const { url, token } = z.object({ url: z.string(), token: z.string() }).parse(said)
    const hub = world({
      house: { baseUrl: url, auth: { kind: 'bearer', token: new Secret(token) }, verifyTls: true, scope: [] },
    })
    const watch = turns()
    hub.start()
    const online = (): number => hub.said.filter(({ topic }) => topic === 'devices/{device}/online').length
    await hub.until('mirrored', () => hub.said.length >= 3 * DEVICES && online() === DEVICES, 30_000)
    const before = hub.said.length
    peer.send('go')
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000))
    const longest = watch.end()
    await hub.stop()
    expect(hub.said.length - before).toBeGreaterThan(100 * SECONDS)
    expect(longest).toBeLessThan(HELD_MS)
  } finally {
    peer.kill()
  }
})
