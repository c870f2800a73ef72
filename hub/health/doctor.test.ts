// The doctor and its general checks, on real folders and ports.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { brokerPatched, clockSane, dataFolder, hubAnswers, nodeVersion, portFree, uiBuilt } from './checks.ts'
import { doctor } from './doctor.ts'

const open: Server[] = []
const folders: string[] = []
afterEach(async () => {
  for (const server of open.splice(0)) server.close()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})
const listening = async <S extends Server>(server: S): Promise<number> => {
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
const folder = async () => {
  const made = await mkdtemp(join(tmpdir(), 'millrace-doctor-'))
  folders.push(made)
  return made
}
const no = async () => false

test('every check is printed with its hint, and an unhealthy one makes the exit code 1', async () => {
  const lines: string[] = []
  const healthy = { name: 'a', run: async () => ({ word: 'healthy', what: 'fine' }) as const }
  const warns = { name: 'bb', run: async () => ({ word: 'degraded', what: 'so so', hint: 'do this' }) as const }
  const fails = { name: 'c', run: () => Promise.reject(new Error('broke')) }
  expect(await doctor([healthy, warns], (line) => lines.push(line))).toBe(0)
  expect(await doctor([healthy, warns, fails], (line) => lines.push(line))).toBe(1)
  const text = lines.join('\n')
  for (const part of ['fine', 'so so', 'do this', 'FAIL', 'broke', '3 checks: 1 healthy, 1 degraded, 1 unhealthy.'])
    expect(text).toContain(part)
})

test('node must be 24', async () => {
  expect((await nodeVersion('v24.21.0').run()).word).toBe('healthy')
  expect(await nodeVersion('v26.0.0').run()).toMatchObject({
    word: 'unhealthy',
    hint: expect.stringContaining('npm start'),
  })
})

test('a data folder that others can read is pointed out; one that is a file is a failure', async () => {
  const dir = await folder()
  await chmod(dir, 0o700)
  expect(['healthy', 'degraded']).toContain((await dataFolder(dir).run()).word)
  await chmod(dir, 0o755)
  expect(await dataFolder(dir).run()).toMatchObject({ word: 'degraded', hint: `chmod 700 ${dir}` })
  await writeFile(join(dir, 'file'), '')
  expect(await dataFolder(join(dir, 'file')).run()).toMatchObject({
    word: 'unhealthy',
    hint: expect.stringContaining('DATA_DIR'),
  })
})

test('a free port is fine, one used by our own hub too', async () => {
  const server = createServer((socket) => socket.destroy())
  const port = await listening(server)
  const where = { variable: 'HTTP_PORT', port, bind: '127.0.0.1' }
  expect((await portFree(where, async () => true).run()).word).toBe('healthy')
  expect(await portFree(where, no).run()).toMatchObject({
    word: 'unhealthy',
    what: expect.stringContaining('another program'),
    hint: expect.stringContaining('HTTP_PORT'),
  })
  await new Promise((resolve) => server.close(resolve))
  expect((await portFree(where, no).run()).word).toBe('healthy')
}, 10_000)

test('another broker on the port is recognised by its CONNACK', async () => {
  const port = await listening(
    createServer((socket) => socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, 5])))),
  )
  const found = await portFree({ variable: 'MQTT_PORT', port, bind: '127.0.0.1' }, no).run()
  expect(found).toMatchObject({
    word: 'unhealthy',
    what: expect.stringContaining('MQTT broker'),
    hint: expect.stringContaining('MQTT_PORT'),
  })
})

test('a hub is recognised by what /healthz says', async () => {
  const port = await listening(createHttp((_, response) => response.end('{"status":"ok","hub":"millrace"}')))
  const other = await listening(createHttp((_, response) => response.end('hello')))
  expect(await hubAnswers(port)).toBe(true)
  expect(await hubAnswers(other)).toBe(false)
})

test('the web app, the patch and the clock', async () => {
  const dir = await folder()
  expect((await uiBuilt(dir).run()).word).toBe('degraded')
  await writeFile(join(dir, 'index.html'), '')
  expect((await uiBuilt(dir).run()).word).toBe('healthy')
  expect((await brokerPatched(() => []).run()).word).toBe('healthy')
  expect(await brokerPatched(() => ['lib/client.js']).run()).toMatchObject({
    word: 'unhealthy',
    what: expect.stringContaining('lib/client.js'),
  })
  expect(
    (
      await clockSane(
        () => 5_000,
        () => 4_000,
      ).run()
    ).word,
  ).toBe('healthy')
  expect(
    (
      await clockSane(
        () => 5_000,
        () => 50_000,
      ).run()
    ).word,
  ).toBe('degraded')
})
