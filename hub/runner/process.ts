// One process of flows as the hub sees it: bodies in, bodies out, watched, and ended with a verdict.
import { reasonOf } from '../errors.ts'
import type { Log } from '../health/report.ts'
import { frames } from './frame.ts'
import { eachLine } from './lines.ts'
import { type Started, spawnChild } from './spawn.ts'
import { type Blame, watch, type WatchLimits } from './watchdog.ts'

export interface ProcessLimits extends WatchLimits {
  /** Heap of the process of flows, MB. */
  heapMb: number
  /** ms for the process to start. */
  startMs: number
}

/** Why a process ended, and the flow that did it, when that is known. */
export interface Verdict {
  why: string
  flow?: number
}

export interface FlowProcess {
  readonly pid: number | undefined
  readonly markerFd: number
  readonly gone: boolean
  rss(): number
  write(frame: Buffer): void
  /** It said that it is there. */
  ready(): void
  /** Ends it; `ended` is not called. Resolves when it is gone. */
  close(): Promise<void>
  /** Ends it, with a verdict. */
  fail(why: string, blame: Blame): void
}

export interface ProcessOptions {
  flowsDir: string
  topicFiles: readonly string[]
  limits: ProcessLimits
  log: Log
  /** One body; throws when it is not understood. */
  heard(body: Buffer): void
  /** It has something to do and has not answered. */
  owes(): boolean
  /** ms of CPU time it may take beyond the usual. */
  allowanceMs(): number
  ownRss(): number
  ended(verdict: Verdict): void
}

/** Memory that one flow took, from which it is named rather than whoever has the turn, MiB. */
const HEAVY_MIB = 16

const isMemory = (why: string): boolean => why.startsWith('memory')

/** Throws when it cannot be started. */
export const openProcess = (options: ProcessOptions): FlowProcess => {
  const { limits, log } = options
  const started: Started = spawnChild({ ...options, heapMb: limits.heapMb })
  const { process: child, socket } = started
  let gone = false
  let isReady = false
  const exited = new Promise<void>((resolve) => void child.once('close', () => resolve()))

  const end = (): void => {
    gone = true
    clearTimeout(late)
    dog.close()
    started.end()
  }

  const fail = (why: string, blame: Blame): void => {
    if (gone) return
    const { turn, heaviest } = started.culprit()
    end()
    // The heap is at its end in whosever turn it is; memory that was taken bit by bit is in the books.
    const isHeap = /heap|SIGABRT|SIGTRAP/i.test(why)
    const heavy = heaviest !== undefined && heaviest.mib >= HEAVY_MIB ? heaviest.flow : undefined
    const flow =
      blame === 'nobody'
        ? undefined
        : blame === 'heaviest'
          ? heavy
          : isHeap
            ? (heavy ?? turn)
            : (turn ?? (isMemory(why) ? heavy : undefined))
    options.ended(flow === undefined ? { why } : { why, flow })
  }

  const dog = watch({
    pid: child.pid,
    limits,
    owes: () => isReady && options.owes(),
    allowanceMs: options.allowanceMs,
    ownRss: options.ownRss,
    failed: fail,
  })
  const late = setTimeout(() => fail(`not ready within ${limits.startMs} ms`, 'nobody'), limits.startMs)
  late.unref()

  const cut = frames((body) => {
    if (gone) return
    dog.answered()
    options.heard(body)
  })
  socket.on('data', (chunk: Buffer) => {
    try {
      cut(chunk)
    } catch (error) {
      fail(`it said what the hub does not understand: ${reasonOf(error)}`, 'nobody')
    }
  })
  child.on('error', (error) => fail(reasonOf(error), 'nobody'))
  // Nothing in a flow kills its own process like that: somebody did, or the system for want of memory.
  // `close` comes after all that was written has been read.
  let complaint = ''
  child.on('close', (code, signal) =>
    fail(`exit ${code ?? signal}${complaint}`, signal === 'SIGKILL' ? 'heaviest' : 'turn'),
  )
  eachLine(child.stdout, (line) => log.debug('flows say', { line }))
  eachLine(child.stderr, (line) => {
    log.warn('flows process says', { line })
    if (complaint === '' && /FATAL ERROR|^\w*Error\b/.test(line)) complaint = `: ${line}`
  })

  return {
    pid: child.pid,
    markerFd: started.markerFd,
    get gone() {
      return gone
    },
    rss: () => dog.usage?.rss ?? options.ownRss(),
    write: (frame) => void (gone || socket.write(frame)),
    ready() {
      isReady = true
      clearTimeout(late)
    },
    async close() {
      if (!gone) end()
      await exited
    },
    fail,
  }
}
