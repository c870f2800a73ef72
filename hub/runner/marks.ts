// What must outlive the journal's own retention: params that people set, and a mark of each run once a minute.
import { z } from 'zod'
import { reasonOf } from '../errors.ts'
import type { Crew, RunnerParts } from './crew.ts'
import { type Mark, Marks, startOf } from './records.ts'

const MARKS = 'flows.marks'
const EVERY_MS = 60_000
/** A mark is stored when all that it counts has long been on disk. */
const LATER_MS = 1000
const Params = z.record(z.string(), z.unknown())
const keyOf = (id: string): string => `flows.params.${id}`

export const openMarks = ({
  settings,
  log,
  journal,
  health,
}: Pick<RunnerParts, 'settings' | 'log' | 'journal' | 'health'>) => {
  const unset = new Map<string, Record<string, unknown>>()
  let last = performance.now()

  const now = ({ flows }: Crew): Marks => {
    const marks: Record<string, Mark> = {}
    for (const { id, run } of flows.values()) {
      if (run === undefined) continue
      const { n, keptNow, longest } = run
      marks[id] = { start: startOf(id, run), n, kept: { ...keptNow }, longest }
    }
    return { seq: journal.reserve(), flows: marks }
  }
  const store = async (marks: Marks): Promise<void> => {
    await settings
      ?.set(MARKS, marks)
      .catch((error: unknown) => log.warn('marks not stored', { reason: reasonOf(error) }))
  }

  return {
    /** Undefined when there are none that can be read. */
    read: (): Promise<Marks | undefined> =>
      settings?.get(MARKS, Marks).catch((error: unknown) => {
        log.warn('marks not read', { reason: reasonOf(error) })
        return undefined
      }) ?? Promise.resolve(undefined),
    look(crew: Crew): void {
      if (performance.now() - last < EVERY_MS) return
      last = performance.now()
      const marks = now(crew)
      setTimeout(() => void store(marks), LATER_MS).unref()
    },
    write: (crew: Crew): Promise<void> => store(now(crew)),
    async params(id: string): Promise<Record<string, unknown>> {
      const set = await settings?.get(keyOf(id), Params).catch((error: unknown) => {
        health.report({
          source: `flow:${id}`,
          type: 'ParamsUnread',
          severity: 'error',
          category: 'configuration',
          message: `What was set for flow '${id}' cannot be read, so it runs with its defaults: ${reasonOf(error)} Set its params again.`,
        })
        return undefined
      })
      return set ?? unset.get(id) ?? {}
    },
    async setParams(id: string, values: Record<string, unknown>): Promise<void> {
      if (settings === undefined) unset.set(id, values)
      else await settings.set(keyOf(id), values)
    },
  }
}
export type MarksStore = ReturnType<typeof openMarks>
