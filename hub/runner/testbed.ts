// A runner on a folder of flows made for one test, with a bus in memory and everything it reports kept to look at.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import type { Envelope } from '../bus/envelope.ts'
import { type Clock, wallClock } from '../clock.ts'
import type { ErrorReport, HealthWord, Log } from '../health/report.ts'
import { matches } from '../bus/filters.ts'
import type { Entry, NoteKind } from '../journal/entry.ts'
import { type MemoryBus, memoryBus } from '../testing/memory-bus.ts'
import type { RunnerLimits } from './limits.ts'
import { type RunnerParts, startRunner } from './run.ts'
import { core } from '../topics/core.ts'
import { loadTopicTables } from './topic-files.ts'
import type { FlowView, Runner } from './runner.ts'

export interface Testbed {
  runner: Runner
  bus: MemoryBus
  clock: Clock
  dir: string
  reports: ErrorReport[]
  notes: { kind: NoteKind; payload: unknown }[]
  health: Map<string, { word: HealthWord; what: string | undefined }>
  flow(id: string): FlowView
  /** Hands the runner a message that nobody has decoded yet, as a bus does that decodes only where someone inside listens. */
  hand(topic: string, payload: string): void
  /** Resolves when it is so; rejects after thirty seconds with what was looked at last. */
  until(isSo: () => boolean, show?: () => unknown): Promise<void>
}

const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => QUIET }

/** Finds nothing wrong: for tests that are not about types, which take seconds to read. */
const UNCHECKED: NonNullable<RunnerParts['types']> = {
  check: () => Promise.resolve([]),
  close: () => Promise.resolve(),
}

/** Files by name. Starts the runner and stops it when the test is over. */
export const testbed = async (
  files: Record<string, string>,
  limits: Partial<RunnerLimits> = {},
  topicFiles: readonly string[] = [],
  types: RunnerParts['types'] | 'real' = UNCHECKED,
): Promise<Testbed> => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'millrace-flows-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(dir, name)), { recursive: true })
    await writeFile(path.join(dir, name), text)
  }
  const clock = wallClock()
  const bus = memoryBus({ clock, tables: await loadTopicTables(topicFiles).catch(() => [core]) })
  const reports: ErrorReport[] = []
  const notes: Testbed['notes'] = []
  const health: Testbed['health'] = new Map()
  let take: ((envelope: Envelope) => void) | undefined
  let handed = 1_000_000
  const journal = memoryJournal(bus, clock, (kind, payload) => void notes.push({ kind, payload }))
  const runner = await startRunner({
    flowsDir: dir,
    topicFiles,
    bus: {
      raw(filter, edge, heard) {
        take = heard
        return bus.raw(filter, edge, heard)
      },
      retained: bus.retained,
      publish: bus.publish,
      publishBytes: bus.publishBytes,
    },
    journal,
    prefix: bus.prefix,
    clock,
    log: QUIET,
    health: {
      set: (part, word, what) => void health.set(part, { word, what }),
      drop: (part) => void health.delete(part),
      report: (error) => void reports.push(error),
      metrics: { count() {}, gauge() {}, observe() {}, text: () => Promise.resolve('') },
    },
    ...(types === 'real' || types === undefined ? {} : { types }),
    limits: { restartMs: { first: 20, longest: 80 }, respawnMs: { first: 10, longest: 40 }, rescanMs: 0, ...limits },
  })
  onTestFinished(async () => {
    await runner.close()
    await rm(dir, { recursive: true, force: true })
  })
  return {
    runner,
    bus,
    clock,
    dir,
    reports,
    notes,
    health,
    flow(id) {
      const view = runner.flows().find((flow) => flow.id === id)
      if (view === undefined) throw new Error(`no flow ${id}`)
      return view
    },
    hand(topic, payload) {
      const rest = { qos: 0, retain: false, origin: 'device:dust', cause: 0, correlation: '', n: 0 } as const
      take?.({ ...rest, seq: handed++, at: clock.stamp(), topic, payload: Buffer.from(payload) })
    },
    async until(isSo, show = () => ({ flows: runner.flows(), reports: reports.map(({ message }) => message) })) {
      const deadline = performance.now() + 30_000
      while (!isSo()) {
        if (performance.now() > deadline)
          throw new Error(`not within thirty seconds: ${JSON.stringify(show(), null, 1)}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
  }
}

/** A journal on top of a bus in memory: its messages, and the notes between them. */
export const memoryJournal = (
  bus: Pick<MemoryBus, 'log'>,
  clock: Clock,
  noted: (kind: NoteKind, payload: unknown) => void = () => {},
): RunnerParts['journal'] => {
  const notes: Entry[] = []
  const lastSeq = () => bus.log.at(-1)?.seq ?? 0
  let count = 0
  return {
    reserve: () => Math.floor(lastSeq()) + 1,
    note(kind, payload, done) {
      // Between the message before and the one after.
      const seq = lastSeq() + ++count / 1e6
      const text = JSON.stringify(payload)
      notes.push({ ...NOTE, seq, at: clock.stamp(), topic: `!${kind}`, payload: Buffer.from(text) })
      noted(kind, JSON.parse(text))
      if (done !== undefined) queueMicrotask(() => done())
      return seq
    },
    read({ fromSeq = 0, toSeq = Infinity, since = 0, topic, kinds = ['message', 'note'], backwards, limit = 10_000 }) {
      const messages = bus.log.map((envelope): Entry => ({ ...envelope, kind: 'message' }))
      const found = [...messages, ...notes]
        .filter(({ kind, seq, at }) => kinds.includes(kind) && seq >= fromSeq && seq <= toSeq && at >= since)
        .filter((entry) => topic === undefined || matches(topic, entry.topic))
        .sort((a, b) => (backwards === true ? b.seq - a.seq : a.seq - b.seq))
      return Promise.resolve(found.slice(0, limit))
    },
    stats: () => ({ segments: 1, bytes: 0, firstSeq: 1, lastSeq: lastSeq(), waiting: 0, truncatedBytes: 0 }),
  }
}

const NOTE = { kind: 'note', qos: 0, retain: false, origin: 'hub', cause: 0, correlation: '', n: 0 } as const
