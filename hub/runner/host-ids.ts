// The ids of requests that a flow makes itself, so that it can wait for the answer.
import { createHash } from 'node:crypto'

/** The ids of one run of a flow, one after the other: made of its name, its recorded start and a count, and so the same in a replay. */
export const requestId = (name: string, at: number, since: number): (() => string) => {
  let count = 0
  return () => createHash('sha256').update(`${name}:${since}:${at}:${++count}`).digest('hex').slice(0, 24)
}
