// A disk that fills up under a running hub: nothing is acknowledged that is not kept, it says what to do, and it goes on when there is room.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type ChildHub, childHub, hubProcess } from './testing/child-hub.ts'
import { hubFolder } from './testing/hub.ts'
import type { Login, Wire } from './testing/outsider.ts'
import { eventually } from './testing/until.ts'

const folders: string[] = []
const folder = (): string => {
  const dir = hubFolder()
  mkdirSync(join(dir, 'data'))
  folders.push(dir)
  return dir
}
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true })
})

const works = (...[program = '', ...words]: string[]): boolean => spawnSync(program, words).status === 0

const PATIENCE_MS = 1500
const TEXT = 'x'.repeat(40_000)
const about = {
  name: 'Lamp',
  kind: 'light',
  intents: { 'light.turn_on': {}, 'light.turn_off': {} },
  safe: ['light.turn_off'],
}

/** Publishes until one is refused, or not acknowledged in time; gives back the numbers of those that were acknowledged. */
const fill = async (hub: ChildHub, login: Login, from: number): Promise<{ kept: number[]; next: number }> => {
  const kept: number[] = []
  const wire = await hub.mqtt(login)
  for (let n = from; n < from + 5000; n++) {
    let late: NodeJS.Timeout | undefined
    const acknowledged = await Promise.race([
      wire.publish('jarvis/devices/lamp/event', { type: 'fill', n, text: TEXT }).then(
        () => true,
        () => false,
      ),
      new Promise<boolean>((resolve) => (late = setTimeout(() => resolve(false), PATIENCE_MS))),
    ])
    clearTimeout(late)
    if (!acknowledged) {
      await wire.end()
      return { kept, next: n + 1 }
    }
    kept.push(n)
  }
  throw new Error('the disk did not fill up')
}

/** Two people with the role safety release the shop after the stop. */
const release = async (hub: ChildHub): Promise<void> => {
  const password = 'correct horse battery'
  const tokens: string[] = []
  for (const username of ['cleo', 'dan']) {
    const made = await hub.api('/api/people', { json: { username, password, roles: ['safety'] } })
    expect(made.status, JSON.stringify(made.body)).toBe(201)
    tokens.push(await hub.login(username, password))
  }
  const [first = '', second = ''] = tokens
  const asked = await hub.api<{ approval: { id: string; digest: string; phrase: string } }>('/api/safety/resume', {
    method: 'POST',
    token: first,
  })
  expect(asked.status, JSON.stringify(asked.body)).toBe(200)
  const { id, digest, phrase } = asked.body.approval
  for (const token of [first, second])
    await hub.api('/api/safety/hazards/approve', { token, json: { id, digest, phrase, decision: 'approve' } })
  expect((await hub.api<{ latched?: object }>('/api/safety')).body.latched).toBeUndefined()
}

const recorded = async (hub: ChildHub): Promise<number[]> => {
  const found: number[] = []
  for (let since: number | null = 0; since !== null;) {
    const path: string = `/api/journal?topic=devices/lamp/event&since=${since}&limit=500`
    const { body } = await hub.api<{ items: { payload: { n: number } }[]; next: number | null }>(path)
    found.push(...body.items.map(({ payload }) => payload.n))
    since = body.next
  }
  return found
}

interface Parts {
  status: string
  parts: { part: string; status: string; what?: string }[]
}

