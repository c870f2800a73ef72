// The books of the process of flows: whose turn it is, what time each flow takes and, when memory is short, who takes it.
import { Buffer } from 'node:buffer'
import fs from 'node:fs'
import process from 'node:process'
import v8 from 'node:v8'

/** So many turns of a flow are marked, after it was loaded. */
const YOUNG_TURNS = 64
/** Time is summed up over this, and told of whom took more than so much of it, or so long in one turn; ms. */
const PERIOD_MS = 1000
const MUCH_MS = 200
const LONG_MS = 20
const LOOK_MS = 100
/** Accounts of memory are kept from this part of a limit. */
const SHORT = 0.6
const MIB = 2 ** 20
/** From this part of a limit on, what can be collected is, and who holds the rest is told of. */
const SOON = 0.72
const COLLECT_MS = 5000
/** A flow is told of when it took so much, and at least half of all that was taken. */
const HEAVY = 16 * MIB
/** Memory is glanced at between turns this often, ms. */
const GLANCE_MS = 0.5
const GROWN = 8 * MIB

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

interface Account {
  turns: number
  ms: number
  longest: number
  bytes: number
}

export interface Busy {
  flow: number
  ms: number
  longest: number
}

/** Memory is short for good, and this flow took most of it. */
export interface Heavy {
  flow: number
  mib: number
}

export interface Books {
  /** Before each turn. */
  turn(flow: number): void
  /** Before a flow's file is loaded: always marked. */
  loading(flow: number): void
  /** What it left behind runs when no turn does: it stays marked until the next batch. */
  suspect(flow: number): void
  /** No turn runs. */
  idle(): void
  /** Every turn is marked from now on, or only those of the young. */
  markAll(on: boolean): void
  /** CPU time since this was asked last, ms. */
  used(): number
  /** Flows that took long in one turn since this was asked last, and the longest each; ms. */
  long(): ReadonlyMap<number, number>
  /** Memory is running out, collecting did not help, and this flow took most of what was taken. Told once. */
  heavy(): Heavy | undefined
  /** Once a second: flows that took much time in it; undefined while it lasts. */
  period(): Busy[] | undefined
  forget(flow: number): void
  readonly rss: number
}

