// What a device's values are called, how they are written, and which one matters most.
import { isRecord, type Json } from '../api/read.ts'

export interface Shown {
  name: string
  label: string
  /** The value as text, without its unit. */
  text: string
  unit: string
  /** The text says what it is without its label: `Locked`, `Closed`. */
  plain?: boolean
  /** For the sparkline. */
  number?: number
}

/** Units that a name leaves no doubt about. A temperature of unknown scale is a bare degree; what is unclear has none. */
const UNITS: readonly [RegExp, string][] = [
  [/(^|_)(pm1|pm25|pm2_5|pm10)$|_ug_?m3$/, 'µg/m³'],
  [/_c$|(^|_)celsius$/, '°C'],
  [/_f$|(^|_)fahrenheit$/, '°F'],
  [/(^|_)(temperature|temp|nozzle|bed|setpoint)$/, '°'],
  [/(^|_)(humidity|battery|progress|percent|soc)$|_pct$/, '%'],
  [/_w$|(^|_)watts$/, 'W'],
  [/_kwh$|(^|_)kwh$/, 'kWh'],
  [/_v$|(^|_)volts?$|(^|_)voltage$/, 'V'],
  [/_a$|(^|_)amps$/, 'A'],
  [/_ppm$|(^|_)co2$/, 'ppm'],
  [/_bar$|^bar$/, 'bar'],
  [/(^|_)rpm$/, 'rpm'],
  [/_db$/, 'dB'],
  [/(^|_)lux$/, 'lx'],
  [/_s$|_seconds$/, 's'],
  [/_min$|_minutes$/, 'min'],
  [/_mm$/, 'mm'],
  [/_kg$/, 'kg'],
]

/** Suffixes that only say the unit, which stands beside the value anyway. */
const UNIT_SUFFIX = /_(c|celsius|pct|w|kwh|v|a|ppm|bar|db|s|min|mm|kg|ug_?m3)$/

const LABELS: Record<string, string> = {
  pm25: 'PM2.5',
  pm2_5: 'PM2.5',
  pm10: 'PM10',
  pm1: 'PM1',
  co2: 'CO₂',
  celsius: 'Temperature',
  watts: 'Power',
  amps: 'Current',
  bar: 'Pressure',
  dust: 'Dust',
  rpm: 'Speed',
  on: 'Power',
  open: 'Position',
  contact: 'Position',
  locked: 'Lock',
  running: 'Motor',
  motion: 'Motion',
  rssi: 'Signal',
  soc: 'Charge',
}

const unitOf = (name: string): string => UNITS.find(([pattern]) => pattern.test(name))?.[1] ?? ''

/** `bench_light` → `Bench light`. */
export const words = (name: string): string => {
  const spaced = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_.-]+/g, ' ')
    .trim()
    .toLowerCase()
  return spaced.charAt(0).toUpperCase() + spaced.slice(1)
}

const label = (name: string): string => {
  const bare = name.replace(UNIT_SUFFIX, '')
  return LABELS[name] ?? LABELS[bare] ?? words(bare)
}

/** What a switch is called when it is on, and when it is off. */
export const switchWords = (name: string): readonly [on: string, off: string] => YES_NO[name] ?? ['Yes', 'No']

/** What a switch is called where something else of the device has the name `Power`. */
const SWITCHED = 'Switched'

/** Two values of a device never have one label: each then goes by its own name, `power` and `power_w`. */
const named = (shown: Shown): Shown => ({ ...shown, label: shown.name === 'on' ? SWITCHED : words(shown.name) })

const YES_NO: Record<string, readonly [string, string]> = {
  on: ['On', 'Off'],
  power: ['On', 'Off'],
  running: ['Running', 'Stopped'],
  open: ['Open', 'Closed'],
  contact: ['Closed', 'Open'],
  locked: ['Locked', 'Unlocked'],
  occupied: ['Occupied', 'Empty'],
  occupancy: ['Occupied', 'Empty'],
  motion: ['Motion', 'Still'],
  enabled: ['Enabled', 'Disabled'],
  heating: ['Heating', 'Not heating'],
  leak: ['Leak', 'Dry'],
  wet: ['Wet', 'Dry'],
}

