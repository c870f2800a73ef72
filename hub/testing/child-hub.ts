// The hub as its own process, started as npm start does: for what only a process can do, such as dying.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { ADMIN, environmentIn, ROOT } from './hub.ts'
import { outsider, type Outsider } from './outsider.ts'
import { until } from './until.ts'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface HubProcess {
  pid: number
  /** What it has printed, both streams. */
  said(): string
  /** Resolves when it has printed this. Rejects when it ended or `ms` passed first. */
  says(pattern: RegExp, ms?: number): Promise<RegExpMatchArray>
  ended: Promise<Ended>
  /** Resolves when it has ended; a process that does not end within `ms` is killed, and the promise rejects. */
  kill(signal: NodeJS.Signals, ms?: number): Promise<Ended>
}

export interface ChildHub extends HubProcess, Outsider {
  token: string
}

export interface ChildOptions {
  env?: Record<string, string>
  /** Words before the program, such as `['unshare', '-m']`. */
  before?: readonly string[]
  uid?: number
  gid?: number
}

/** The first start may have to build the web app. */
const START_MS = 60_000
const END_MS = 8_000
const READY = /http:\/\/127\.0\.0\.1:(\d+) .*mqtt:\/\/127\.0\.0\.1:(\d+)/

/** Those that run: a test that fails half-way leaves none behind. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts the hub in `dir` and gives back its process, ready or not. */
export const hubProcess = (dir: string, { env = {}, before = [], uid, gid }: ChildOptions = {}): HubProcess => {
  const [program = process.execPath, ...words] = [...before, process.execPath, join(ROOT, 'hub/start.js')]
  const child = spawn(program, words, {
    cwd: dir,
    env: { ...environmentIn(dir), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  let text = ''
  let isOver = false
  running.add(child)
  child.once('close', () => {
    running.delete(child)
    isOver = true
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    // 'close' comes when all it has said has been read.
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  ended.catch(() => {})

  return {
    pid: child.pid ?? 0,
    said: () => text,
    ended,
    says: (pattern, ms = START_MS) =>
      until(
        () => {
          const found = text.match(pattern)
          if (found !== null || !isOver) return found ?? undefined
          throw new Error(
            `the hub ended (${child.exitCode ?? child.signalCode}) and did not say ${pattern.source}; it said:\n${text}`,
          )
        },
        (again) => listen(child, again),
        ms,
        () => `the hub did not say ${pattern.source}; it said:\n${text}`,
      ),
    kill: async (signal, ms = END_MS) => {
      child.kill(signal)
      let late: NodeJS.Timeout | undefined
      const tooLate = new Promise<never>((_, reject) => {
        late = setTimeout(() => {
          child.kill('SIGKILL')
          reject(new Error(`the hub did not end within ${ms} ms of ${signal}; it said:\n${text}`))
        }, ms)
      })
      return Promise.race([ended, tooLate]).finally(() => clearTimeout(late))
    },
  }
}

const listen = (child: ChildProcess, again: () => void): (() => void) => {
  const sources = [child.stdout, child.stderr, child]
  for (const source of sources) source?.on(source === child ? 'close' : 'data', again)
  return () => {
    for (const source of sources) source?.off(source === child ? 'close' : 'data', again)
  }
}

/** Starts the hub in `dir`, waits until it is ready and logs its admin in. */
export const childHub = async (dir: string, options: ChildOptions = {}): Promise<ChildHub> => {
  const started = hubProcess(dir, options)
  try {
    const [, http, mqtt] = await started.says(READY)
    let token = ''
    const outside = outsider(`http://127.0.0.1:${http ?? ''}`, Number(mqtt), () => token)
    token = await outside.login(ADMIN.username, ADMIN.password)
    return { ...outside, ...started, token }
  } catch (error) {
    await started.kill('SIGKILL')
    throw error
  }
}
