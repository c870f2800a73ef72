// Times of the day, in the site's time zone and under its sky.
import { defer, EMPTY, map, type Observable, repeat, timer } from 'rxjs'
import { type Moment, turnNow } from './realm.ts'

/**
 * Emits the time (ms since 1970) at each of its moments: `schedule('30 7 * * mon-fri')`, `schedule({ sunset: minutes(-30) })`.
 * Cron patterns have five fields, or six with seconds first, and are meant in the site's time zone: a time that the clock
 * skips in spring comes right after the gap, one that it shows twice in autumn comes once. Sunrise and sunset need the site's
 * latitude and longitude. Throws where it is called when the pattern means nothing.
 */
export const schedule = (when: Moment): Observable<number> => {
  const { calendar, clock } = turnNow('schedule')
  calendar.after(when, clock.now)
  return defer(() => {
    const now = turnNow('schedule').clock.now
    const at = calendar.after(when, now)
    return at === undefined ? EMPTY : timer(at - now).pipe(map(() => at))
  }).pipe(repeat())
}
