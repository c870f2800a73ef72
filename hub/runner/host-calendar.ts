// When cron patterns, sunrises and sunsets come next at the site: a pure function of the time it is asked for.
import { Cron } from 'croner'
import { getTimes } from 'suncalc'
import { reasonOf } from '../errors.ts'
import type { Calendar, Moment } from '../streams/realm.ts'

/** Where the hub stands: a time zone of the IANA database, and degrees north and east for sunrise and sunset. */
export interface Site {
  readonly timezone: string
  readonly latitude?: number | undefined
  readonly longitude?: number | undefined
}

const DAY_MS = 86_400_000
/** The sun stays away for less than this, even at the poles. */
const DAYS_AHEAD = 370
const MOST_OFFSET_MS = DAY_MS
const PATTERNS = 1000

/**
 * The calendar of a site. Make it before the realm is sealed: croner reads the zone through `Intl` once, here, and keeps it.
 * Throws when the time zone is unknown.
 */
export const calendarOf = ({ timezone, latitude, longitude }: Site): Calendar => {
  const crons = new Map<string, Cron>()
  const cronOf = (pattern: string): Cron => {
    const known = crons.get(pattern)
    if (known !== undefined) return known
    if (crons.size >= PATTERNS) crons.clear()
    try {
      const cron = new Cron(pattern, { timezone, paused: true, mode: '5-or-6-parts' })
      crons.set(pattern, cron)
      return cron
    } catch (error) {
      throw new Error(`schedule('${pattern}'): ${reasonOf(error)}`, { cause: error })
    }
  }
  // Fills croner's table of zones, and refuses a zone that nobody knows.
  cronOf('0 0 * * *').nextRun(new Date(0))

  const sunAfter = (event: 'sunrise' | 'sunset', offset: number, now: number): number | undefined => {
    if (latitude === undefined || longitude === undefined)
      throw new Error(
        `schedule({ ${event} }) needs to know where the hub stands: set latitude and longitude of the site`,
      )
    if (!(Math.abs(offset) <= MOST_OFFSET_MS))
      throw new Error(`schedule({ ${event} }): at most a day before or after it`)
    for (let day = -2; day < DAYS_AHEAD; day++) {
      const at = getTimes(new Date(now + day * DAY_MS), latitude, longitude)[event]?.getTime()
      // Whole seconds: nobody knows the horizon better.
      const then = at === undefined ? NaN : Math.round(at / 1000) * 1000 + offset
      if (then > now) return then
    }
    return undefined
  }

  return {
    after: (when: Moment, now) => {
      if (typeof when === 'string') return cronOf(when).nextRun(new Date(now))?.getTime()
      return 'sunrise' in when ? sunAfter('sunrise', when.sunrise, now) : sunAfter('sunset', when.sunset, now)
    },
  }
}
