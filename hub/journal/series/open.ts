// The roll-ups beside the journal: a thread follows it now and then, and at once when somebody asks; between two looks there is no thread.
import { randomUUID } from 'node:crypto'
import type { Worker } from 'node:worker_threads'
import type { Clock } from '../../clock.ts'
import { Recoverable, reasonOf } from '../../errors.ts'
import { startThread } from '../../thread.ts'
import type { None, Past, Question } from './ask.ts'
import type { Bounds } from './followed.ts'
import type { Keep } from './keep.ts'
import type { SegmentEnd } from './walk.ts'
import type { FromThread, Passed, SeriesSetup, ToThread } from './worker.ts'

export interface SeriesOptions {
  /** The SQLite file; made anew from the journal when it is not there. */
  file: string
  prefix: string
  clock: Pick<Clock, 'now'>
  keep?: Partial<Keep>
  bounds?: Partial<Bounds>
  /** Something is not kept, or was made anew; one sentence each, each once. */
  tell(type: 'SeriesFull' | 'SeriesRenewed' | 'SeriesFailed', sentence: string): void
  /** For tests: how often it is followed without being asked, ms. */
  passMs?: number
}

/** What a chart is drawn from: minutes, hours and days of the numbers and switches devices report. */
export interface Series {
  /** Wall-clock time in ms, by the hub's clock. */
  now(): number
  /** Rejects with UNAVAILABLE when it cannot be read now. */
  past(question: Omit<Question, 'now'>): Promise<(Past & { isBehind: boolean }) | None>
  /** Follows the journal to its end and writes what it found. */
  pass(): Promise<Passed>
  close(): Promise<void>
}

export const KEEP: Keep = { days: { minute: 30, hour: 730, day: 3650 }, mostMiB: 1024 }
export const BOUNDS: Bounds = { perDevice: 64, inAll: 5000 }

const FIRST_PASS_MS = 15_000
const PASS_MS = 300_000
const LOOK_MS = 15_000
/** Followed earlier when so much is new, so that a question never has much to catch up with. */
const MUCH = 32 * 1024 * 1024
const TIDY_MS = 3_600_000
const ASK_MS = 10_000
/** At its begin the thread may have the whole journal before it; it answers in between. */
const PASS_DEADLINE_MS = 3_600_000
const MOST_QUESTIONS = 100
/** A thread takes some 15 MB. A page that shows a chart asks again within this. */
const IDLE_MS = { ask: 40_000, pass: 500 }
const CLOSE_MS = 1000
const MOST_TOLD = 1000

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

