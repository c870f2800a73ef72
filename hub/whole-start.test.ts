// Starts that cannot work say what to do and change nothing; a broken flow or plugin is named while the rest works; a stop leaves nothing behind.
import Database from 'better-sqlite3'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type ChildHub, childHub, type ChildOptions, hubProcess } from './testing/child-hub.ts'
import { DEMO, hubFolder, ROOT, testHub, type TestHub } from './testing/hub.ts'
import { eventually } from './testing/until.ts'

const folders: string[] = []
const folder = (): string => {
  const dir = hubFolder()
  folders.push(dir)
  return dir
}
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true })
})

/** Starts a hub that must not come up; gives back what it said. */
const refusal = async (dir: string, options: ChildOptions = {}): Promise<string> => {
  const hub = hubProcess(dir, options)
  const up = hub.says(/Millrace is ready/, 20_000).then(
    () => 'ready' as const,
    () => 'not ready' as const,
  )
  try {
    expect(await up).toBe('not ready')
    const { code } = await hub.ended
    expect(code).toBe(1)
  } finally {
    await hub.kill('SIGKILL')
  }
  // For people: a sentence, no stack.
  expect(hub.said()).not.toMatch(/^\s+at .*:\d+:\d+/m)
  return hub.said()
}

describe('a start that cannot work', () => {
  let taken: Server
  let port = 0
  beforeAll(async () => {
    taken = createServer((socket) => socket.destroy())
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done))
    const address = taken.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
  })
  afterAll(() => new Promise((done) => taken.close(done)))

  test('a taken MQTT port: which, and how to run beside the other broker', async () => {
    const said = await refusal(folder(), { env: { MQTT_PORT: String(port) } })
    expect(said).toContain(`Port ${port} on 127.0.0.1 (MQTT_PORT) is taken`)
    expect(said).toContain(`MQTT_PORT=${port + 1} npm start`)
  })

  test('a taken web port: which, and how to choose another', async () => {
    const said = await refusal(folder(), { env: { HTTP_PORT: String(port) } })
    expect(said).toContain(String(port))
    expect(said).toMatch(/HTTP_PORT=\d+/)
  })

  test.each([
    ['below a file', (dir: string) => join(dir, 'file/data')],
    ['where nobody may write', () => '/sys/millrace-data'],
  ])('a data folder %s', async (_, place) => {
    const dir = folder()
    writeFileSync(join(dir, 'file'), '')
    const said = await refusal(dir, { env: { DATA_DIR: place(dir) } })
    expect(said).toContain(place(dir))
    expect(said).toMatch(/DATA_DIR/)
  })

  test('a key in .env that nobody knows', async () => {
    const dir = folder()
    writeFileSync(join(dir, '.env'), 'HTPP_PORT=8080\n')
    const said = await refusal(dir)
    expect(said).toMatch(/'HTPP_PORT'.*does not know/)
    expect(existsSync(join(dir, 'data'))).toBe(false)
  })

  test('a wrong value: which key, and what it may be', async () => {
    const said = await refusal(folder(), { env: { HTTP_PORT: '70000', DURABILITY: 'none' } })
    expect(said).toMatch(/HTTP_PORT.*65535/)
    expect(said).toMatch(/DURABILITY.*process/)
  })

  test('a weak password of the admin, without repeating it', async () => {
    const said = await refusal(folder(), { env: { ADMIN_PASSWORD: 'pss-9q' } })
    expect(said).toMatch(/ADMIN_PASSWORD.*8 characters/)
    expect(said).not.toContain('pss-9q')
  })

  test('an unknown key in the config file', async () => {
    const dir = folder()
    writeFileSync(join(dir, 'millrace.yaml'), 'journal:\n  dayz: 3\n')
    expect(await refusal(dir)).toMatch(/dayz/)
  })
})

