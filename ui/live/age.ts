// How old a value is, and whether it can still be trusted: live, stale or lost.

export type Freshness = 'live' | 'stale' | 'lost'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Nothing is called stale before this, whatever the device's rhythm. */
export const LIVE_AT_LEAST = 30 * SECOND
/** As long as a device's rhythm is not known. */
export const LIVE_BY_DEFAULT = 5 * MINUTE
const LIVE_AT_MOST = 6 * HOUR
/** This many missed beats make a value stale, and this many stale spells make it lost. */
const BEATS = 3
const SPELLS = 10

/** How long a value counts as live, in ms, for a device that speaks every `cadence` ms (0: not known yet). */
export const liveFor = (cadence: number): number =>
  cadence <= 0 ? LIVE_BY_DEFAULT : Math.min(Math.max(BEATS * cadence, LIVE_AT_LEAST), LIVE_AT_MOST)

/**
 * Live, stale or lost. `age` in ms, Infinity for never. Offline is lost at once. While the page itself hears nothing
 * (`hearing` false) nothing is called live, however young it was when the line went.
 */
export const freshness = (value: { age: number; cadence: number; online: boolean; hearing: boolean }): Freshness => {
  const bound = liveFor(value.cadence)
  if (!value.online || value.age > bound * SPELLS) return 'lost'
  return value.hearing && value.age <= bound ? 'live' : 'stale'
}

/** The next estimate of a device's rhythm in ms: a slow average of the gaps between its messages, gaps under 50 ms left out. */
export const nextCadence = (cadence: number, gap: number): number => {
  if (gap < 50) return cadence
  return cadence <= 0 ? gap : cadence * 0.75 + gap * 0.25
}

/** An age in words as short as they go: `now`, `12 s`, `4 min`, `3 h`, `2 d`. */
export const ageWords = (age: number): string => {
  if (!Number.isFinite(age)) return 'never'
  if (age < 2 * SECOND) return 'now'
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s`
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min`
  if (age < 2 * DAY) return `${Math.floor(age / HOUR)} h`
  return `${Math.floor(age / DAY)} d`
}

/** A short span in words: `12 ms`, `1.4 s`, `3 min`. */
export const spanWords = (ms: number): string => {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`
  return ageWords(ms)
}

const pad = (value: number): string => String(value).padStart(2, '0')

/** The time of day of an instant, `14:03:09`; with the date in front when it is not today. */
export const clockWords = (at: number, now: number): string => {
  const date = new Date(at)
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  const today = new Date(now).toDateString() === date.toDateString()
  return today ? time : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`
}
