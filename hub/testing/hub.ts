// A whole hub for a test: every part of it, on free ports of 127.0.0.1, in a folder of its own.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Config, readConfig } from '../config.ts'
import { type Hub, startHub } from '../main.ts'
import { outsider, type Outsider } from './outsider.ts'

export const ROOT = resolve(import.meta.dirname, '../..')
export const ADMIN = { username: 'ada', password: 'correct horse battery' } as const

export interface TestHub extends Outsider {
  hub: Hub
  config: Config
  /** Its folder: `data`, `flows` and `plugins` are in it. */
  dir: string
  /** The admin's; empty while nobody has claimed the hub. */
  token: string
  close(): Promise<void>
}

export interface TestHubOptions {
  /** Variables beside the usual ones; `undefined` takes a usual one away. */
  env?: Record<string, string | undefined>
  /** Called with the folder before the hub starts: to put flows, plugins or a config file there. */
  prepare?: (dir: string) => void | Promise<void>
}

/** The variables of a hub that lives in `dir` and takes free ports. Its folders of flows and plugins are empty ones of its own. */
export const environmentIn = (dir: string): Record<string, string> => ({
  DATA_DIR: join(dir, 'data'),
  FLOWS_DIR: join(dir, 'flows'),
  PLUGINS_DIR: join(dir, 'plugins'),
  HTTP_PORT: '0',
  HTTPS_PORT: '0',
  MQTT_PORT: '0',
  MQTTS_PORT: '0',
  BIND: '127.0.0.1',
  ADMIN_USER: ADMIN.username,
  ADMIN_PASSWORD: ADMIN.password,
  LOG_LEVEL: 'silent',
})

/** The simulated workshop with the flows and plugins of this repository. */
export const DEMO = { DEMO: '1', FLOWS_DIR: join(ROOT, 'flows'), PLUGINS_DIR: join(ROOT, 'plugins') } as const

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? done(address.port) : fail(new Error('none')),
      )
    })
  })

/** A new folder for a hub, with empty `flows` and `plugins`. */
export const hubFolder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-whole-'))
  for (const name of ['flows', 'plugins']) mkdirSync(join(dir, name))
  return dir
}

/** Starts a hub in this process and logs its admin in. `close` stops it and removes its folder. */
export const testHub = async ({ env = {}, prepare = () => {} }: TestHubOptions = {}): Promise<TestHub> => {
  const dir = hubFolder()
  await prepare(dir)
  const config = readConfig({ ...environmentIn(dir), ...env }, dir)
  const hub = await startHub(config)
  let token = ''
  const outside = outsider(`http://127.0.0.1:${hub.ports.http}`, hub.ports.mqtt ?? 0, () => token)
  const { ADMIN_USER: username, ADMIN_PASSWORD: password } = config
  const close = async () => {
    await outside.leave()
    await hub.close()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    if (username !== undefined && password !== undefined) token = await outside.login(username, password)
  } catch (error) {
    await close()
    throw error
  }
  return { ...outside, hub, config, dir, token, close }
}