/** The whole story, whatever it is that makes the disk full; `free` gives it room again. */
const story = async (hub: ChildHub, free: () => void): Promise<{ lamp: Login; kept: number[] }> => {
  const lamp = await hub.credential('lamp')
  const executor = await hub.mqtt({ ...lamp, clientId: 'lamp-x' })
  await executor.publish('jarvis/devices/lamp/about', about, { retain: true })
  await executor.publish('jarvis/devices/lamp/online', 'true', { retain: true })
  await executor.subscribe('jarvis/devices/lamp/cmd')
  const before = await fill(hub, lamp, 0)
  expect(before.kept.length).toBeGreaterThan(10)

  const ill = await eventually(
    async () => (await hub.api<Parts>('/api/health')).body,
    ({ status }) => status === 'unhealthy',
    { everyMs: 250 },
  )
  const said = ill.parts.flatMap(({ status, what }) => (status === 'unhealthy' ? [what ?? ''] : []))
  expect(said.join('\n')).toMatch(/free some space/i)
  expect((await hub.api('/readyz', { token: null })).status).toBe(503)

  // What is not safe is refused while nothing can be recorded; what leads to the safe state goes out all the same.
  const asked = await hub.api('/api/device/lamp/command', { json: { intent: 'light.turn_on' } })
  expect(asked.status, JSON.stringify(asked.body)).toBe(503)
  const stop = await hub.api('/api/safety/stop', { method: 'POST' })
  expect(stop.status).toBe(200)
  const cmd = await executor.hears(({ topic, json }) => topic.endsWith('/cmd') && json()['intent'] === 'light.turn_off')
  expect(executor.heard.filter(({ json }) => json()['intent'] === 'light.turn_on')).toEqual([])
  expect(cmd.json()).toMatchObject({ requestedBy: 'person:ada' })

  free()
  await eventually(
    async () => (await hub.api('/readyz', { token: null })).status,
    (status) => status === 200,
    { ms: 15_000, everyMs: 100 },
  )
  const wire = await reopened(hub, lamp)
  await wire.publish('jarvis/devices/lamp/event', { type: 'fill', n: before.next })
  await wire.publish('jarvis/devices/lamp/state', { on: false }, { retain: true })
  const kept = [...before.kept, before.next]
  const there = await recorded(hub)
  expect(kept.filter((n) => !there.includes(n))).toEqual([])
  await release(hub)
  const again = await hub.api<{ commandId: string }>('/api/device/lamp/command', { json: { intent: 'light.turn_on' } })
  expect(again.status, JSON.stringify(again.body)).toBe(202)
  await executor.hears(({ topic, json }) => topic.endsWith('/cmd') && json()['intent'] === 'light.turn_on')
  await Promise.all([wire.end(), executor.end()])
  return { lamp, kept }
}

const reopened = (hub: ChildHub, login: Login): Promise<Wire> => hub.mqtt({ ...login, clientId: 'lamp-y' })

const NO_PRLIMIT = works('prlimit', '--version') ? '' : ' (skipped: prlimit is missing: apt-get install util-linux)'
/** A mount of its own, as root or in a user namespace; it goes with the process. */
const UNSHARE = [
  ['unshare', '-m'],
  ['unshare', '-Urm'],
].find((words) => works(...words, 'sh', '-c', 'mount -t tmpfs -o size=1m tmpfs /mnt'))
const NO_MOUNT =
  UNSHARE === undefined ? ' (skipped: this machine permits no mount, not even in a namespace of its own)' : ''

const onDisk = (dir: string, size: string): string[] => [
  ...(UNSHARE ?? []),
  'sh',
  '-c',
  `mount -t tmpfs -o size=${size} tmpfs '${join(dir, 'data')}' && exec "$@"`,
  'sh',
]

describe('a disk that is full', () => {
  test.skipIf(NO_PRLIMIT !== '')(
    `no file may grow any more: refused and told, then it goes on, also after a restart${NO_PRLIMIT}`,
    async () => {
      const dir = folder()
      const hub = await childHub(dir, { before: ['prlimit', '--fsize=4000000:unlimited'] })
      const { kept, lamp } = await story(hub, () => {
        expect(works('prlimit', '--pid', String(hub.pid), '--fsize=unlimited')).toBe(true)
      })
        .then(async (told) => {
          await hub.leave()
          expect(await hub.kill('SIGTERM')).toEqual({ code: 0, signal: null })
          return told
        })
        .finally(() => hub.kill('SIGKILL'))
      const second = await childHub(dir)
      try {
        const there = await recorded(second)
        expect(kept.filter((n) => !there.includes(n))).toEqual([])
        const wire = await reopened(second, lamp)
        await wire.subscribe('jarvis/devices/lamp/state')
        expect((await wire.hears('jarvis/devices/lamp/state')).json()).toEqual({ on: false })
        await second.leave()
      } finally {
        await second.kill('SIGKILL')
      }
    },
    60_000,
  )

  test.skipIf(NO_MOUNT !== '')(
    `a small disk without a free block: refused and told, then it goes on${NO_MOUNT}`,
    async () => {
      const dir = folder()
      const hub = await childHub(dir, { before: onDisk(dir, '48m') })
      try {
        const data = `/proc/${hub.pid}/root${join(dir, 'data')}`
        const { bavail, bsize } = statfsSync(data)
        const filler = join(data, 'filler')
        writeFileSync(filler, Buffer.alloc(bavail * bsize - 2 * 1024 * 1024))
        await story(hub, () => rmSync(filler))
      } finally {
        await hub.leave()
        await hub.kill('SIGKILL')
      }
    },
    60_000,
  )

  test.skipIf(NO_MOUNT !== '')(`a start without room says so, and changes nothing${NO_MOUNT}`, async () => {
    const dir = folder()
    const hub = hubProcess(dir, { before: onDisk(dir, '8m') })
    const { code } = await hub.ended
    expect(code).toBe(1)
    expect(hub.said()).toMatch(/MiB of free space.*DATA_DIR/s)
  })
})
