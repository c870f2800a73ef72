// Both ends of a generator in a process of its own: the parent asks one order at a time, the child answers.
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { pidOf } from '../processes.ts'

type Answer<T> = { answer: T } | { failed: string }

export interface Load<Order, Result> {
  pid: number
  /** Rejects when the child fails, ends, or is silent for `ms`. */
  ask(order: Order, ms?: number): Promise<Result>
  /** A word to an order that is being carried out. */
  tell(word: string): void
  stop(): Promise<void>
}

/** Starts `load/<file>` with `setup`, and resolves when it is ready. */
export const load = async <Setup, Order, Result>(
  file: string,
  setup: Setup,
  readyMs = 60_000,
): Promise<Load<Order, Result>> => {
  const child = fork(join(import.meta.dirname, file), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // NaN must stay NaN.
    serialization: 'advanced',
  })
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  const next = <T>(ms: number): Promise<T> =>
    new Promise((done, failed) => {
      const settle = (say: () => void) => {
        clearTimeout(late)
        child.off('message', heard)
        child.off('exit', over)
        say()
      }
      const heard = (message: unknown) => {
        const got = message as Answer<T>
        settle(() => ('failed' in got ? failed(new Error(`${file}: ${got.failed}`)) : done(got.answer)))
      }
      const over = (code: number | null) => settle(() => failed(new Error(`${file} ended with ${code}`)))
      const late = setTimeout(() => settle(() => failed(new Error(`${file}: no answer within ${ms} ms`))), ms)
      child.on('message', heard)
      child.on('exit', over)
    })
  const stop = async () => {
    if (child.connected) child.disconnect()
    const late = setTimeout(() => child.kill('SIGKILL'), 3000)
    await gone
    clearTimeout(late)
  }
  const ask = <T>(words: unknown, ms: number): Promise<T> => {
    const answer = next<T>(ms)
    child.send(words as object)
    return answer
  }
  try {
    await ask({ setup }, readyMs)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    pid: pidOf(child),
    ask: (order, ms = 60_000) => ask<Result>({ order }, ms),
    tell: (word) => void (child.connected && child.send({ word })),
    stop,
  }
}

/** The child's end: `prepare` makes everything ready and gives back what carries out an order. */
export const serve = <Setup, Order, Result>(
  prepare: (setup: Setup) => Promise<(order: Order) => Promise<Result>>,
  told: (word: string) => void = () => {},
): void => {
  let work: ((order: Order) => Promise<Result>) | undefined
  const tell = (answer: Answer<unknown>) => void (process.connected && process.send?.(answer))
  const failed = (error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) })
  process.on('message', (message: { setup: Setup } | { order: Order } | { word: string }) => {
    if ('word' in message) told(message.word)
    else if ('setup' in message) {
      prepare(message.setup).then((ready) => {
        work = ready
        tell({ answer: 'ready' })
      }, failed)
    } else if (work === undefined) failed(new Error('not ready'))
    else work(message.order).then((result) => tell({ answer: result }), failed)
  })
  // The parent is gone: nothing may be left behind.
  process.on('disconnect', () => process.exit(0))
}