/** `now` is real time in ms; `markerFd` the hub's, for three numbers: whose turn, the heaviest flow, its MiB. */
export const openBooks = (options: {
  markerFd: number
  heapMb: number
  rssMb: number
  now(): number
  /** Collects what can be collected, at once. */
  collect(): void
}): Books => {
  const { now } = options
  const accounts = new Map<number, Account>()
  const marked = Buffer.alloc(12, 0xff)
  let all = false
  let mark = -1
  let current: Account | undefined
  let since = 0
  let period = now()
  let looked = -Infinity
  let isShort = false
  let suspect = -1
  let bytesBefore = 0
  let bytesLooked = 0
  let glanced = -Infinity
  let heaviest = { flow: -1, mib: 0 }
  let rss = process.memoryUsage.rss()
  let long = new Map<number, number>()
  const nobody: ReadonlyMap<number, number> = new Map()
  let collected = -Infinity
  let taken = 0
  let told: Heavy | undefined
  /** CPU time of this thread when no turn ran, ms. */
  let cpuIdle = 0
  let cpuUsed = 0

  const write = (flow: number): void => {
    if (flow === mark) return
    mark = flow
    marked.writeInt32LE(flow)
    fs.writeSync(options.markerFd, marked, 0, 4, 0)
  }

  const bytesNow = (): number => {
    const { used_heap_size: heap, external_memory: external } = v8.getHeapStatistics()
    return heap + external
  }

  const accountOf = (flow: number): Account => {
    let account = accounts.get(flow)
    if (account === undefined) accounts.set(flow, (account = { turns: 0, ms: 0, longest: 0, bytes: 0 }))
    return account
  }

  let currentFlow = -1
  const charge = (at: number): void => {
    if (current === undefined) return
    let ms = at - since
    // On a busy machine a short turn may last long; what counts is what it used.
    if (ms > LONG_MS) ms = Math.min(ms, cpuMs() - cpuIdle)
    current.ms += ms
    if (ms > current.longest) current.longest = ms
    if (ms > LONG_MS && ms > (long.get(currentFlow) ?? 0)) long.set(currentFlow, ms)
    if (isShort) {
      const bytes = bytesNow()
      const more = Math.max(0, bytes - bytesBefore)
      current.bytes += more
      taken += more
      bytesBefore = bytes
      const mib = Math.floor(current.bytes / MIB)
      if (mib > heaviest.mib) {
        heaviest = { flow: currentFlow, mib }
        marked.writeInt32LE(currentFlow, 4)
        marked.writeInt32LE(mib, 8)
        fs.writeSync(options.markerFd, marked, 4, 8, 4)
      }
    }
    current = undefined
  }

  const isBeyond = (part: number): boolean =>
    rss > options.rssMb * MIB * part || v8.getHeapStatistics().used_heap_size > options.heapMb * MIB * part

  /** Near a limit the collector takes everybody's time: who fills memory is told of before it is full. */
  const soon = (at: number): void => {
    const most = heaviest.mib * MIB
    if (most < HEAVY || most < taken / 2 || at - collected < COLLECT_MS || !isBeyond(SOON)) return
    collected = at
    options.collect()
    rss = process.memoryUsage.rss()
    bytesBefore = bytesLooked = bytesNow()
    if (isBeyond(SHORT)) told = heaviest
  }

  /** Memory can run short within a few turns: heap and buffers are looked at often, the rest less. */
  const glance = (at: number): void => {
    if (isShort || at - glanced < GLANCE_MS) return
    glanced = at
    if (bytesNow() - bytesLooked > GROWN) look(at, true)
  }

  const look = (at: number, isGrowing = false): void => {
    if (!isGrowing && at - looked < LOOK_MS) return
    looked = at
    bytesLooked = bytesNow()
    rss = process.memoryUsage.rss()
    if (isShort) soon(at)
    const short = rss > options.rssMb * MIB * SHORT || bytesNow() > options.heapMb * MIB * SHORT
    if (short === isShort) return
    isShort = short
    bytesBefore = bytesNow()
    if (short) return
    for (const account of accounts.values()) account.bytes = 0
    taken = 0
    heaviest = { flow: -1, mib: 0 }
    marked.fill(0xff, 4)
    fs.writeSync(options.markerFd, marked, 4, 8, 4)
  }

  return {
    turn(flow) {
      const at = now()
      charge(at)
      glance(at)
      const account = accountOf(flow)
      current = account
      currentFlow = flow
      since = at
      write(all || ++account.turns <= YOUNG_TURNS ? flow : -1)
    },
    loading: write,
    suspect(flow) {
      suspect = flow
    },
    idle() {
      const at = now()
      charge(at)
      look(at)
      write(suspect)
      suspect = -1
      cpuIdle = cpuMs()
    },
    markAll(on) {
      all = on
    },
    used() {
      const before = cpuUsed
      cpuUsed = current === undefined ? cpuIdle : cpuMs()
      return cpuUsed - before
    },
    period() {
      const at = now()
      if (at - period < PERIOD_MS) return undefined
      const scale = PERIOD_MS / (at - period)
      period = at
      const found: Busy[] = []
      for (const [flow, account] of accounts) {
        const ms = account.ms * scale
        if (ms > MUCH_MS || account.longest > LONG_MS) found.push({ flow, ms, longest: account.longest })
        account.ms = 0
        account.longest = 0
      }
      return found
    },
    long() {
      if (long.size === 0) return nobody
      const found = long
      long = new Map()
      return found
    },
    heavy() {
      const found = told
      told = undefined
      return found
    },
    forget: (flow) => void accounts.delete(flow),
    get rss() {
      return rss
    },
  }
}
