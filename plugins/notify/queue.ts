// What has to leave the hub, for one channel: kept over a restart, tried again with growing pauses, and given up in the end.
import { z } from 'zod'
import { Notification } from './topics.ts'
import type { Posted } from './post.ts'

const Waiting = z.strictObject({
  notification: Notification,
  tries: z.number().int().min(0),
  /** ms since 1970. */
  since: z.number(),
  notBefore: z.number(),
})
type Waiting = z.output<typeof Waiting>

export interface QueueParts {
  name: string
  memory: {
    get<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined>
    set(key: string, value: unknown): Promise<void>
  }
  now(): number
  send(notification: Notification): Promise<Posted>
  /** ms until quiet hours end for it; 0 for now. */
  holdFor(notification: Notification): number
  /** How the channel does: a reason while it fails, undefined once it works. */
  state(why: string | undefined): void
  /** Something was given up. */
  lost(notification: Notification, why: string): void
  firstMs?: number
}

export interface Queue {
  load(): Promise<void>
  /** Adds, or replaces what waits of the same incident. */
  add(notification: Notification): void
  /** Forgets what waits of an incident; true when it had not been told yet. */
  drop(id: string): boolean
  readonly size: number
  close(): Promise<void>
}

const MOST = 200
const MOST_TRIES = 12
const FIRST_MS = 1000
const LONGEST_MS = 5 * 60_000
const LIFE_MS = 24 * 3_600_000

export const openQueue = ({ name, memory, now, send, holdFor, state, lost, firstMs = FIRST_MS }: QueueParts): Queue => {
  const key = `queue/${name}`
  let waiting: Waiting[] = []
  let timer: NodeJS.Timeout | undefined
  let running = false
  let closed = false
  let sending: string | undefined
  let work: Promise<unknown> = Promise.resolve()
  let saved: Promise<unknown> = Promise.resolve()

  const save = (): void => {
    saved = saved
      .then(() => memory.set(key, waiting))
      .catch((error: unknown) => state(`what waits cannot be kept: ${String(error)}`))
  }
  const wake = (): void => {
    if (closed || running) return
    clearTimeout(timer)
    const next = Math.min(...waiting.map(({ notBefore }) => notBefore))
    if (waiting.length > 0)
      timer = setTimeout(() => void (work = run()), Math.min(LONGEST_MS, Math.max(0, next - now())))
  }
  const without = (id: string): void => {
    waiting = waiting.filter(({ notification }) => notification.id !== id)
  }
  const giveUp = (one: Waiting, why: string): void => {
    without(one.notification.id)
    lost(one.notification, why)
  }

  const tryOne = async (one: Waiting): Promise<void> => {
    const { notification } = one
    sending = notification.id
    const posted = await send(notification)
    sending = undefined
    const still = waiting.find(({ notification: { id } }) => id === notification.id)
    if (posted.kind === 'taken') {
      state(undefined)
      // What changed while it was on its way is told as well.
      if (still === one) without(notification.id)
      return
    }
    state(posted.why)
    if (still === undefined) return
    if (posted.kind === 'never') return giveUp(still, posted.why)
    const tries = still.tries + 1
    if (tries >= MOST_TRIES || now() - still.since > LIFE_MS) return giveUp(still, posted.why)
    const pause = Math.min(LONGEST_MS, firstMs * 2 ** (tries - 1)) * (0.75 + Math.random() / 2)
    waiting = waiting.map((w) =>
      w === still ? { ...still, tries, notBefore: now() + Math.max(pause, posted.afterMs ?? 0) } : w,
    )
  }

  const run = async (): Promise<void> => {
    if (running) return
    running = true
    try {
      for (let one = due(); one !== undefined && !closed; one = due()) {
        const hold = holdFor(one.notification)
        const held = one
        if (hold > 0)
          waiting = waiting.map((w) =>
            w === held ? { ...held, notBefore: now() + hold, since: held.since + hold } : w,
          )
        else await tryOne(one)
        save()
      }
    } finally {
      running = false
      wake()
    }
  }
  const due = (): Waiting | undefined => waiting.find(({ notBefore }) => notBefore <= now())

  return {
    async load() {
      const kept = (await memory.get(key, z.array(Waiting).max(MOST))) ?? []
      waiting = [
        ...kept.filter(({ notification }) => !waiting.some((w) => w.notification.id === notification.id)),
        ...waiting,
      ].slice(-MOST)
      wake()
    },
    add(notification) {
      const known = waiting.find((w) => w.notification.id === notification.id)
      if (known === undefined) waiting.push({ notification, tries: 0, since: now(), notBefore: now() })
      else waiting = waiting.map((w) => (w === known ? { ...known, notification } : w))
      const [oldest] = waiting
      if (waiting.length > MOST && oldest !== undefined) giveUp(oldest, `more than ${MOST} wait`)
      save()
      wake()
    },
    drop(id) {
      const has = waiting.some(({ notification }) => notification.id === id) && sending !== id
      if (!has) return false
      without(id)
      save()
      return true
    },
    get size() {
      return waiting.length
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await work
      await saved
    },
  }
}
