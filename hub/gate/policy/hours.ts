// Whether it is one of the allowed hours, by the clock on the wall of the site.
import { DAYS, type Hours } from './schema.ts'

const MINUTES = 24 * 60

/** Day (0 is Monday) and minute of the day in a time zone. */
const localTime = (at: number, timeZone: string | undefined): { day: number; minute: number } => {
  const parts = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(timeZone === undefined ? {} : { timeZone }),
  }).formatToParts(at)
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? ''
  return {
    day: DAYS.findIndex((name) => name === of('weekday').toLowerCase()),
    minute: Number(of('hour')) * 60 + Number(of('minute')),
  }
}

const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** True within the hours. `from` equal to `to` is the whole day. `at` in ms since 1970. */
export const isWithin = ({ from, to, days }: Hours, at: number, timeZone: string | undefined): boolean => {
  const { day, minute } = localTime(at, timeZone)
  const [begin, end] = [minuteOf(from), minuteOf(to)]
  const on = (index: number) => days.some((name) => name === DAYS[(index + 7) % 7])
  if (begin < end) return on(day) && minute >= begin && minute < end
  if (begin === end || end === MINUTES) return on(day) && minute >= (begin === end ? 0 : begin)
  return (on(day) && minute >= begin) || (on(day - 1) && minute < end)
}

/** As people say it: `07:00 to 20:00 on mon, tue`. */
export const hoursInWords = ({ from, to, days }: Hours): string =>
  `${from} to ${to}${days.length === 7 ? '' : ` on ${days.join(', ')}`}`
