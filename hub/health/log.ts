// The log: one JSON line per event, with the part, its fields and the correlation id; secrets are taken out before they are written.
import { pino } from 'pino'
import type { Correlation } from './correlation.ts'
import { redact } from './redact.ts'
import type { Log } from './report.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  /** Least severe line written. */
  level: LogLevel
  /** Where lines go; standard output by default. */
  destination?: { write(line: string): void }
  correlation?: Pick<Correlation, 'current'>
}

export interface OpenLog extends Log {
  of(part: string): Log
  /** Changes what is written from now on, for everything or for one part. */
  setLevel(level: LogLevel, part?: string): void
  /** Lines given up because standard output was not read. */
  dropped(): number
  /** Writes what is still buffered. */
  flush(): void
}

/** Standard output that nobody reads may hold this much before lines are dropped and counted. */
const MAX_BUFFERED = 8 * 1024 * 1024
const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 }

/** Opens the log. Each line: `time` (ISO 8601), `level`, `part`, `event`, the fields, `correlation` where known. */
export const openLog = (options: LogOptions): OpenLog => {
  let least = options.level
  const perPart = new Map<string, LogLevel>()
  let dropped = 0
  const stdout = options.destination === undefined ? standardOutput(() => dropped++) : undefined
  const lines = pino(
    {
      level: 'debug',
      base: null,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? stdout,
  )

  const write = (
    level: Exclude<LogLevel, 'silent'>,
    part: string | undefined,
    event: string,
    fields?: object,
  ): void => {
    if (RANK[level] < RANK[(part === undefined ? undefined : perPart.get(part)) ?? least]) return
    const clean = redact(fields ?? {})
    const known = typeof clean === 'object' && clean !== null ? withoutReserved(clean) : {}
    const correlation = options.correlation?.current()
    lines[level](
      { ...(part === undefined ? {} : { part }), ...(correlation === undefined ? {} : { correlation }), ...known },
      event,
    )
  }

  const logOf = (part: string | undefined): Log => ({
    debug: (event, fields) => write('debug', part, event, fields),
    info: (event, fields) => write('info', part, event, fields),
    warn: (event, fields) => write('warn', part, event, fields),
    error: (event, fields) => write('error', part, event, fields),
    of: (inner) => logOf(inner),
  })

  return {
    ...logOf(undefined),
    setLevel: (level, part) => {
      if (part === undefined) least = level
      else perPart.set(part, level)
    },
    dropped: () => dropped,
    flush: () => stdout?.flushSync(),
  }
}

/** `time`, `level` and `event` of a line are its own; a field of the same name is written as `field_…`. */
const withoutReserved = (fields: object): object =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      ['time', 'level', 'event', 'part'].includes(key) ? `field_${key}` : key,
      value,
    ]),
  )

const standardOutput = (onDrop: () => void) => {
  const out = pino.destination({ fd: 1, sync: false, minLength: 0, maxLength: MAX_BUFFERED })
  out.on('drop', onDrop)
  // A closed pipe (`millrace | head`) must not end the hub.
  out.on('error', () => {})
  return out
}