/** `segments`: the journal as far as it is certain, at this moment. */
export const openSeries = (segments: () => SegmentEnd[], options: SeriesOptions): Series => {
  const { file, prefix, clock, tell, passMs = PASS_MS } = options
  const setup: SeriesSetup = {
    file,
    prefix,
    run: randomUUID(),
    opened: segments(),
    keep: { ...KEEP, ...options.keep },
    ...BOUNDS,
    ...options.bounds,
  }
  const pending = new Map<number, Pending>()
  const told = new Set<string>()
  let thread: Worker | undefined
  let last = 0
  let closed = false
  let idle: NodeJS.Timeout | undefined
  let wakeUntil = 0
  let passed = { at: performance.now() - passMs + Math.min(passMs, FIRST_PASS_MS), bytes: -1, end: '' }
  let tidied = -Infinity
  let passing: Promise<Passed> | undefined

  const once = (type: 'SeriesFull' | 'SeriesRenewed', key: string, sentence: string): void => {
    if (told.has(key) || told.size >= MOST_TOLD) return
    told.add(key)
    tell(type, sentence)
  }
  const settle = (id: number): Pending | undefined => {
    const waiting = pending.get(id)
    if (waiting === undefined) return undefined
    clearTimeout(waiting.timer)
    pending.delete(id)
    return waiting
  }
  const rest = (ms: number): void => {
    if (pending.size > 0 || thread === undefined) return
    thread.unref()
    clearTimeout(idle)
    // Following the journal does not end the thread early under a page that asks now and then.
    wakeUntil = Math.max(wakeUntil, performance.now() + ms)
    idle = setTimeout(() => void end(), wakeUntil - performance.now()).unref()
  }
  const end = async (): Promise<void> => {
    clearTimeout(idle)
    const ending = thread
    thread = undefined
    if (ending === undefined) return
    const exited = new Promise((resolve) => ending.once('exit', resolve))
    ending.postMessage('close' satisfies ToThread)
    const force = setTimeout(() => void ending.terminate(), CLOSE_MS)
    await exited
    clearTimeout(force)
  }
  const start = (): Worker => {
    const started = startThread(new URL('./worker.ts', import.meta.url), { name: 'series', workerData: setup })
    started.on('message', (message: FromThread) => {
      const waiting = settle(message.id)
      if ('failed' in message) {
        const reason = `The roll-ups of device values in ${file} cannot be used now: ${message.failed}.`
        return waiting?.reject(new Recoverable('UNAVAILABLE', reason))
      }
      if (message.renewed !== undefined)
        once('SeriesRenewed', 'renewed', `${file} is made anew from the journal: ${message.renewed}.`)
      for (const device of message.refused) once('SeriesFull', `full ${device}`, fullSentence(device, setup))
      waiting?.resolve(message.value)
    })
    const gone = (why: string): void => {
      if (thread !== started) return
      thread = undefined
      for (const id of [...pending.keys()])
        settle(id)?.reject(new Recoverable('UNAVAILABLE', `The thread that rolls up values ended: ${why}. Ask again.`))
    }
    started.on('error', (error) => gone(reasonOf(error)))
    started.on('exit', (code) => gone(`exit code ${code}`))
    return started
  }

  const ask = (deadlineMs: number, make: (id: number) => ToThread): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new Recoverable('UNAVAILABLE', 'The hub is stopping.'))
      if (pending.size >= MOST_QUESTIONS)
        return reject(new Recoverable('UNAVAILABLE', 'Too many charts at once. Ask again in a moment.'))
      const id = ++last
      const timer = setTimeout(() => {
        const late = settle(id)
        late?.reject(new Recoverable('UNAVAILABLE', `No answer within ${deadlineMs / 1000} s. Ask again.`))
      }, deadlineMs)
      pending.set(id, { resolve, reject, timer })
      clearTimeout(idle)
      thread ??= start()
      thread.ref()
      thread.postMessage(make(id))
    })

  const pass = (): Promise<Passed> => {
    passing ??= passNow().finally(() => {
      passing = undefined
      rest(IDLE_MS.pass)
    })
    return passing
  }
  const passNow = async (): Promise<Passed> => {
    const now = segments()
    const isDue = performance.now() - tidied > TIDY_MS
    passed = { at: performance.now(), bytes: bytesOf(now), end: endOf(now) }
    const done = (await ask(PASS_DEADLINE_MS, (id) => ({
      id,
      do: 'pass',
      segments: now,
      now: clock.now(),
      tidy: isDue,
    }))) as Passed
    if (isDue) tidied = performance.now()
    return done
  }

  /** The last failure that was told; a new kind is told again, and so is one after it went well. */
  let failure = ''
  const look = async (): Promise<void> => {
    const now = segments()
    if (passing !== undefined || endOf(now) === passed.end) return
    const isMuch = passed.bytes >= 0 && bytesOf(now) - passed.bytes > MUCH
    if (performance.now() - passed.at >= passMs || isMuch) await follow()
  }
  const follow = async (): Promise<void> => {
    try {
      await pass()
      failure = ''
    } catch (error) {
      const sentence = `${reasonOf(error)} Charts end there until it can; nothing of the journal is lost.`
      if (sentence !== failure && !closed) tell('SeriesFailed', sentence)
      failure = sentence
    }
  }
  const timer = setInterval(() => void look(), Math.min(passMs, LOOK_MS)).unref()

  return {
    now: () => clock.now(),
    async past(question) {
      const now = clock.now()
      try {
        const make = (id: number): ToThread => ({ id, do: 'ask', segments: segments(), question: { ...question, now } })
        const answer = (await ask(ASK_MS, make)) as (Past & { isBehind: boolean }) | None
        if ('isBehind' in answer && answer.isBehind) void follow()
        return answer
      } finally {
        rest(IDLE_MS.ask)
      }
    },
    pass,
    async close() {
      closed = true
      clearInterval(timer)
      for (const id of [...pending.keys()]) settle(id)?.reject(new Recoverable('UNAVAILABLE', 'The hub is stopping.'))
      await end()
    },
  }
}

const bytesOf = (segments: readonly SegmentEnd[]): number => segments.reduce((sum, { size }) => sum + size, 0)
const endOf = (segments: readonly SegmentEnd[]): string => {
  const end = segments.at(-1)
  return end === undefined ? '' : `${end.firstSeq} ${end.size}`
}

const fullSentence = (device: string, { perDevice, inAll }: Bounds): string =>
  device === ''
    ? `More than ${inAll} values of devices are reported: charts of further ones are not kept. Those that say nothing for a week make room.`
    : `'${device}' reports more than ${perDevice} different values: charts of further ones are not kept. Those that say nothing for a week make room.`
