// What an entity says, in plain values: the fields of a device's state document.
import type { EntityState } from './states.ts'

export type Value = string | number | boolean | null
/** By name; `''` is what the entity is about: the reading of a sensor, the choice of a select. */
export type Fields = Record<string, Value>

const GONE: ReadonlySet<string> = new Set(['unavailable', 'unknown'])

/** Whether Home Assistant reaches the thing. `unknown` is a thing that is there and has said nothing yet. */
export const isReached = ({ state }: EntityState): boolean => state !== 'unavailable'

const numberOf = (value: unknown): number | null => {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value !== 'string' || value.trim() === '') return null
  const read = Number(value)
  return Number.isFinite(read) ? read : null
}
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 255) : null)
const percentOf = (value: unknown, whole: number): number | null => {
  const read = numberOf(value)
  return read === null ? null : Math.round((read / whole) * 100)
}
const booleanOf = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)
const round = (value: number | null): number | null => (value === null ? null : Math.round(value * 100) / 100)

/** Leaves out what is not said, so that a plain light has no colour. */
const said = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

type Read = (state: string, attributes: Readonly<Record<string, unknown>>) => Fields

const isOn: Read = (state) => ({ on: state === 'on' })
const reading: Read = (state) => ({ '': state })
const quantity: Read = (state) => ({ '': numberOf(state) })

const readers: Readonly<Record<string, Read>> = {
  light: (state, { brightness, color_temp_kelvin, rgb_color, effect }) => ({
    on: state === 'on',
    ...said({
      level: percentOf(brightness, 255),
      kelvin: numberOf(color_temp_kelvin),
      colour: Array.isArray(rgb_color) && rgb_color.length === 3 ? hex(rgb_color) : null,
      effect: textOf(effect),
    }),
  }),
  switch: isOn,
  input_boolean: isOn,
  humidifier: isOn,
  siren: isOn,
  automation: isOn,
  fan: (state, { percentage }) => ({ on: state === 'on', ...said({ level: numberOf(percentage) }) }),
  cover: (state, { current_position }) => ({ '': state, ...said({ position: numberOf(current_position) }) }),
  valve: (state, { current_position }) => ({ '': state, ...said({ position: numberOf(current_position) }) }),
  lock: (state) => ({ '': state, locked: state === 'locked' }),
  climate: (state, { temperature, current_temperature, hvac_action, current_humidity }) => ({
    mode: state,
    ...said({
      target: numberOf(temperature),
      temperature: round(numberOf(current_temperature)),
      humidity: numberOf(current_humidity),
      action: textOf(hvac_action),
    }),
  }),
  media_player: (state, { volume_level, is_volume_muted, media_title, source }) => ({
    '': state,
    ...said({
      volume: percentOf(volume_level, 1),
      muted: booleanOf(is_volume_muted),
      title: textOf(media_title),
      source: textOf(source),
    }),
  }),
  binary_sensor: (state) => ({ '': state === 'on' }),
  number: quantity,
  input_number: quantity,
  sensor: (state) => ({ '': numberOf(state) ?? state }),
}

const hex = (rgb: readonly unknown[]): string =>
  `#${rgb
    .map((part) =>
      Math.min(255, Math.max(0, Math.round(Number(part) || 0)))
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`

/** The fields of an entity. What Home Assistant does not know is null, never the last that was known. */
export const fieldsOf = (entity: EntityState): Fields => {
  const read = readers[entity.domain] ?? reading
  const fields = read(entity.state, entity.attributes)
  return GONE.has(entity.state) ? Object.fromEntries(Object.keys(fields).map((name) => [name, null])) : fields
}
