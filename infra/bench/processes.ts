// Processes that the kit starts: waited for with a deadline, ended by pid, and never left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { family } from './cpu.ts'

const SAID_BYTES = 64 * 1024
const TERM_MS = 6000

const started = new Set<ChildProcess>()

export const pidOf = ({ pid }: ChildProcess): number => {
  if (pid === undefined) throw new Error('a process did not start')
  return pid
}

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const killPid = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    return // it has ended meanwhile
  }
}

process.once('exit', () => {
  for (const child of started) if (!isOver(child) && child.pid !== undefined) family(child.pid).forEach(killPid)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

export interface Started {
  child: ChildProcess
  pid: number
  /** What it has printed lately, both streams. */
  said(): string
  isOver(): boolean
  /** The first line that fits, printed already or within `ms`. Rejects when the process ends before. */
  line(wanted: RegExp, ms?: number): Promise<RegExpExecArray>
  /** Kills it with all it started, at once. */
  kill(): Promise<void>
  /** Asks it to end, and kills it when it does not. */
  end(): Promise<void>
}

/** Starts a program. Both of its streams are read for as long as it lives. */
export const start = (
  program: string,
  words: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Started => {
  const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  started.add(child)
  let text = ''
  const gone = new Promise<void>((done) => {
    child.once('error', () => done())
    child.once('exit', () => {
      started.delete(child)
      done()
    })
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-SAID_BYTES)))
  }
  const kill = async () => {
    if (!isOver(child)) family(pidOf(child)).forEach(killPid)
    await gone
  }
  return {
    child,
    pid: pidOf(child),
    said: () => text,
    isOver: () => isOver(child),
    line: (wanted, ms = 30_000) =>
      new Promise((done, failed) => {
        const look = () => {
          const found = wanted.exec(text)
          if (found !== null) settle(() => done(found))
          else if (isOver(child)) settle(() => failed(new Error(`${program} ended, and said:\n${text}`)))
        }
        const settle = (answer: () => void) => {
          clearTimeout(late)
          clearInterval(timer)
          answer()
        }
        const late = setTimeout(() => settle(() => failed(new Error(`nothing after ${ms} ms:\n${text}`))), ms)
        const timer = setInterval(look, 2)
        look()
      }),
    kill,
    async end() {
      if (isOver(child)) return
      child.kill('SIGTERM')
      const late = setTimeout(() => void kill(), TERM_MS)
      await gone
      clearTimeout(late)
    },
  }
}

/** A port of 127.0.0.1 that is free now. */
export const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
    server.once('error', failed)
  })

/** How many files a process started here may hold open at once; Node raises its own soft limit to the hard one. */
export const openFilesLimit = (): number => {
  const words = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
  return words === undefined || words === 'unlimited' ? Number.POSITIVE_INFINITY : Number(words)
}

export const sleep = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms))
