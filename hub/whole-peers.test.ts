// Real Mosquitto against a whole hub: README.md by the letter, the tools as clients, the broker as a bridge and as the one that has the port.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hubProcess } from './testing/child-hub.ts'
import { ADMIN, freePort, hubFolder, ROOT, testHub, type TestHub } from './testing/hub.ts'
import type { Login, Wire } from './testing/outsider.ts'
import { eventually, until } from './testing/until.ts'

const INSTALL = 'apt-get install mosquitto mosquitto-clients'
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin:/opt/homebrew/sbin`
const has = (program: string): boolean => spawnSync(program, ['--help'], { env: { PATH } }).error === undefined
const missing = ['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'curl', 'bash'].filter((program) => !has(program))
const why = missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} not installed: ${INSTALL})`

const running = new Set<ChildProcess>()

interface Program {
  said(): string
  says(pattern: RegExp, ms?: number): Promise<string>
  ended: Promise<number | null>
  end(): Promise<void>
}

const run = (program: string, words: readonly string[], env: Record<string, string> = {}): Program => {
  const child = spawn(program, words, { env: { PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child)
      resolve(code)
    })
  })
  return {
    said: () => text,
    says: (pattern, ms = 8_000) =>
      until(
        () => pattern.exec(text)?.[0],
        (again) => {
          child.stdout.on('data', again)
          child.stderr.on('data', again)
          return () => {
            child.stdout.off('data', again)
            child.stderr.off('data', again)
          }
        },
        ms,
        () => `${program} did not say ${pattern.source}; it said:\n${text}`,
      ),
    ended,
    end: async () => {
      // SIGTERM in the wrong moment leaves mosquitto_sub waiting for a lock that it holds itself.
      child.kill('SIGKILL')
      await ended
    },
  }
}

