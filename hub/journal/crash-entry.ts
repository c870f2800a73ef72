// For the crash test: an entry whose every byte follows from its seq, so that a reader can tell whether it is whole.
import { createHash } from 'node:crypto'
import type { Entry } from './entry.ts'

export const crashEntry = (seq: number): Entry => ({
  kind: seq === 0 ? 'retained' : 'message',
  seq,
  at: 1_000_000 + seq,
  cause: Math.max(0, seq - 10),
  n: 0,
  topic: `a/${seq % 7}`,
  payload: Buffer.from(
    createHash('sha256')
      .update(String(seq))
      .digest('hex')
      .repeat(1 + (seq % 12)),
  ),
  qos: 1,
  retain: false,
  origin: 'device:crash',
  correlation: '',
})
