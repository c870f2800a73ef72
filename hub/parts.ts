// A table of parts: started downwards, each seeing those above it, neighbours of one row at the same time; stopped upwards. A part that does not stop in time is left behind and named.
import { reasonOf } from './errors.ts'
import type { Log } from './health/report.ts'

const STOP_MS = 2000

/** Parts that hold something have a `close`; it is called once, with a deadline of two seconds. */
interface Closes {
  close(): unknown
}

export interface Running<Up> {
  /** Every part by its name. */
  up: Up
  /** How long each took to start, in ms. */
  times: Readonly<Record<string, number>>
  /** Stops all, the last started first. Never throws. */
  stop(): Promise<void>
}

export interface PartsTable<Up extends object> {
  /** Adds a part. `open` is given everything above it; what it resolves to is there for everything below. */
  part<Name extends string, Part>(
    name: Name,
    open: (above: Up) => Promise<Part> | Part,
  ): PartsTable<Up & Record<Name, Part>>
  /** Adds parts that need nothing of each other: they start at the same time, and stop in the opposite order of their names here. */
  together<Parts extends Record<string, unknown>>(row: {
    [Name in keyof Parts]: (above: Up) => Promise<Parts[Name]> | Parts[Name]
  }): PartsTable<Up & Parts>
  /** Starts them in order. When one does not start, those above it are stopped again and its error is thrown. */
  start(): Promise<Running<Up>>
}

/** Those that start at the same time, by name. Each was typed against the rows above it when the table was written down. */
type Row = Readonly<Record<string, (above: never) => unknown>>

/** An empty table on top of what every part may use. */
export const partsOn = <Base extends { log: Log }>(base: Base): PartsTable<Base> => table<Base>(base, [])

const table = <Up extends object>(base: { log: Log }, rows: readonly Row[]): PartsTable<Up> => ({
  part: (name, open) => table(base, [...rows, { [name]: open }]),
  together: (row) => table(base, [...rows, row]),
  async start() {
    const up: Record<string, unknown> = { ...base }
    const times: Record<string, number> = {}
    const running: { name: string; part: Closes }[] = []
    const stop = async (): Promise<void> => {
      for (let last = running.pop(); last !== undefined; last = running.pop())
        await close(last.name, last.part, base.log)
    }
    const startOne = async (name: string, open: Row[string]): Promise<unknown> => {
      const begun = performance.now()
      const part = await open(up as never)
      times[name] = Math.round((performance.now() - begun) * 10) / 10
      return part
    }
    try {
      for (const row of rows) {
        const begun = Object.entries(row).map(([name, open]) => [name, startOne(name, open)] as const)
        // All of a row are waited for, so that none comes up after the others were stopped.
        await Promise.allSettled(begun.map(([, starting]) => starting))
        let failure: { error: unknown } | undefined
        for (const [name, starting] of begun) {
          try {
            const part = await starting
            up[name] = part
            if (hasClose(part)) running.push({ name, part })
          } catch (error) {
            failure ??= { error }
          }
        }
        if (failure !== undefined) throw failure.error
      }
    } catch (error) {
      await stop()
      throw error
    }
    return { up: up as Up, times, stop }
  },
})

const hasClose = (part: unknown): part is Closes =>
  typeof part === 'object' && part !== null && 'close' in part && typeof part.close === 'function'

const close = async (name: string, part: Closes, log: Log): Promise<void> => {
  let late: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      part.close(),
      new Promise((_, reject) => {
        late = setTimeout(() => reject(new Error(`did not stop within ${STOP_MS} ms`)), STOP_MS)
      }),
    ])
  } catch (error) {
    log.error('part-not-stopped', { name, error: reasonOf(error) })
  } finally {
    clearTimeout(late)
  }
}
