// Which stretch of the past is replayed. Pure; ms since 1970, days and nights by this device's time zone.

export interface Range {
  since: number
  until: number
}

export const CHOICES = ['hour', 'night', 'day', 'run', 'own'] as const
export type RangeChoice = (typeof CHOICES)[number]

export const RANGE_WORDS: Record<RangeChoice, string> = {
  hour: 'Last hour',
  night: 'Last night',
  day: 'Last day',
  run: 'Since its start',
  own: 'From – to',
}

const HOUR = 3_600_000
const EVENING = 20
const MORNING = 6

/** The night that is going on, or the last one that ended: eight in the evening to six in the morning. */
export const lastNight = (now: number): Range => {
  const date = new Date(now)
  const evening = new Date(date)
  evening.setHours(EVENING, 0, 0, 0)
  if (evening.getTime() > now) evening.setDate(evening.getDate() - 1)
  const morning = new Date(evening)
  morning.setDate(morning.getDate() + 1)
  morning.setHours(MORNING, 0, 0, 0)
  return { since: evening.getTime(), until: Math.min(now, morning.getTime()) }
}

/** The range of a choice other than `own`; `run` needs to know when the run began. */
export const rangeOf = (choice: RangeChoice, now: number, runSince: number | undefined): Range | undefined => {
  switch (choice) {
    case 'hour':
      return { since: now - HOUR, until: now }
    case 'day':
      return { since: now - 24 * HOUR, until: now }
    case 'night':
      return lastNight(now)
    case 'run':
      return runSince === undefined || runSince >= now ? undefined : { since: runSince, until: now }
    case 'own':
      return undefined
  }
}

const two = (value: number): string => String(value).padStart(2, '0')

/** As an `<input type="datetime-local">` wants it, to the second. */
export const localText = (at: number): string => {
  const date = new Date(at)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** What was written as a range, or what is wrong with it. */
export const ownRange = (
  since: string,
  until: string,
  now: number,
): Range | { field: 'since' | 'until'; problem: string } => {
  const [from, to] = [new Date(since).getTime(), new Date(until).getTime()]
  if (Number.isNaN(from)) return { field: 'since', problem: 'Choose a day and a time.' }
  if (Number.isNaN(to)) return { field: 'until', problem: 'Choose a day and a time.' }
  if (from >= now) return { field: 'since', problem: 'This has not happened yet.' }
  if (to <= from) return { field: 'until', problem: 'Must be later than the beginning.' }
  return { since: from, until: Math.min(to, now) }
}
