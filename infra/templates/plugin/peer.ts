// The peer's protocol as a stream: one number per line over TCP. Knows the wire, not the hub.
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { catchError, defer, Observable, of, repeat, timer } from 'rxjs'

export type Reading =
  | { kind: 'connected' }
  | { kind: 'sample'; value: number }
  | { kind: 'garbage'; line: string }
  | { kind: 'lost'; why: string }

export interface Peer {
  host: string
  port: number
  /** Ms without a line until the connection counts as dead. */
  silentMs?: number
  /** Ms before the first new attempt; doubles up to 60 s. */
  retryMs?: number
}

const LONGEST_LINE = 1000
const LONGEST_RETRY_MS = 60_000

const parsed = (line: string): Reading => {
  const value = line.trim() === '' ? Number.NaN : Number(line)
  return Number.isFinite(value) ? { kind: 'sample', value } : { kind: 'garbage', line: line.slice(0, 80) }
}

/** One connection; errors when it ends, breaks, floods or falls silent. `alive` is called at each line. Unsubscribing closes it. */
const connection = (host: string, port: number, silentMs: number, alive: () => void): Observable<Reading> =>
  new Observable((subscriber) => {
    const socket = connect({ host, port, noDelay: true })
    const lines = createInterface({ input: socket })
    let unfinished = 0
    socket.setTimeout(silentMs, () => subscriber.error(new Error(`silent for ${silentMs / 1000} s`)))
    socket.on('connect', () => subscriber.next({ kind: 'connected' }))
    socket.on('data', (bytes: Buffer) => {
      const end = bytes.lastIndexOf(0x0a)
      unfinished = end < 0 ? unfinished + bytes.length : bytes.length - end - 1
      if (unfinished > LONGEST_LINE) subscriber.error(new Error('a line without an end'))
    })
    socket.on('error', (error) => subscriber.error(error))
    socket.on('close', () => subscriber.error(new Error('the peer closed the connection')))
    lines.on('line', (line) => {
      alive()
      subscriber.next(parsed(line))
    })
    lines.on('error', () => {})
    return () => {
      lines.close()
      socket.destroy()
    }
  })

/** Readings for ever: after a loss it says so and tries again with backoff; a line makes the next wait short again. */
export const readings = ({ host, port, silentMs = 10_000, retryMs = 1000 }: Peer): Observable<Reading> =>
  defer(() => {
    let losses = 0
    const alive = (): void => {
      losses = 0
    }
    return defer(() => connection(host, port, silentMs, alive)).pipe(
      catchError((error: unknown) =>
        of<Reading>({ kind: 'lost', why: error instanceof Error ? error.message : String(error) }),
      ),
      repeat({ delay: () => timer(Math.min(LONGEST_RETRY_MS, retryMs * 2 ** losses++)) }),
    )
  })
