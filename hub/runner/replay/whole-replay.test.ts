// A whole hub: its record is replayed beside it by command and by HTTP, and nothing comes of it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEMO, testHub, type TestHub } from '../../testing/hub.ts'
import { eventually } from '../../testing/until.ts'
import { openPast } from '../../journal/past.ts'
import { replayCommand } from './cli.ts'
import { Report } from './report.ts'
import { ReplayView } from './replays.ts'

const FLOW = `// Says each event again.
import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(map(({ payload }) =>
  message('flows/{flow}/{value}', { flow: 'echo', value: 'dust' }, { twice: 2 * Number(payload['dust']) }))))
`

let hub: TestHub
beforeAll(async () => {
  hub = await testHub({
    env: { DEMO: DEMO.DEMO, PLUGINS_DIR: DEMO.PLUGINS_DIR },
    prepare: (dir) => writeFileSync(join(dir, 'flows', 'echo.ts'), FLOW),
  })
  await eventually(said, (n) => n >= 3, { ms: 20_000 })
}, 60_000)
afterAll(() => hub.close())

const said = (): number =>
  [...openPast(join(hub.config.DATA_DIR, 'journal')).entries({}, () => true)].filter(
    ({ origin }) => origin === 'flow:echo',
  ).length

const run = async (...args: string[]) => {
  const told = { out: '', err: '' }
  const code = await replayCommand(args, hub.config, {
    out: (text) => (told.out += text),
    err: (text) => (told.err += text),
    isTerminal: false,
  })
  return { code, ...told }
}

test('beside a running hub: the same file says the same, another says something else; the exit code tells', async () => {
  const same = await run('echo', '--since', '1h', '--json')
  expect({ code: same.code, err: same.err }).toEqual({ code: 0, err: '' })
  const report = Report.parse(JSON.parse(same.out))
  expect(report).toMatchObject({ isSame: true, exact: true })
  expect(report.same).toBeGreaterThanOrEqual(2)
  const other = join(hub.dir, 'echo.ts')
  writeFileSync(other, FLOW.replace('2 *', '3 *'))
  const different = await run(other, '--since', '1h')
  expect(different.code).toBe(1)
  expect(different.out).toMatch(/changed +jarvis\/flows\/echo\/dust/)
  expect(different.out).toMatch(/twice: \d+(\.\d+)? -> \d/)
  expect((await run('echo', '--since', '1h', '--against', other)).code).toBe(1)
  const threw = FLOW.replace('2 *', "payload['none'].deeper *")
  writeFileSync(other, threw)
  expect((await run(other, '--since', '1h')).out).toContain('now it fails')
}, 60_000)

test('what cannot be done ends with 2 and says what to do', async () => {
  expect(await run('nobody')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining("There is no flow 'nobody'"),
  })
  expect(await run()).toMatchObject({ code: 2 })
  expect(await run('echo', '--since', 'then')).toMatchObject({ code: 2, err: expect.stringContaining('--since') })
  expect(await run('echo', '--against', 'no-such-revision')).toMatchObject({ code: 2 })
  expect(await run('echo', '--params', '5')).toMatchObject({ code: 2, err: expect.stringContaining('--params') })
  expect(await run('echo', '--wrong')).toMatchObject({ code: 2 })
}, 30_000)

test('an export is there, whole, under its name', async () => {
  const file = join(hub.dir, 'x.mcap')
  const { code, err } = await run('echo', '--since', '1h', '--export', file)
  expect(code).toBe(0)
  expect(err).toMatch(/x\.mcap: \d+ recorded messages and \d+ of the replay/)
  expect(readFileSync(file).subarray(0, 5).toString('latin1')).toBe('\u0089MCAP')
  expect(readdirSync(hub.dir)).not.toContain('x.mcap.part')
}, 30_000)

test('by HTTP, with the rights of whoever asks; and nobody heard anything of all this', async () => {
  const ask = (method: string, path: string, body?: object) =>
    fetch(`http://127.0.0.1:${hub.hub.ports.http}${path}`, {
      method,
      headers: { authorization: `Bearer ${hub.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const asked = await ask('POST', '/api/replays', { flow: 'echo', since: '1h' })
  expect(asked.status).toBe(202)
  const { id } = (await asked.json()) as { id: string }
  const view = await eventually(
    async () => ReplayView.parse(await (await ask('GET', `/api/replays/${id}`)).json()),
    ({ state }) => state !== 'running',
    { ms: 20_000 },
  )
  expect(view).toMatchObject({ state: 'done', report: { isSame: true } })
  expect((await fetch(`http://127.0.0.1:${hub.hub.ports.http}/api/replays/${id}`)).status).toBe(401)
  // Each output answers another message: nothing was said twice.
  const causes = [...openPast(join(hub.config.DATA_DIR, 'journal')).entries({}, () => true)]
    .filter(({ origin }) => origin === 'flow:echo')
    .map(({ cause }) => cause)
  expect(new Set(causes).size).toBe(causes.length)
  const bad = [...openPast(join(hub.config.DATA_DIR, 'journal')).entries({}, () => true)].filter(
    ({ topic, payload }) => topic.startsWith('jarvis/errors/') && payload.includes('replay'),
  )
  expect(bad).toEqual([])
}, 40_000)
