// A record for tests of replay: a flow runs on given messages as it would live, and everything is journalled as the hub does it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../journal/entry.ts'
import { openJournal } from '../../journal/journal.ts'
import { openPast } from '../../journal/past.ts'
import { ownTime } from '../../streams/clock.ts'
import type { Flow } from '../../streams/flow.ts'
import { core } from '../../topics/core.ts'
import { topicTable } from '../../topics/table.ts'
import type { Item } from '../frame.ts'
import { FlowHost } from '../host.ts'
import { Replay, type ReplayJob } from './engine.ts'
import type { Report } from './report.ts'

export const T0 = Date.UTC(2026, 10, 19, 8)
export const table = topicTable([core], 'jarvis')
const MINUTE = 60_000

/** A message: seconds from T0, topic after `jarvis/devices/`, payload. */
export type Sent = readonly [second: number, topic: string, payload: unknown]

export interface RecordOptions {
  flow: Flow
  id?: string
  sent: readonly Sent[]
  /** Hub time goes on for so long after the last message, s. */
  afterS?: number
  /** When the flow was started, s. */
  startS?: number
  params?: Record<string, unknown>
  kept?: Record<string, unknown>
  /** The flow is started anew with what it kept, at these times, s; the record says so. */
  restartS?: readonly number[]
  /** What the record says of each output may be changed here; undefined leaves it out. */
  output?: (entry: Entry) => Entry | undefined
  /** Seqs of messages that the flow did not get. */
  dropped?: (item: Item) => boolean
  /** More notes: kind, s, body. */
  notes?: readonly (readonly [kind: string, second: number, body: unknown])[]
}

const bare = { qos: 0 as const, retain: false, origin: 'hub', cause: 0, correlation: '', n: 0 }
const note = (seq: number, at: number, kind: string, body: unknown): Entry => ({
  ...bare,
  kind: 'note',
  seq,
  at,
  topic: `!${kind}`,
  payload: Buffer.from(JSON.stringify(body)),
})

/** What a hub would have written. */
export const recordOf = (options: RecordOptions): Entry[] => {
  const { flow, id = 'tried', sent, afterS = 3600, startS = 0, params, restartS = [], notes = [] } = options
  const { output: change = (entry) => entry, dropped = () => false } = options
  const entries: Entry[] = []
  let seq = 0
  let last = T0
  const stamp = (at: number): number => (last = Math.max(last, at))
  const kept: Record<string, unknown> = { ...options.kept }
  const retained = new Map<string, Item>()
  const host = new FlowHost(table, {
    output({ at, cause, topic, payload, n }) {
      const entry = change({
        ...bare,
        kind: 'message',
        seq: ++seq,
        at: stamp(at + 3),
        topic,
        payload: Buffer.from(payload),
        qos: 1,
        origin: `flow:${id}`,
        cause,
        n,
      })
      if (entry !== undefined) entries.push(entry)
    },
    kept({ key, value, n }) {
      kept[key] = value
      entries.push(note(++seq, last, 'flow-keep', { flow: id, key, value, n }))
    },
    setAside() {},
    failed: (_, error) => entries.push(note(++seq, last, 'flow-stop', { flow: id, reason: String(error) })),
    ended() {},
    bad() {},
  })
  const start = (at: number): void => {
    const since = seq
    entries.push(note(++seq, stamp(at), 'flow-start', { flow: id, version: 'v1', seq: since, at, params, kept }))
    host.define(0, flow, { at, ...(params === undefined ? {} : { params }) })
    host.start(0, { at, since, kept: { ...kept }, retained: [...retained.values()], name: id })
  }
  const events = [
    ...restartS.map((second) => ({ second, do: (at: number) => start(at) })),
    { second: startS, do: (at: number) => start(at) },
    ...notes.map(([kind, second, body]) => ({
      second,
      do: (at: number) => void entries.push(note(++seq, stamp(at), kind, body)),
    })),
    ...sent.map(([second, topic, payload]) => ({
      second,
      do(at: number) {
        const [device = '', name = ''] = topic.split('/')
        const full = `jarvis/devices/${topic}`
        const retain = table.match(full)?.row.retain ?? false
        const bytes = Buffer.from(JSON.stringify(payload))
        const item: Item = {
          seq: ++seq,
          at: stamp(at),
          topic: full,
          origin: `device:${device}`,
          payload: bytes,
          skip: [],
        }
        const { skip: _, ...rest } = item
        entries.push({ ...bare, ...rest, kind: 'message', retain, qos: name === 'telemetry' ? 0 : 1 })
        if (retain) retained.set(full, item)
        if (!dropped(item)) host.takeFor(0, item)
      },
    })),
  ].sort((a, b) => a.second - b.second)
  const giveBack = ownTime()
  try {
    for (const event of events) {
      const at = T0 + Math.round(event.second * 1000)
      host.takeFor(0, tick(at - 1))
      event.do(at)
    }
    const end = T0 + Math.max(0, ...events.map(({ second }) => second)) * 1000 + afterS * 1000
    host.takeFor(0, tick(end))
    host.stop(0)
    entries.push(note(++seq, stamp(end), 'hub-stop', {}))
  } finally {
    giveBack()
  }
  return entries
}

const tick = (at: number): Item => ({ seq: -1, at, topic: '', origin: '', payload: Buffer.alloc(0), skip: [] })

const folders: string[] = []
/** Removes what tests left. */
export const tidy = (): void => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true })
}
export const newFolder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-replay-test-'))
  folders.push(dir)
  return dir
}

/** Writes entries as a journal; returns its folder. */
export const journalOf = async (
  entries: readonly Entry[],
  { dir = newFolder(), segmentBytes = 64 * 2 ** 20 }: { dir?: string; segmentBytes?: number } = {},
): Promise<string> => {
  const set = new Map<string, Entry>()
  const journal = await openJournal(dir, {
    durability: 'process',
    clock: { stamp: () => T0 },
    segmentBytes,
    snapshot: () => set.values(),
  })
  for (const entry of entries) {
    await new Promise<void>((resolve, reject) =>
      journal.append(entry, (error) => (error === undefined ? resolve() : reject(error))),
    )
    if (entry.retain) set.set(entry.topic, entry)
  }
  await journal.close()
  return dir
}

/** Replays a journal's record in this process. */
export const replayed = (dir: string, now: Flow, job: Partial<ReplayJob> = {}, other?: Flow): Report => {
  const past = openPast(dir)
  const replay = new Replay({
    past,
    table,
    job: {
      flow: 'tried',
      version: 'v2',
      against: 'recorded',
      since: T0 - MINUTE,
      until: T0 + 48 * 3600_000,
      except: [],
      ...job,
    },
    beside: other === undefined ? 'recorded' : 'other',
    elapsed: () => 0,
  })
  const giveBack = ownTime()
  try {
    const steps = replay.steps(now, other)
    for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value
  } finally {
    giveBack()
  }
}