/** A number as short as it can be read: three significant digits below a thousand, whole above; `whole` ones without a point. */
export const numberText = (value: number, whole = Number.isInteger(value)): string => {
  if (!Number.isFinite(value)) return '–'
  if (whole && Math.abs(value) < 10_000) return String(Math.round(value))
  const size = Math.abs(value)
  if (size >= 10_000) return Math.round(value).toLocaleString('en', { maximumFractionDigits: 0 })
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

/** One value as it is shown; a `{ value, unit }` pair is taken apart, anything deeper stays JSON. */
export const show = (name: string, raw: unknown, trail: readonly number[] = []): Shown => {
  const pair = isRecord(raw) && 'value' in raw ? raw : undefined
  const value = pair ? pair['value'] : raw
  const unit = typeof pair?.['unit'] === 'string' ? pair['unit'] : unitOf(name)
  const base = { name, label: label(name) }
  if (typeof value === 'number') {
    const share = unit === '%' && /progress/.test(name) && value > 0 && value < 1
    const number = share ? value * 100 : value
    // A value that has had a fraction keeps its point, so that it does not change its width all the time.
    const whole = Number.isInteger(number) && trail.every(Number.isInteger)
    return { ...base, text: numberText(number, whole), unit, number }
  }
  if (typeof value === 'boolean') {
    const [yes, no] = switchWords(name)
    return { ...base, text: value ? yes : no, unit: '', plain: yes !== 'On' && yes !== 'Yes' }
  }
  if (typeof value === 'string')
    return { ...base, text: /^[a-z][a-z0-9_]*$/.test(value) ? words(value) : value, unit: '' }
  if (value === null || value === undefined) return { ...base, text: '–', unit: '' }
  return { ...base, text: JSON.stringify(value), unit: '' }
}

/** Names in the order in which they matter, per kind of device; the first that is there is the key value. */
const FIRST: readonly [RegExp, readonly string[]][] = [
  [/door|gate|window|contact/, ['open', 'contact', 'locked']],
  [/lock/, ['locked', 'open']],
  [/light|lamp/, ['on', 'brightness']],
  [/weld/, ['on', 'amps', 'current']],
  [/presence|occupancy|motion/, ['occupied', 'occupancy', 'motion', 'people']],
  [/extract|fan|vent|switch|plug|relay|outlet/, ['on', 'running', 'speed', 'rpm', 'power']],
  [/printer/, ['progress', 'state', 'status', 'nozzle']],
  [/press|cnc|laser|saw|mill|lathe|machine|robot|compressor/, ['state', 'status', 'running', 'pressure', 'on']],
]
const OTHERWISE = [
  'pm25',
  'dust',
  'temperature',
  'celsius',
  'tip_temperature',
  'temp',
  'tip',
  'pressure',
  'co2',
  'humidity',
  'level',
  'power',
  'progress',
  'state',
  'status',
  'open',
  'locked',
  'running',
  'on',
]

const starts = (names: readonly string[], wanted: string): string | undefined =>
  names.find((name) => name === wanted) ?? names.find((name) => name.replace(UNIT_SUFFIX, '') === wanted)

interface Valued {
  kind: string
  state: Json
  telemetry: Json
  trail?: Readonly<Record<string, readonly number[]>>
}

/** The values of a device, the one that matters most first. Telemetry wins over state where both have a name. */
export const shownValues = (device: Valued): Shown[] => {
  const { unit, ...values }: Json = { ...device.state, ...device.telemetry }
  // A `unit` beside the values is meant for the numbers that bring none of their own.
  const shared = typeof unit === 'string' ? unit : ''
  const names = Object.keys(values)
  const kind = device.kind.toLowerCase()
  const order = [...(FIRST.find(([pattern]) => pattern.test(kind))?.[1] ?? []), ...OTHERWISE]
  const found = order.map((wanted) => starts(names, wanted)).find((name) => name !== undefined)
  const first = found ?? names.find((name) => typeof values[name] === 'number') ?? names[0]
  const sorted = first === undefined ? names : [first, ...names.filter((name) => name !== first)]
  const all = sorted.map((name) => {
    const shown = show(name, values[name], device.trail?.[name])
    return shown.number !== undefined && shown.unit === '' ? { ...shown, unit: shared } : shown
  })
  return all.map((one) => (all.some((other) => other !== one && other.label === one.label) ? named(one) : one))
}