describe('a data folder with a past', () => {
  const dir = folder()
  const event = (n: number) => ({ type: 'n', n })
  const numbers = async (hub: ChildHub) => {
    const { body } = await hub.api<{ items: { seq: number; payload: { n: number } }[] }>(
      '/api/journal?topic=devices/lamp/event',
    )
    return body.items
  }
  let hub: ChildHub | undefined
  let lamp = { clientId: '', username: '', password: '' }

  beforeAll(async () => {
    const first = await childHub(dir)
    lamp = await first.credential('lamp')
    const wire = await first.mqtt(lamp)
    for (const n of [1, 2, 3]) await wire.publish('jarvis/devices/lamp/event', event(n))
    await first.leave()
    expect(await first.kill('SIGTERM', 5000)).toEqual({ code: 0, signal: null })
  }, 90_000)
  afterEach(async () => {
    await hub?.leave()
    await hub?.kill('SIGTERM')
    hub = undefined
  })

  const copy = (): string => {
    const made = folder()
    cpSync(join(dir, 'data'), join(made, 'data'), { recursive: true })
    return made
  }
  const change = (file: string, sql: string) => {
    const db = new Database(file)
    db.exec(sql)
    db.close()
  }

  test('tables of a newer version: refused, and nothing is changed', async () => {
    const made = copy()
    const file = join(made, 'data/hub.sqlite')
    change(file, "INSERT INTO kysely_migration (name, timestamp) VALUES ('900-teleport', '2030-01-01T00:00:00.000Z')")
    const before = readFileSync(file)
    expect(await refusal(made)).toMatch(/900-teleport.*newer/s)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('sessions of a newer version: refused', async () => {
    const made = copy()
    change(join(made, 'data/sessions.sqlite'), 'PRAGMA user_version = 77')
    expect(await refusal(made)).toMatch(/sessions\.sqlite was written by a newer Millrace/)
  })

  test('files that are no database are named, not overwritten', async () => {
    const made = copy()
    for (const name of readdirSync(join(made, 'data'))) if (/^hub\.sqlite-/.test(name)) rmSync(join(made, 'data', name))
    writeFileSync(
      join(made, 'data/hub.sqlite'),
      'this is not a database, it is a text file of some length\n'.repeat(100),
    )
    expect(await refusal(made)).toMatch(/hub\.sqlite/)
    expect(readFileSync(join(made, 'data/hub.sqlite'), 'utf8')).toMatch(/^this is not a database/)
  })

  test('a torn tail of the journal is cut off, and numbers go on', async () => {
    const made = copy()
    const journal = join(made, 'data/journal')
    const last =
      readdirSync(journal)
        .filter((name) => name.endsWith('.log'))
        .sort()
        .at(-1) ?? ''
    const whole = readFileSync(join(journal, last))
    // As a crash in the middle of a write leaves it: the begin of a block, without its end.
    appendFileSync(join(journal, last), whole.subarray(-Math.min(60, whole.length), -7))
    hub = await childHub(made)
    const before = await numbers(hub)
    expect(before.map(({ payload }) => payload.n)).toEqual([1, 2, 3])
    const wire = await hub.mqtt(lamp)
    await wire.publish('jarvis/devices/lamp/event', event(4))
    const after = await numbers(hub)
    expect(after.map(({ payload }) => payload.n)).toEqual([1, 2, 3, 4])
    expect(after[3]?.seq).toBeGreaterThan(before[2]?.seq ?? 0)
  })

  test('two hubs on one folder: the second refuses and names the first, which goes on', async () => {
    hub = await childHub(dir)
    const said = await refusal(dir)
    expect(said).toContain(`Another hub (process ${hub.pid}) uses the data folder`)
    expect(said).toMatch(/DATA_DIR/)
    const wire = await hub.mqtt(lamp)
    await wire.publish('jarvis/devices/lamp/event', event(5))
    expect((await numbers(hub)).at(-1)?.payload.n).toBe(5)
  })

  test('files are for the owner alone', async () => {
    const all = readdirSync(join(dir, 'data'), { recursive: true, encoding: 'utf8' })
    expect(all.length).toBeGreaterThan(5)
    const open = all.filter((name) => (statSync(join(dir, 'data', name)).mode & 0o077) !== 0)
    expect(open).toEqual([])
  })
})

/** The processes that have `pid` for a parent; Linux tells. */
const childrenOf = (pid: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid
      } catch {
        return false
      }
    })
    .map(Number)

