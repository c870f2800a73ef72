// What is written to a socket in one turn of the event loop leaves in one system call, and is put together once for all that get the same.
import { Duplex, Writable } from 'node:stream'

/** A piece of what a connection is sent in this turn, behind another. Connections that get the same pieces share them. */
interface Piece {
  readonly bytes: Buffer
  readonly before: Piece | undefined
  /** How many pieces, and bytes, there are with those before. */
  readonly count: number
  readonly size: number
  /** The piece that was last put behind this one. */
  next: Piece | undefined
  /** All of them in one buffer, once somebody has needed it. */
  joined: Buffer | undefined
}

/** Larger pieces are handed to the system as they are: copying them would cost more than it saves. */
const LARGE_PIECE = 4096
const NOTHING = Buffer.alloc(0)

type Done = (error?: Error | null) => void
/** Makes a stream gather what is written to it until the end of the turn. */
export type Gather = (stream: Duplex) => void

/**
 * One for all connections of a broker. Writes come in the order in which they were made; `write` answers, and
 * `writableLength` and `writableNeedDrain` tell, as if each had been made at once. Who is told to wait hears `drain`.
 */
export const openTurn = (): Gather => {
  const begin: Piece = { bytes: NOTHING, before: undefined, count: 0, size: 0, next: undefined, joined: undefined }
  let waiting: (() => void)[] = []

  const flushAll = () => {
    const flushes = waiting
    waiting = []
    begin.next = undefined
    for (const flush of flushes) flush()
  }

  return (stream) => {
    const write = stream.write.bind(stream)
    const end = stream.end.bind(stream)
    const cork = stream.cork.bind(stream)
    const uncork = stream.uncork.bind(stream)
    const most = stream.writableHighWaterMark
    let last = begin
    let listed = false
    let toldToWait = false

    const flush = () => {
      listed = false
      if (last === begin) return
      const all = last
      last = begin
      if (stream.destroyed) return
      if (all.size <= LARGE_PIECE * all.count) write(joinedOf(all))
      else {
        cork()
        for (const bytes of piecesOf(all)) write(bytes)
        uncork()
      }
      if (!toldToWait) return
      toldToWait = false
      // The system took it all, so nothing else will say so.
      if (!needsDrain(stream)) process.nextTick(() => stream.emit('drain'))
    }

    const gather = (chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean => {
      if (typeof encoding === 'function' || done !== undefined || stream.writableEnded || stream.destroyed) {
        flush()
        return typeof encoding === 'function' ? write(chunk, encoding) : write(chunk, encoding ?? 'utf8', done)
      }
      last = behind(last, Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk), encoding))
      if (!listed) {
        listed = true
        if (waiting.push(flush) === 1) setImmediate(flushAll)
      }
      if (lengthOf(stream) + last.size < most) return true
      toldToWait = true
      return false
    }

    Object.assign(stream, {
      write: gather,
      end: (...rest: Parameters<typeof end>) => {
        flush()
        return end(...rest)
      },
      cork: () => {},
      uncork: () => {},
    })
    Object.defineProperties(stream, {
      writableLength: { configurable: true, get: () => lengthOf(stream) + last.size },
      writableNeedDrain: { configurable: true, get: () => toldToWait || needsDrain(stream) },
    })
  }
}

const behind = (last: Piece, bytes: Buffer): Piece => {
  const { next } = last
  if (next?.bytes === bytes) return next
  const { count, size } = last
  return (last.next = {
    bytes,
    before: last,
    count: count + 1,
    size: size + bytes.length,
    next: undefined,
    joined: undefined,
  })
}

const joinedOf = (last: Piece): Buffer => {
  if (last.count === 1) return last.bytes
  return (last.joined ??= Buffer.concat(piecesOf(last), last.size))
}

const piecesOf = (last: Piece): Buffer[] => {
  const pieces = new Array<Buffer>(last.count)
  let at: Piece | undefined = last
  for (let i = last.count - 1; i >= 0 && at !== undefined; i--) {
    pieces[i] = at.bytes
    at = at.before
  }
  return pieces
}

/** What the stream itself holds. */
const lengthOf = (stream: Duplex): number => Number(LENGTH?.call(stream) ?? 0)
const needsDrain = (stream: Duplex): boolean => NEED_DRAIN?.call(stream) === true

const getterOf = (name: 'writableLength' | 'writableNeedDrain'): ((this: Duplex) => unknown) | undefined =>
  (Object.getOwnPropertyDescriptor(Duplex.prototype, name) ?? Object.getOwnPropertyDescriptor(Writable.prototype, name))
    ?.get
const LENGTH = getterOf('writableLength')
const NEED_DRAIN = getterOf('writableNeedDrain')
