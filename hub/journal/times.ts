// The times people write: 2h, yesterday, 2026-11-20, 2026-11-20T07:30, in the time zone of this machine.
import { Invalid } from '../errors.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** ms since 1970. A length of time is meant from `now` backwards; a day begins at its midnight. Throws Invalid, naming `field`. */
export const timeOf = (field: string, text: string, now: number): number => {
  const words = text.trim().toLowerCase()
  if (words === 'now') return now
  if (words === 'today') return midnight(now, 0)
  if (words === 'yesterday') return midnight(now, -1)
  const length = lengthOf(words)
  if (length !== undefined) return now - length
  // A date alone is a day of this place, not of Greenwich.
  const isDated = /^\d{4}-\d{2}-\d{2}/.test(words)
  const at = !isDated ? NaN : Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(words) ? `${words}T00:00` : text.trim())
  if (Number.isNaN(at))
    throw new Invalid(
      field,
      text,
      "must be a length such as 90s, 10m, 2h or 3d, 'yesterday', 'today', or a time such as 2026-11-20T07:30",
    )
  return at
}

/** ms of '10m'; undefined when it is no length. */
export const lengthOf = (text: string): number | undefined => {
  const [, n, unit] = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(text.trim().toLowerCase()) ?? []
  return n === undefined || unit === undefined ? undefined : Number(n) * (UNITS[unit] ?? 0)
}

const midnight = (now: number, days: number): number => {
  const day = new Date(now)
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + days).getTime()
}
