// Spans of time as people write them (`90 s`, `1 h 30 min`), to and from ms.

const UNITS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const
const NAMES: Record<string, keyof typeof UNITS> = {
  ms: 'ms',
  s: 's',
  sec: 's',
  second: 's',
  seconds: 's',
  m: 'min',
  min: 'min',
  minute: 'min',
  minutes: 'min',
  h: 'h',
  hour: 'h',
  hours: 'h',
  d: 'd',
  day: 'd',
  days: 'd',
}
const PART = /(\d+(?:[.,]\d+)?)\s*([a-z]+)\s*/gy

/** ms, or undefined when the text is no span. A bare number has no unit and is none. */
export const parseDuration = (text: string): number | undefined => {
  const wanted = text.trim().toLowerCase()
  if (wanted === '0') return 0
  let ms = 0
  let read = 0
  for (const [part, amount = '', unit = ''] of wanted.matchAll(PART)) {
    const name = NAMES[unit]
    if (name === undefined) return undefined
    ms += Number(amount.replace(',', '.')) * UNITS[name]
    read += part.length
  }
  return read > 0 && read === wanted.length ? Math.round(ms) : undefined
}

/** An exact span: `5 min`, `1 h 30 min`, `0.5 s`, `0 s`. */
export const durationText = (ms: number): string => {
  if (ms <= 0) return '0 s'
  const parts: string[] = []
  let left = ms
  for (const unit of ['d', 'h', 'min'] as const) {
    const whole = Math.floor(left / UNITS[unit])
    if (whole > 0) parts.push(`${whole} ${unit}`)
    left -= whole * UNITS[unit]
  }
  if (left >= 1000 || (left > 0 && left % 100 === 0)) parts.push(`${left / 1000} s`)
  else if (left > 0) parts.push(`${left} ms`)
  return parts.join(' ')
}
