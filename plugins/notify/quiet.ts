// Quiet hours: what is not critical waits until they end.
import { z } from 'zod'

const Time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time such as '22:00'")

export const QuietHours = z.strictObject({
  from: Time.describe('When the quiet begins, in the time of the hub.'),
  to: Time.describe('When it ends; may be the next day.'),
})
export type QuietHours = z.output<typeof QuietHours>

const DAY_MIN = 24 * 60
const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** ms from `at` (since 1970) until the quiet ends; 0 when it is not quiet. Whole minutes of the hub's own time zone. */
export const quietFor = (hours: QuietHours | null, at: number): number => {
  if (hours === null) return 0
  const local = new Date(at)
  const now = local.getHours() * 60 + local.getMinutes()
  const [from, to] = [minutesOf(hours.from), minutesOf(hours.to)]
  const isQuiet = from <= to ? now >= from && now < to : now >= from || now < to
  if (!isQuiet || from === to) return 0
  const left = (to - now + DAY_MIN) % DAY_MIN
  return left * 60_000 - local.getSeconds() * 1000 - local.getMilliseconds()
}
