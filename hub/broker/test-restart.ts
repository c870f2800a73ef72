// For tests: a broker with the session store it really runs with, which can be stopped and started on the same file.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { BrokerLimits } from './limits.ts'
import { openSessionStore, type SessionStore } from './sessions/open.ts'
import { openTestBroker, testLog, type TestBroker } from './test-broker.ts'

export interface Started extends TestBroker {
  store: SessionStore
  stop(): Promise<void>
}
export interface Restartable extends AsyncDisposable {
  start(): Promise<Started>
}

/** `clock` drives the session store only: aedes has timers of its own. */
export const restartable = async (
  options: { limits?: Partial<BrokerLimits>; clock?: Pick<Clock, 'now'> } = {},
): Promise<Restartable> => {
  const { limits, clock } = options
  const folder = await mkdtemp(join(tmpdir(), 'broker-'))
  const running = new Set<Started>()
  return {
    async start() {
      const file = join(folder, 'sessions.sqlite')
      const store = await openSessionStore({
        file,
        durability: 'process',
        log: testLog().log,
        ...(clock === undefined ? {} : { clock }),
      })
      const hub = await openTestBroker({ persistence: store, ...(limits === undefined ? {} : { limits }) })
      const started: Started = {
        ...hub,
        store,
        async stop() {
          running.delete(started)
          await hub[Symbol.asyncDispose]()
          await store.close()
        },
      }
      running.add(started)
      return started
    },
    async [Symbol.asyncDispose]() {
      for (const started of running) await started.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
