// What the parts of the store share: memory, the way to the file, and the rules for when a call may change something.
import type { Clock } from '../../clock.ts'
import { Recoverable } from '../../errors.ts'
import type { Log } from '../../health/report.ts'
import type { Drops } from './drops.ts'
import type { SessionLimits } from './limits.ts'
import type { Model } from './model.ts'
import type { Change, Writing } from './writing.ts'

export interface Named {
  id: string
}

/** What of a connection is of interest here: aedes hands in its clients. */
export interface Connection extends Named {
  version?: number
  sessionExpiryInterval?: number
}

/** The broker that uses the store. */
export interface Engine {
  id: string
  clients?: Record<string, Connection>
}

export interface Context {
  model: Model
  writing: Writing
  limits: SessionLimits
  clock: Pick<Clock, 'now'>
  log: Pick<Log, 'info' | 'warn' | 'error'>
  drops: Drops
  engine: Engine
}

const MOST_PENDING = 500_000
const MOST_PENDING_BYTES = 256 * 2 ** 20
export const noop = (): void => {}

/** What adds something is refused while it cannot be stored; what removes something is done in memory and stored later. */
export const mustWrite = ({ writing: { broken, waiting, waitingBytes } }: Context): void => {
  if (broken !== undefined) {
    throw new Recoverable('UNAVAILABLE', `The session store cannot write (${broken}). Try again later.`)
  }
  if (waiting > MOST_PENDING || waitingBytes > MOST_PENDING_BYTES) {
    throw new Recoverable(
      'UNAVAILABLE',
      'The disk is too slow for the session store. Publish less, or use a faster disk.',
    )
  }
}

/** Resolves when the changes are in the file; at once while nothing can be written. */
export const stored = async ({ writing }: Context, changes: Change[]): Promise<void> => {
  if (changes.length === 0) return
  const done = writing.store(changes)
  if (writing.broken === undefined) await done
  else done.catch(noop)
}
