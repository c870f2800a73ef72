// A real broker for the tests of this plugin: Mosquitto on a free port of 127.0.0.1, with passwords and rights per device.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

const PLACES = [
  '/usr/sbin/mosquitto',
  '/usr/bin/mosquitto',
  '/usr/local/sbin/mosquitto',
  '/opt/homebrew/sbin/mosquitto',
]
const binary = PLACES.find((place) => existsSync(place))

/** Why the tests that need it are skipped; undefined when it is installed. */
export const NO_MOSQUITTO = binary === undefined ? 'Mosquitto is not installed: apt-get install mosquitto' : undefined

export interface Mosquitto {
  port: number
  /** Kills it without a goodbye. */
  kill(): Promise<void>
  /** Starts it again on the same port. */
  start(): Promise<void>
  close(): Promise<void>
}

const START_MS = 5000

const freePort = async (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })

const answers = async (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })

const ended = async (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else
      child.once('exit', () => {
        resolve()
      })
  })

/** `users` by name; each may write and read `<prefix>/devices/<name>/#`, and `observer` everything. */
export const startMosquitto = async (users: ReadonlyMap<string, string>, prefix: string): Promise<Mosquitto> => {
  if (binary === undefined) throw new Error(NO_MOSQUITTO)
  const dir = await mkdtemp(join(tmpdir(), 'mosquitto-'))
  const port = await freePort()
  const passwords = join(dir, 'passwords')
  await writeFile(passwords, [...users].map(([name, password]) => `${name}:${password}\n`).join(''), { mode: 0o600 })
  const hashed = spawnSync('mosquitto_passwd', ['-U', passwords], { encoding: 'utf8' })
  if (hashed.status !== 0) throw new Error(`mosquitto_passwd: ${hashed.stderr}`)
  await writeFile(
    join(dir, 'rights'),
    `pattern readwrite ${prefix}/devices/%u/#\nuser observer\ntopic readwrite ${prefix}/#\ntopic read $SYS/#\n`,
    { mode: 0o600 },
  )
  await writeFile(
    join(dir, 'mosquitto.conf'),
    [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous false',
      `password_file ${passwords}`,
      `acl_file ${join(dir, 'rights')}`,
      `user ${userInfo().username}`,
      'persistence false',
      'sys_interval 1',
      'log_type error',
    ].join('\n'),
  )
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    child = spawn(binary, ['-c', join(dir, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'inherit'] })
    for (const until = Date.now() + START_MS; !(await answers(port));) {
      if (Date.now() > until) throw new Error(`Mosquitto does not answer on port ${port}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const kill = async (): Promise<void> => {
    child?.kill('SIGKILL')
    if (child) await ended(child)
  }
  await start()
  return {
    port,
    kill,
    start,
    close: async () => {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
