// Opens the session store: reads the file into memory, then keeps the two together.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Clock, wallClock } from '../../clock.ts'
import { Fatal, reasonOf } from '../../errors.ts'
import type { Log } from '../../health/report.ts'
import { openDrops } from './drops.ts'
import { DEFAULT_SESSION_LIMITS, type SessionLimits } from './limits.ts'
import { Model } from './model.ts'
import { type SessionStore, sessionStore } from './store.ts'
import { openWriting } from './writing.ts'

export type { SessionStore } from './store.ts'

export interface SessionStoreOptions {
  /** The SQLite file; it and its folder are made when missing. */
  file: string
  /** `process`: what was acknowledged survives kill -9. `power`: it survives a power cut, at the price of one sync per transaction. */
  durability: 'process' | 'power'
  limits?: Partial<SessionLimits>
  /** Messages for a client were dropped; once per gap. */
  onDropped?: (clientId: string, count: number, reason: string) => void
  /** Nothing can be stored at present; the sentence says what to do. */
  onBroken?: (sentence: string) => void
  onHealed?: () => void
  log: Pick<Log, 'info' | 'warn' | 'error'>
  clock?: Pick<Clock, 'now'>
  /** How long to wait before trying a broken disk again. Default 2,000 ms. */
  retryMs?: number
}

/** Opens the store. Throws Fatal, with what to do, when the file cannot be used, is damaged, in use, or of a newer version. */
export const openSessionStore = async (options: SessionStoreOptions): Promise<SessionStore> => {
  const { file, durability, log, onDropped = () => {}, onBroken = () => {}, onHealed = () => {} } = options
  const limits = { ...DEFAULT_SESSION_LIMITS, ...options.limits }
  const clock = options.clock ?? wallClock()
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Fatal(
      `The folder of ${file} cannot be made (${reasonOf(error)}). Give the hub's user the right to write there, or set DATA_DIR.`,
      error,
    )
  }
  const model = new Model(limits)
  const writing = await openWriting({
    file,
    durability,
    onPage: (page) => model.load(page),
    onFreed: (places, freed) => model.freed(places, freed),
    onBroken: (sentence) => {
      log.error('session-store-broken', { file, reason: sentence })
      onBroken(sentence)
    },
    onHealed: () => {
      log.info('session-store-healed', { file })
      onHealed()
    },
    retryMs: options.retryMs ?? 2000,
  })
  const drops = openDrops(() => clock.now(), onDropped)
  return sessionStore({ model, writing, limits, clock, log, drops })
}
