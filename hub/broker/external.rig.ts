// A real Mosquitto for tests: on a free port of 127.0.0.1, with users and rules, to be killed and started again on the same port.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../testing/hub.ts'
import { until } from '../testing/until.ts'

const FOLDERS = [
  '/usr/sbin',
  '/usr/bin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/bin',
]
const pathOf = (program: string): string | undefined =>
  FOLDERS.map((folder) => join(folder, program)).find((path) => existsSync(path))

export const MISSING = ['mosquitto', 'mosquitto_passwd'].filter((program) => pathOf(program) === undefined)
/** For the title of a suite. */
export const WHY =
  MISSING.length === 0 ? '' : ` (skipped: ${MISSING.join(', ')} not installed: apt-get install mosquitto)`

export interface Mosquitto {
  port: number
  dir: string
  said(): string
  /** Starts it, again after `kill`, with these lines added to its configuration. */
  start(lines?: readonly string[]): Promise<void>
  /** New rules and passwords, taken over at once. Without users everybody may come in. */
  rules(acl: string, users: Readonly<Record<string, string>>): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
  remove(): Promise<void>
}

/** Prepares one; `start` runs it. */
export const mosquitto = async (): Promise<Mosquitto> => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-mosquitto-'))
  const port = await freePort()
  const [conf, acl, passwords] = ['conf', 'acl', 'passwd'].map((name) => join(dir, name)) as [string, string, string]
  let child: ChildProcess | undefined
  let text = ''
  let guarded: string[] = ['allow_anonymous true']

  const kill: Mosquitto['kill'] = async (signal) => {
    const one = child
    child = undefined
    if (one === undefined) return
    const gone = new Promise((resolve) => one.once('close', resolve))
    one.kill(signal)
    await gone
  }

  return {
    port,
    dir,
    said: () => text,
    async start(lines = []) {
      const all = [
        `listener ${port} 127.0.0.1`,
        `user ${userInfo().username}`,
        'max_queued_messages 100000',
        ...guarded,
      ]
      writeFileSync(conf, [...all, ...lines].join('\n'), { mode: 0o600 })
      text = ''
      const one = spawn(pathOf('mosquitto') ?? '', ['-c', conf, '-v'], { stdio: ['ignore', 'pipe', 'pipe'] })
      child = one
      for (const stream of [one.stdout, one.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
      await until(
        () => /mosquitto version \S+ running/.exec(text)?.[0],
        (again) => {
          one.stderr.on('data', again)
          one.stdout.on('data', again)
          return () => {
            one.stderr.off('data', again)
            one.stdout.off('data', again)
          }
        },
        8_000,
        () => `Mosquitto does not run; it said:\n${text}`,
      )
    },
    async rules(rules, users) {
      writeFileSync(acl, rules, { mode: 0o600 })
      writeFileSync(passwords, '', { mode: 0o600 })
      for (const [user, password] of Object.entries(users)) {
        const made = spawnSync(pathOf('mosquitto_passwd') ?? '', ['-b', passwords, user, password])
        if (made.status !== 0) throw new Error(`mosquitto_passwd: ${made.stderr.toString()}`)
      }
      guarded = ['allow_anonymous false', `acl_file ${acl}`, `password_file ${passwords}`]
      child?.kill('SIGHUP')
    },
    kill,
    async remove() {
      await kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const CONNECT = 0x10
/** CONNACK of 3.1.1: unacceptable protocol version (table 3.1). */
const UNACCEPTABLE = Buffer.from([0x20, 0x02, 0x00, 0x01])

/** The broker on `port` as if it knew MQTT 3.1.1 only. Resolves to the port of this stand-in. */
export const olderThan5 = async (port: number): Promise<{ port: number; close(): void }> => {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', (first) => {
      // Fixed header, remaining length of one or two bytes, 00 04 'MQTT', level.
      const level = first[0] === CONNECT ? first[first.indexOf('MQTT') + 4] : undefined
      if (level !== 4) return void socket.end(UNACCEPTABLE)
      const beyond = connect(port, '127.0.0.1')
      beyond.on('error', () => socket.destroy())
      beyond.on('close', () => socket.destroy())
      socket.on('close', () => beyond.destroy())
      beyond.write(first)
      socket.pipe(beyond).pipe(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return { port: address.port, close: () => server.close() }
}