describe('a stop', () => {
  test('ends a busy hub within five seconds, with exit code 0, and no process of it is left', async () => {
    const dir = folder()
    const hub = await childHub(dir, { env: DEMO })
    await eventually(
      async () => (await hub.api<{ items: { online: boolean }[] }>('/api/devices')).body.items,
      (items) => items.filter(({ online }) => online).length === 13,
      { ms: 15_000, everyMs: 250 },
    )
    const children = process.platform === 'linux' ? childrenOf(hub.pid) : []
    if (process.platform === 'linux') expect(children.length).toBeGreaterThan(0)
    const begun = performance.now()
    expect(await hub.kill('SIGTERM', 5000)).toEqual({ code: 0, signal: null })
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(children.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(hub.said()).toContain('Millrace stops.')
    expect(existsSync(join(dir, 'data/hub.pid'))).toBe(false)
    await hub.leave()
  })

  test('comes with Ctrl-C too, while somebody is connected', async () => {
    const hub = await childHub(folder())
    const wire = await hub.mqtt(await hub.credential('lamp'))
    expect(await hub.kill('SIGINT', 5000)).toEqual({ code: 0, signal: null })
    await wire.gone
    await hub.leave()
  })

  test('in the middle of the start ends it as well, and the next start works', async () => {
    const dir = folder()
    const hub = hubProcess(dir, { env: { ...DEMO, LOG_LEVEL: 'info' } })
    await hub.says(/workshop-sim/)
    const children = process.platform === 'linux' ? childrenOf(hub.pid) : []
    await hub.kill('SIGTERM', 5000)
    expect(hub.said()).not.toContain('Millrace is ready')
    await eventually(
      () => children.filter((pid) => existsSync(`/proc/${pid}`)),
      (left) => left.length === 0,
    )
    const next = await childHub(dir)
    expect(await next.kill('SIGTERM', 5000)).toEqual({ code: 0, signal: null })
  })
})

describe('flows and plugins that are broken', () => {
  let hub: TestHub

  beforeAll(async () => {
    hub = await testHub({
      prepare: (dir) => {
        // Plugins elsewhere still find the hub: a package beside them says where it is.
        writeFileSync(
          join(dir, 'package.json'),
          JSON.stringify({
            type: 'module',
            imports: { '#hub/plugin': './hub/plugins/plugin.ts', '#hub': './hub/streams/hub.ts' },
          }),
        )
        symlinkSync(join(ROOT, 'hub'), join(dir, 'hub'))
        symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
        const flow = (name: string, text: string) => writeFileSync(join(dir, 'flows', `${name}.ts`), text)
        const imports = `import { map } from 'rxjs'\nimport { flow, message } from '#hub'\n`
        flow(
          'echo',
          `// Turns on what says hello.\n${imports}export default flow((from) => from('devices/{device}/event').pipe(map(({ params }) => message('devices/{device}/request', { device: params.device }, { intent: 'light.turn_on' }))))\n`,
        )
        flow(
          'thrower',
          `// Throws on every message.\n${imports}export default flow((from) => from('devices/{device}/event').pipe(map(() => { throw new Error('I always throw') })))\n`,
        )
        flow(
          'typo',
          `// Does not parse.\n${imports}export default flow((from) => from('devices/{device}/event'.pipe(\n`,
        )
        const plugin = (id: string, body: string) => {
          mkdirSync(join(dir, 'plugins', id))
          writeFileSync(
            join(dir, 'plugins', id, 'plugin.ts'),
            `import { defer, NEVER } from 'rxjs'\nimport { z } from 'zod'\nimport { definePlugin } from '#hub/plugin'\nexport default definePlugin({ id: '${id}', title: 'The ${id}', config: z.strictObject({}), handles: [], publishes: [], ${body} })\nvoid [defer, NEVER]\n`,
          )
        }
        plugin('fine', 'start: () => NEVER')
        plugin('rejects', "start: () => defer(() => Promise.reject(new Error('no serial port')))")
        plugin('shapeless', 'start: 7')
      },
    })
  })
  afterAll(() => hub.close())

  interface Health {
    status: string
    parts: { part: string; status: string }[]
  }
  const illOf = ({ parts }: Health) => parts.filter(({ status }) => status !== 'healthy').map(({ part }) => part)
  interface View {
    id: string
    status: string
    error?: { message: string } | string
  }
  const views = async (path: string) => {
    const { status, body } = await hub.api<{ items: View[] }>(path)
    expect(status).toBe(200)
    return new Map(body.items.map((item) => [item.id, item]))
  }

  test('the good flow works while another throws on every message', async () => {
    const lamp = await hub.credential('lamp')
    const wire = await hub.mqtt(lamp)
    await wire.publish(
      'jarvis/devices/lamp/about',
      { name: 'L', kind: 'light', intents: { 'light.turn_on': {} } },
      { retain: true },
    )
    await wire.publish('jarvis/devices/lamp/online', 'true', { retain: true })
    await wire.subscribe('jarvis/devices/lamp/cmd')
    for (let n = 0; n < 20; n++) {
      await wire.publish('jarvis/devices/lamp/event', { type: 'hello' })
      const cmd = await wire.hears('jarvis/devices/lamp/cmd')
      expect(cmd.json()).toMatchObject({ intent: 'light.turn_on', requestedBy: 'flow:echo' })
      await wire.publish('jarvis/devices/lamp/ack', { id: cmd.json()['id'], status: 'done' })
      wire.heard.length = 0
    }
    await wire.end()
  })

  test('/api/flows names the culprits, and /health the parts', async () => {
    const fan = await hub.mqtt(await hub.credential('fan'))
    const flows = await eventually(
      async () => {
        // A flow that was started again looks well until its next message.
        await fan.publish('jarvis/devices/fan/event', { type: 'hello' })
        return views('/api/flows')
      },
      (all) => all.get('thrower')?.status === 'restarting',
    )
    const { body } = await hub.api<Health>('/health', { token: null })
    expect(illOf(body)).toContain('flow:thrower')
    expect(flows.get('echo')).toMatchObject({ status: 'running' })
    expect(flows.get('thrower')?.error).toMatchObject({ message: expect.stringContaining('I always throw') as string })
    expect(flows.get('typo')).toMatchObject({
      status: 'failed to load',
      error: { message: expect.any(String) as string },
    })
    await fan.end()
  })

  test('/api/plugins names the culprits', async () => {
    const plugins = await views('/api/plugins')
    expect(plugins.get('fine')).toMatchObject({ status: 'running' })
    expect(plugins.get('rejects')?.status).toMatch(/restarting|quarantined|starting/)
    expect(JSON.stringify(plugins.get('rejects')?.error)).toContain('no serial port')
    expect(plugins.get('shapeless')?.status).toBe('failed to load')
    expect(JSON.stringify(plugins.get('shapeless')?.error)).toContain('start')
  })

  test('/health says which parts are ill; the reasons take a token', async () => {
    const { body } = await hub.api<Health>('/health', { token: null })
    expect(body.status).not.toBe('healthy')
    expect(illOf(body)).toEqual(expect.arrayContaining(['flow:typo', 'plugin:rejects', 'plugin:shapeless']))
    expect(illOf(body)).not.toContain('flow:echo')
    expect(JSON.stringify(body)).not.toContain('no serial port')
    const told = await hub.api('/api/health')
    for (const reason of ['no serial port', 'start']) expect(JSON.stringify(told.body)).toContain(reason)
    expect((await hub.api('/readyz', { token: null })).status).toBe(200)
  })

  test('the error bus has them too', async () => {
    const { body } = await hub.api<{ items: { source: string; message: string }[] }>('/api/errors?limit=500')
    const text = JSON.stringify(body.items)
    for (const reason of ['I always throw', 'typo', 'no serial port', 'shapeless']) expect(text).toContain(reason)
  })
})
