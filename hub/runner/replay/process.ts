// Runs a replay in a process of its own, sealed as the flows' own is: with a deadline, a limit of memory, and an end.
import { type ChildProcess, spawn } from 'node:child_process'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fatal, Recoverable, reasonOf } from '../../errors.ts'
import { usageOf } from '../usage.ts'
import { type Order, Told, type ToldOutput } from './protocol.ts'
import type { Report } from './report.ts'

export interface ReplayLimits {
  /** Heap of the process, MB. Its resident memory may be three times as much. */
  heapMb: number
  /** ms of CPU time without a word from it, after which it is ended. */
  stuckMs: number
}

export interface ReplayEar {
  progress?(part: number, messages: number): void
  /** Only when the order asks for outputs. */
  output?(output: ToldOutput): void
  signal?: AbortSignal
}

/** The flow's file does not give a flow, the flow never came back, or the process ended. */
export class ReplayFailed extends Recoverable {
  constructor(message: string) {
    super('EXECUTION_ERROR', message)
  }
}

/** Somebody did not want it any more. */
export class ReplayCancelled extends Recoverable {
  constructor() {
    super('GONE', 'The replay was cancelled.')
  }
}

export const REPLAY_LIMITS: ReplayLimits = { heapMb: 512, stuckMs: 10_000 }

const APP = fileURLToPath(new URL('../../../', import.meta.url))
const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))
const LOOK_MS = 250
const START_MS = 15_000
const RSS_PER_HEAP = 3
const LONGEST_LINE = 32 * 2 ** 20
/** So many times its allowance of CPU time may it be silent by the wall clock. */
const PATIENCE = 6
const COMPLAINT = 2000

/** What the process may read: the code, packages, the flow's folders and the journal; it may write nothing. */
const readable = ({ now, other, topicFiles, journalDir }: Order): string[] => {
  const rxjs = fileURLToPath(import.meta.resolve('rxjs'))
  const packages = rxjs.slice(0, rxjs.lastIndexOf(`${path.sep}node_modules${path.sep}`))
  const folders = [now, ...(other === undefined ? [] : [other])].map(({ file }) => path.dirname(path.resolve(file)))
  return [
    path.join(APP, 'hub', '*'),
    path.join(APP, 'plugins', '*'),
    path.join(APP, 'package.json'),
    path.join(packages, 'node_modules', '*'),
    ...folders.map((folder) => path.join(folder, '*')),
    ...topicFiles.map((file) => path.resolve(file)),
    path.resolve(journalDir),
    path.join(path.resolve(journalDir), '*'),
  ]
}

/** Runs it and resolves to its report. Rejects with ReplayFailed or ReplayCancelled, each of which says what to do. */
export const replayInProcess = (
  order: Order,
  ear: ReplayEar = {},
  limits: ReplayLimits = REPLAY_LIMITS,
): Promise<Report> =>
  new Promise((resolve, reject) => {
    const { signal } = ear
    if (signal?.aborted === true) return reject(new ReplayCancelled())
    const child = spawn(
      process.execPath,
      [
        '--permission',
        '--no-experimental-sqlite',
        '--disallow-code-generation-from-strings',
        `--max-old-space-size=${limits.heapMb}`,
        ...readable(order).map((what) => `--allow-fs-read=${what}`),
        CHILD,
      ],
      { env: { TZ: 'UTC' }, cwd: APP, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
    )
    const socket = child.stdio[3]
    if (!(socket instanceof net.Socket)) throw new Fatal('the process of the replay has no pipe to the hub')
    giveWay(child)
    let last = performance.now()
    let isReady = false
    let [spent, cpuAt] = [0, 0]
    let reached = ''
    let isOver = false
    let complaint = ''
    const over = (act: () => void): void => {
      if (isOver) return
      isOver = true
      clearInterval(look)
      signal?.removeEventListener('abort', cancel)
      child.kill('SIGKILL')
      socket.destroy()
      act()
    }
    const failed = (why: string): void => over(() => reject(new ReplayFailed(why)))
    const cancel = (): void => over(() => reject(new ReplayCancelled()))
    signal?.addEventListener('abort', cancel)

    const heard = (line: string): void => {
      const told = Told.parse(JSON.parse(line))
      last = performance.now()
      if (told.say === 'progress') {
        if (isReady) reached = ` after ${new Date(told.at).toISOString()}`
        isReady = true
        ear.progress?.(told.part, told.messages)
      } else if (told.say === 'output') ear.output?.(told)
      else if (told.say === 'report') over(() => resolve(told.report))
      else failed(`Flow ${order.flow}: ${told.message}${told.place === undefined ? '' : ` (${told.place})`}`)
    }
    let rest: Buffer[] = []
    let size = 0
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      try {
        let from = 0
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
          const line = Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8')
          rest = []
          size = 0
          from = end + 1
          if (!isOver) heard(line)
        }
        if (from < chunk.length) rest.push(chunk.subarray(from))
        size += chunk.length - from
        if (size > LONGEST_LINE) throw new RangeError('a line without an end')
      } catch (error) {
        failed(`The replay said what cannot be understood: ${reasonOf(error)}`)
      }
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      if (complaint.length < COMPLAINT) complaint += chunk.toString('utf8').slice(0, COMPLAINT)
    })
    child.on('error', (error) => failed(`The replay cannot be started: ${reasonOf(error)}`))
    child.on('close', (code, end) =>
      failed(`The process of the replay ended${reached} (${end ?? `exit ${code}`})${whyOf(complaint, limits)}`),
    )

    // CPU time is what counts where the system tells it, so that a busy machine blames nobody.
    const look = setInterval(() => {
      const usage = usageOf(child.pid)
      const silent = performance.now() - last
      if (spent !== last) [spent, cpuAt] = [last, usage?.cpuMs ?? 0]
      const used = usage === undefined ? silent : usage.cpuMs - cpuAt
      const allowed = isReady ? limits.stuckMs : START_MS
      if (used > allowed || silent > PATIENCE * allowed)
        failed(
          `Flow ${order.flow} did not come back for ${(silent / 1000).toFixed(1)} s${reached}: look for a loop without an end, or a regular expression that takes for ever.`,
        )
      else if ((usage?.rss ?? 0) > RSS_PER_HEAP * limits.heapMb * 2 ** 20)
        failed(
          `Flow ${order.flow} took more than ${RSS_PER_HEAP * limits.heapMb} MiB of memory${reached}: it keeps what it hears.`,
        )
    }, LOOK_MS)
    socket.write(`${JSON.stringify(order)}\n`)
  })

const whyOf = (complaint: string, { heapMb }: ReplayLimits): string => {
  if (complaint.includes('heap out of memory'))
    return `: it needed more than ${heapMb} MiB; the flow keeps what it hears`
  const line = complaint.split('\n').find((each) => /^(FATAL ERROR|\w*Error\b)/.test(each))
  return line === undefined ? '' : `: ${line}`
}

/** Whatever else this machine does goes first. */
const giveWay = ({ pid }: ChildProcess): void => {
  try {
    if (pid !== undefined) os.setPriority(pid, os.constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It is gone already, or the system does not let us: then it runs like any other.
  }
}