describe.skipIf(missing.length > 0)(`real Mosquitto${why}`, () => {
  let hub: TestHub
  let ada: Wire

  beforeAll(async () => {
    hub = await testHub()
    ada = await hub.mqtt({ clientId: 'ui.ada', username: 'ada', password: hub.token })
    await ada.subscribe('jarvis/#')
  })
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL')
    await hub.close()
  })

  const as = ({ clientId, username, password }: Login, suffix = ''): string[] => [
    ...['-h', '127.0.0.1', '-p', String(hub.mqttPort)],
    ...['-i', `${clientId}${suffix}`, '-u', username, '-P', password],
  ]
  const pub = (login: Login, ...words: string[]): Program => run('mosquitto_pub', [...as(login, '-pub'), ...words])

  describe('README.md, by the letter', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
    const section = readme.slice(readme.indexOf('\n## A device'), readme.indexOf('\n## More'))
    const blocks = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '')
    /** Only the ports and what README leaves open as … are filled in. */
    const here = (text: string, password: string): string =>
      text
        .replaceAll('localhost:8080', new URL(hub.base).host)
        .replaceAll(/(mosquitto_(?:pub|sub)) /g, `$1 -p ${hub.mqttPort} `)
        .replaceAll("'…'", `'${password}'`)
    const lines = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    const bash = (script: string, env: Record<string, string> = {}) => run('bash', ['-c', script], env)

    let token = ''
    let lamp: Login
    let sub: Program

    test('its three blocks are there', () => {
      expect(blocks).toHaveLength(3)
      expect(blocks[1]).toMatch(/mosquitto_sub/)
    })

    test('a token and a credential', async () => {
      const made = bash(`set -e\n${here(blocks[0] ?? '', ADMIN.password)}\necho; echo "TOKEN $TOKEN"`)
      expect(await made.ended, made.said()).toBe(0)
      token = /TOKEN (\S+)/.exec(made.said())?.[1] ?? ''
      expect(token).not.toBe('')
      lamp = JSON.parse(/\{.*\}/.exec(made.said())?.[0] ?? '{}') as Login
      expect(lamp).toMatchObject({ clientId: 'lamp', username: 'lamp' })
    })

    test('about and online arrive', async () => {
      const [about = '', online = '', listen = ''] = lines(here(blocks[1] ?? '', lamp.password))
      for (const line of [about, online]) {
        const done = bash(line)
        expect(await done.ended, done.said()).toBe(0)
      }
      const { body } = await hub.api<{ name: string; online: boolean; safe: string[] }>('/api/devices/lamp')
      expect(body).toMatchObject({ name: 'Bench lamp', online: true, safe: ['light.turn_off'], owner: 'device:lamp' })
      sub = bash(`exec ${listen}`)
    })

    const ask = async (): Promise<string> => {
      const asked = bash(here(blocks[2] ?? '', ''), { TOKEN: token })
      expect(await asked.ended, asked.said()).toBe(0)
      return /"commandId":"([^"]+)"/.exec(asked.said())?.[1] ?? asked.said()
    }
    const connected = () =>
      eventually(
        async () => (await hub.api<{ text: string }>('/metrics')).body.text,
        (text) => /broker_counts\{kind="connected"\} 2\b/.test(text),
        { everyMs: 200 },
      )

    test('the command arrives at mosquitto_sub, and without an answer it times out after five seconds', async () => {
      await connected()
      const begun = performance.now()
      const id = await ask()
      await sub.says(new RegExp(`^jarvis/devices/lamp/cmd .*"id":"${id}".*"intent":"light.turn_on"`, 'm'))
      const result = await ada.hears(({ topic, json }) => topic.endsWith('/lamp/result') && json()['id'] === id, 8_000)
      expect(result.json()).toMatchObject({ status: 'timeout' })
      const after = performance.now() - begun
      expect(after).toBeGreaterThan(4_900)
      expect(after).toBeLessThan(7_500)
    })

    test('answered on ack, the result is done', async () => {
      const id = await ask()
      await sub.says(new RegExp(`"id":"${id}"`))
      const ack = pub(lamp, '-q', '1', '-t', 'jarvis/devices/lamp/ack', '-m', JSON.stringify({ id, status: 'done' }))
      expect(await ack.ended, ack.said()).toBe(0)
      const result = await ada.hears(({ topic, json }) => topic.endsWith('/lamp/result') && json()['id'] === id)
      expect(result.json()).toMatchObject({ status: 'done' })
      const { body } = await hub.api<{ status: string }>(`/api/commands/${id}`)
      expect(body.status).toBe('done')
      await sub.end()
    })
  })

  describe.each([['mqttv311'], ['mqttv5']])('its tools as hostile clients (%s)', (version) => {
    let mouse: Login
    beforeAll(async () => {
      mouse = await hub.credential(`mouse_${version}`)
    })

    test('anonymous, wrong password and a foreign client id are refused', async () => {
      const at = ['-V', version, '-h', '127.0.0.1', '-p', String(hub.mqttPort), '-t', 'x', '-m', 'x']
      const nobody = run('mosquitto_pub', at)
      expect(await nobody.ended).not.toBe(0)
      expect(nobody.said()).toMatch(/not authori[sz]ed/i)
      const foreign = run('mosquitto_pub', [...at, '-i', 'ui.ada', '-u', mouse.username, '-P', mouse.password])
      expect(await foreign.ended).not.toBe(0)
      const wrong = run('mosquitto_pub', [...at, '-i', mouse.clientId, '-u', mouse.username, '-P', 'guess'])
      expect(await wrong.ended).not.toBe(0)
    })

    test.each(['#', '$SYS/#', 'jarvis/devices/+/cmd'])('a subscription to %s is denied', async (filter) => {
      const cat = await hub.credential(`cat_${version}`)
      const denied = run('mosquitto_sub', [...as(cat), '-V', version, '-q', '1', '-W', '5', '-t', filter])
      await denied.says(/denied/)
      await denied.end()
    })

    test('a command of its own making reaches nobody', async () => {
      const cat = await hub.credential(`cat_${version}`)
      const before = ada.heard.filter(({ topic }) => topic.endsWith('/cmd')).length
      for (const qos of ['0', '1'])
        await pub(cat, '-V', version, '-q', qos, '-t', 'jarvis/devices/lamp/cmd', '-m', '{"id":"x"}').ended
      const ok = pub(cat, '-V', version, '-q', '1', '-t', `jarvis/devices/cat_${version}/event`, '-m', '{"type":"end"}')
      expect(await ok.ended, ok.said()).toBe(0)
      await ada.hears(`jarvis/devices/cat_${version}/event`)
      expect(ada.heard.filter(({ topic }) => topic.endsWith('/cmd'))).toHaveLength(before)
    })
  })

  test('a persistent session of mosquitto_sub gets what it missed, with every QoS', async () => {
    const login = await hub.credential('sleeper')
    const topic = 'jarvis/devices/sleeper/event'
    const words = [...as(login), '-c', '-q', '2', '-t', topic]
    const first = run('mosquitto_sub', [...words, '-E'])
    expect(await first.ended, first.said()).toBe(0)
    for (const qos of ['1', '2']) {
      const sent = pub(login, '-q', qos, '-t', topic, '-m', `{"type":"qos ${qos}"}`)
      expect(await sent.ended, sent.said()).toBe(0)
    }
    const second = run('mosquitto_sub', [...words, '-C', '2', '-W', '10'])
    expect(await second.ended, second.said()).toBe(0)
    expect(second.said().trim().split('\n')).toEqual(['{"type":"qos 1"}', '{"type":"qos 2"}'])
  })

  test('a will of mosquitto_sub speaks when it dies', async () => {
    const login = await hub.credential('mortal')
    const topic = 'jarvis/devices/mortal/online'
    const sub = spawn(
      'mosquitto_sub',
      [
        ...as(login),
        '-t',
        topic,
        '-q',
        '1',
        '--will-topic',
        topic,
        '--will-payload',
        'false',
        '--will-retain',
        '--will-qos',
        '1',
      ],
      { env: { PATH }, stdio: 'ignore' },
    )
    running.add(sub)
    await pub(login, '-r', '-q', '1', '-t', topic, '-m', 'true').ended
    await eventually(
      async () => (await hub.api<{ text: string }>('/metrics')).body.text,
      (text) => /broker_counts\{kind="connected"\} 2\b/.test(text),
      { everyMs: 200 },
    )
    sub.kill('SIGKILL')
    running.delete(sub)
    const last = await ada.hears(({ topic: on, text }) => on === topic && text === 'false')
    expect(last.text).toBe('false')
  })

  describe('the broker itself', () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-bridge-'))
    let port = 0
    let broker: Program

    beforeAll(async () => {
      const login = await hub.credential('bridge', ['zigbee2mqtt/#'])
      port = await freePort()
      const conf = join(dir, 'mosquitto.conf')
      const lines = [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        `user ${userInfo().username}`,
        'persistence false',
        'connection hub',
        `address 127.0.0.1:${hub.mqttPort}`,
        `remote_clientid ${login.clientId}`,
        `remote_username ${login.username}`,
        `remote_password ${login.password}`,
        'notifications false',
        'try_private false',
        'topic zigbee2mqtt/# out 1',
      ]
      writeFileSync(conf, lines.join('\n'), { mode: 0o600 })
      broker = run('mosquitto', ['-c', conf, '-v'])
      await broker.says(/Received CONNACK/)
    })
    afterAll(async () => {
      await broker.end()
      rmSync(dir, { recursive: true, force: true })
    })

    const local = (topic: string, payload: string) =>
      run('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(port), '-q', '1', '-t', topic, '-m', payload])

    test('bridges facts into the hub', async () => {
      await ada.subscribe('zigbee2mqtt/#')
      const sent = local('zigbee2mqtt/plug', '{"state":"OFF"}')
      expect(await sent.ended, sent.said()).toBe(0)
      // The admin's role ends at the prefix: the journal is where facts from elsewhere are read.
      const { body } = await eventually(
        () =>
          hub.api<{ items: { topic: string; origin: string; payload: unknown }[] }>(
            '/api/journal?topic=zigbee2mqtt/%23',
          ),
        (answer) => answer.body.items.length > 0,
        { everyMs: 200 },
      )
      expect(body.items).toMatchObject([
        { topic: 'zigbee2mqtt/plug', origin: 'device:bridge', payload: { state: 'OFF' } },
      ])
    })

    test('cannot bridge commands past the gate', async () => {
      await local('zigbee2mqtt/plug/set', '{"state":"ON"}').ended
      const told = await eventually(
        async () => (await hub.api<{ text: string }>('/metrics')).body.text,
        (text) => /broker_counts\{kind="refusedPublishes"\} [1-9]/.test(text),
        { everyMs: 200 },
      )
      expect(told).toMatch(/refusedPublishes/)
      const { body } = await hub.api<{ items: { topic: string }[] }>('/api/journal?topic=zigbee2mqtt/%23')
      expect(body.items.filter(({ topic }) => topic.endsWith('/set'))).toEqual([])
    })

    test('has the port: the hub says how to run beside it', async () => {
      const folder = hubFolder()
      const second = hubProcess(folder, { env: { MQTT_PORT: String(port) } })
      expect(await second.ended).toMatchObject({ code: 1 })
      expect(second.said()).toMatch(/another MQTT broker/)
      expect(second.said()).toContain(`MQTT_PORT=${port + 1} npm start`)
      rmSync(folder, { recursive: true, force: true })
    })
  })
})
