// Types of flows, checked before a version replaces the one that runs: in a process of its own, started when needed.
import { type ChildProcess, fork } from 'node:child_process'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Log } from '../health/report.ts'
import type { FlowFile } from './find-flows.ts'
import type { Thrown } from './protocol.ts'

export interface Types {
  /** What is wrong with a version; none when all is well, or when types cannot be checked, which is logged once. */
  check(file: FlowFile): Promise<Thrown[]>
  close(): Promise<void>
}

/** One that takes longer is not waited for. */
const DEADLINE_MS = 30_000
const IDLE_MS = 120_000
const CHILD = fileURLToPath(new URL('./type-check.ts', import.meta.url))

export const Question = z.strictObject({ id: z.number(), file: z.string(), source: z.string() })
const Answer = z.object({
  id: z.number(),
  problems: z.array(z.object({ message: z.string(), place: z.string() })),
})

const isInstalled = (): boolean => {
  try {
    import.meta.resolve('typescript')
    return true
  } catch {
    return false
  }
}

/** `idleMs`: so long after the last check its process ends. */
export const openTypes = (options: {
  flowsDir: string
  topicFiles: readonly string[]
  log: Log
  idleMs?: number
  deadlineMs?: number
}): Types => {
  const { log } = options
  const waiting = new Map<number, { done(problems: Thrown[]): void; timer: NodeJS.Timeout }>()
  let child: ChildProcess | undefined
  let idle: NodeJS.Timeout | undefined
  let last = 0
  let isTold = false

  const unchecked = (why: string): Thrown[] => {
    if (!isTold) log.warn('types of flows not checked', { why })
    isTold = true
    return []
  }

  const settle = (id: number, problems: Thrown[]): void => {
    const asked = waiting.get(id)
    waiting.delete(id)
    clearTimeout(asked?.timer)
    asked?.done(problems)
    if (waiting.size > 0) return
    clearTimeout(idle)
    idle = setTimeout(() => child?.kill(), options.idleMs ?? IDLE_MS)
    idle.unref()
  }

  const start = (): ChildProcess => {
    const started = fork(CHILD, [options.flowsDir, ...options.topicFiles], {
      env: { TZ: 'UTC' },
      execArgv: ['--max-old-space-size=1024'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    // Whoever runs goes first: a check may take longer, messages may not.
    try {
      if (started.pid !== undefined) os.setPriority(started.pid, os.constants.priority.PRIORITY_BELOW_NORMAL)
    } catch {
      // It is gone already, or the system has no such thing.
    }
    started.on('message', (body) => {
      const answer = Answer.safeParse(body)
      if (answer.success) settle(answer.data.id, answer.data.problems)
    })
    const gone = (why: string): void => {
      if (child !== started) return
      child = undefined
      for (const id of [...waiting.keys()]) settle(id, unchecked(why))
      clearTimeout(idle)
    }
    started.on('error', ({ message }) => gone(message))
    started.on('exit', (code, signal) => gone(`its process ended: ${code ?? signal}`))
    started.unref()
    started.channel?.unref()
    return started
  }

  return {
    check: ({ file, source }) =>
      new Promise((done) => {
        if (!isInstalled()) return done(unchecked('TypeScript is not installed here'))
        clearTimeout(idle)
        const id = ++last
        child ??= start()
        const timer = setTimeout(() => {
          child?.kill('SIGKILL')
          settle(id, unchecked(`not done within ${options.deadlineMs ?? DEADLINE_MS} ms`))
        }, options.deadlineMs ?? DEADLINE_MS)
        timer.unref()
        waiting.set(id, { done, timer })
        child.send({ id, file, source })
      }),
    async close() {
      clearTimeout(idle)
      const one = child
      child = undefined
      for (const id of [...waiting.keys()]) settle(id, [])
      clearTimeout(idle)
      if (one === undefined || one.exitCode !== null) return
      const exited = new Promise((resolve) => one.once('exit', resolve))
      one.kill('SIGKILL')
      await exited
    },
  }
}
