// What is written to a socket in one turn of the event loop leaves in one system call.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Collects writes per connection and turn: a writer's cork holds until the end of the turn, whoever uncorks.
 * Streams without a vectored write of their own (WebSockets) get one that joins the pieces into one frame.
 */
export const collectWrites = (stream: Duplex): void => {
  if (!(stream instanceof Socket)) {
    stream._writev = (chunks, done) =>
      stream._write(Buffer.concat(chunks.map(({ chunk }) => bytes(chunk))), 'binary', done)
  }
  const cork = stream.cork.bind(stream)
  const uncork = stream.uncork.bind(stream)
  let held = false
  const flush = () => {
    held = false
    uncork()
  }
  stream.cork = () => {
    if (held) return
    held = true
    cork()
    setImmediate(flush)
  }
  stream.uncork = () => {}
}

const bytes = (chunk: unknown): Buffer => (Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)))
