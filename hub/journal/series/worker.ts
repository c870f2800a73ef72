// The thread that rolls the journal up: reads segments, writes the tables, answers questions in between. The hub's main thread does none of it.
import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { reasonOf } from '../../errors.ts'
import { type None, type Past, pastOf, type Question } from './ask.ts'
import { type Keep, tidy } from './keep.ts'
import { openRollup, type Rollup, type RollupOptions } from './rollup.ts'
import { openTables, type Tables } from './tables.ts'
import type { SegmentEnd } from './walk.ts'

export interface SeriesSetup extends RollupOptions {
  file: string
  keep: Keep
}

export type ToThread =
  | { id: number; do: 'pass'; segments: readonly SegmentEnd[]; now: number; tidy: boolean }
  | { id: number; do: 'ask'; segments: readonly SegmentEnd[]; question: Question }
  | 'close'

export interface Told {
  /** Devices that had no room for another series; '' stands for all together. */
  refused: string[]
  /** Why the tables were made anew. */
  renewed?: string
}

export type FromThread =
  (Told & { id: number; value: Passed | (Past & { isBehind: boolean }) | None }) | { id: number; failed: string }

/** What a pass did. */
export interface Passed {
  seq: number
  at: number
  bytes: number
}

/** What is read at once: some 20 ms, so that questions do not wait. */
const STEP_BYTES = 4 * 1024 * 1024
/** Written at the latest after this, so that memory stays bounded. */
const MOST_WAITING = 50_000
const MOST_UNWRITTEN = 64 * 1024 * 1024
/** A question reads what is new for so long; then it answers with what it has. */
const CATCH_UP_MS = 500

const open = (setup: SeriesSetup): { tables: Tables; rollup: Rollup; renewed?: string } => {
  const { tables, renewed } = openTables(setup.file)
  const rollup = openRollup(tables, setup)
  if (rollup !== undefined) return { tables, rollup, ...(renewed === undefined ? {} : { renewed }) }
  tables.close()
  const { tables: empty } = openTables(setup.file, { empty: true })
  const anew = openRollup(empty, setup)
  if (anew === undefined) throw new Error('empty tables do not fit the journal')
  return { tables: empty, rollup: anew, renewed: 'they were made from another journal' }
}

const serve = (port: NonNullable<typeof parentPort>, setup: SeriesSetup): void => {
  let opened: ReturnType<typeof open> | undefined
  let unwritten = 0
  let passing: Promise<void> = Promise.resolve()

  const step = ({ rollup }: { rollup: Rollup }, segments: readonly SegmentEnd[]): boolean => {
    const bytes = rollup.step(segments, STEP_BYTES)
    unwritten += bytes
    if (rollup.waiting > MOST_WAITING || unwritten >= MOST_UNWRITTEN) flush({ rollup })
    return bytes > 0
  }
  const flush = ({ rollup }: { rollup: Rollup }): void => {
    unwritten = 0
    rollup.flush()
  }
  const told = (): Told => {
    const { rollup, renewed } = opened ?? {}
    if (opened !== undefined) delete opened.renewed
    return { refused: rollup?.refused() ?? [], ...(renewed === undefined ? {} : { renewed }) }
  }

  const pass = async ({ id, segments, now, tidy: isDue }: Extract<ToThread, { do: 'pass' }>): Promise<void> => {
    const its = (opened ??= open(setup))
    for (let more = true; more;) {
      const begun = performance.now()
      more = step(its, segments)
      // As long a pause as the step took: the other half of a core is for everybody else.
      if (more) await pause(performance.now() - begun)
    }
    flush(its)
    if (isDue) {
      tidy(its.tables, setup.keep, now)
      its.rollup.reload()
    }
    say({ id, value: { ...its.rollup.reached(), bytes: its.tables.bytes() }, ...told() })
  }
  const ask = ({ id, segments, question }: Extract<ToThread, { do: 'ask' }>): void => {
    const its = (opened ??= open(setup))
    const end = performance.now() + CATCH_UP_MS
    let more = true
    while (more && performance.now() < end) more = step(its, segments)
    // What a switch did after the last message that was read is not known yet.
    const past = pastOf(its.rollup, its.tables, more ? { ...question, now: 0 } : question)
    say({ id, value: 'none' in past ? past : { ...past, isBehind: more }, ...told() })
  }

  const say = (message: FromThread): void => port.postMessage(message)
  port.on('message', (message: ToThread) => {
    if (message === 'close') {
      opened?.tables.close()
      port.close()
      return
    }
    const fail = (error: unknown): void => {
      // What a failed statement leaves is found out by opening anew.
      opened?.tables.close()
      opened = undefined
      say({ id: message.id, failed: reasonOf(error) })
    }
    if (message.do === 'pass') passing = passing.then(() => pass(message)).catch(fail)
    else
      try {
        ask(message)
      } catch (error) {
        fail(error)
      }
  })
}

if (parentPort !== null) serve(parentPort, workerData as SeriesSetup)
