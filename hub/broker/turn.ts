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

/** The methods a stream has of its own, to be called on it. */
interface Plain {
  write(this: Duplex, chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean
  end(this: Duplex, ...rest: unknown[]): Duplex
  cork(this: Duplex): void
  uncork(this: Duplex): void
}

const GATHERED = Symbol('gathered')
/** What one stream has gathered. Its methods are in a prototype it shares with the others: thousands of clients may be there. */
interface Gathered {
  readonly plain: Plain
  last: Piece
  /** Among those to be flushed at the end of this turn. */
  listed: boolean
  toldToWait: boolean
}
type Gathering = Duplex & { [GATHERED]: Gathered }

/**
 * One for all connections of a broker. Writes come in the order in which they were made; `write` answers, and
 * `writableLength` and `writableNeedDrain` tell, as if each had been made at once. Who is told to wait hears `drain`.
 */
export const openTurn = (): Gather => {
  const begin: Piece = { bytes: NOTHING, before: undefined, count: 0, size: 0, next: undefined, joined: undefined }
  let waiting: Gathering[] = []

  const flushAll = () => {
    const streams = waiting
    waiting = []
    begin.next = undefined
    for (const stream of streams) flush(stream)
  }

  const flush = (stream: Gathering) => {
    const state = stream[GATHERED]
    state.listed = false
    if (state.last === begin) return
    const { last: all, plain } = state
    state.last = begin
    if (stream.destroyed) return
    if (all.size <= LARGE_PIECE * all.count) plain.write.call(stream, joinedOf(all))
    else {
      plain.cork.call(stream)
      for (const bytes of piecesOf(all)) plain.write.call(stream, bytes)
      plain.uncork.call(stream)
    }
    if (!state.toldToWait) return
    state.toldToWait = false
    // The system took it all, so nothing else will say so.
    if (!needsDrain(stream)) process.nextTick(() => stream.emit('drain'))
  }

  function gather(this: Gathering, chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    const state = this[GATHERED]
    if (typeof encoding === 'function' || done !== undefined || this.writableEnded || this.destroyed) {
      flush(this)
      return state.plain.write.call(this, chunk, encoding ?? 'utf8', done)
    }
    state.last = behind(state.last, Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk), encoding))
    if (!state.listed) {
      state.listed = true
      if (waiting.push(this) === 1) setImmediate(flushAll)
    }
    if (lengthOf(this) + state.last.size < this.writableHighWaterMark) return true
    state.toldToWait = true
    return false
  }

  function end(this: Gathering, ...rest: unknown[]): Duplex {
    flush(this)
    return this[GATHERED].plain.end.call(this, ...rest)
  }

  const value = (method: unknown) => ({ value: method, configurable: true, writable: true })
  const methods = {
    write: value(gather),
    end: value(end),
    cork: value(() => {}),
    uncork: value(() => {}),
    writableLength: {
      configurable: true,
      get(this: Gathering) {
        return lengthOf(this) + this[GATHERED].last.size
      },
    },
    writableNeedDrain: {
      configurable: true,
      get(this: Gathering) {
        return this[GATHERED].toldToWait || needsDrain(this)
      },
    },
  }
  /** One for each kind of stream. */
  const prototypes = new Map<Plain, object>()
  return (stream) => {
    const plain = Object.getPrototypeOf(stream) as Plain
    let shared = prototypes.get(plain)
    if (shared === undefined) prototypes.set(plain, (shared = Object.create(plain, methods) as object))
    Object.assign(stream, { [GATHERED]: { plain, last: begin, listed: false, toldToWait: false } satisfies Gathered })
    Object.setPrototypeOf(stream, shared)
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
