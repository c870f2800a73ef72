// What every part of the hub may use: the settings, the time, the log, health. Started before the table of parts.
import type { Access } from './access/access.ts'
import type { OpenBus } from './bus/open.ts'
import { type Clock, wallClock } from './clock.ts'
import type { Config } from './config.ts'
import type { OpenDevices } from './devices/open.ts'
import type { AuditNote, Gate } from './gate/gate.ts'
import { type Correlation, openCorrelation } from './health/correlation.ts'
import { openHealth, type OpenHealth } from './health/health.ts'
import { openLog, type OpenLog } from './health/log.ts'
import type { Journal } from './journal/entry.ts'

export interface Base {
  config: Config
  clock: Clock & { resume(from: number): void }
  log: OpenLog
  health: OpenHealth
  correlation: Correlation
  /** What is not ready yet, by name; empty when the hub can work. */
  waiting: ReadonlySet<string>
  /** A part says that it can work. */
  ready(part: string): void
  /** Somebody changed where the hub listens: `asked` resolves, and the parts are started again. */
  reopening: { ask(): void; asked: Promise<void> }
  /** Parts that ask each other: whoever comes later puts itself here, and is asked through it. */
  later: {
    journal?: Journal
    bus?: OpenBus
    access?: Access
    devices?: OpenDevices
    audit?: Gate['note']
    /** What happened before the gate was there to write it down. */
    unaudited: { event: string; about: AuditNote }[]
  }
}

export const openBase = (config: Config): Base => {
  const correlation = openCorrelation()
  const log = openLog({ level: config.LOG_LEVEL, correlation })
  const later: Base['later'] = { unaudited: [] }
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const clock = wallClock((byMs) => later.journal?.note('clock-step', { byMs }))
  const health = openHealth({ clock, log })
  const waiting = new Set(['store', 'journal', 'broker', 'plugins', 'flows', 'web'])
  return {
    config,
    clock,
    log,
    correlation,
    later,
    reopening: { ask, asked },
    health,
    waiting,
    ready(part) {
      waiting.delete(part)
      // What it said of itself while it started counts more.
      if (!health.parts().some((known) => known.part === part)) health.set(part, 'healthy')
    },
  }
}
