// Heating, cooling and fans: the points of them that are read and set one by one. Ranges of two temperatures, humidity and swing are not covered.
import {
  type Action,
  deedOf,
  finite,
  type Maker,
  part,
  partsOf,
  type Reader,
  type Reading,
  reading,
  textValue,
} from './component.ts'

/** A point: a field of the value, with a state topic, and a command topic when it can be set. */
interface Point {
  name: string
  state: string
  stateTemplate: string
  command: string
  commandTemplate: string
  intent: string
  schema: Readonly<Record<string, unknown>>
  valueOf: (text: string) => unknown
  /** The value as the wire has it; by default as it is. */
  wire?: (value: unknown) => unknown
  isSame?: (now: unknown, wished: unknown) => boolean
}

const pointed = (read: Reader, point: Point): { readings: Reading[]; actions: Action[] } => {
  const readings = reading(read, point.state, point.stateTemplate, part(point.name, point.valueOf))
  const topic = read.command(point.command)
  const write = topic === undefined ? undefined : read.written(point.commandTemplate)
  if (topic === undefined || write === undefined) return { readings, actions: [] }
  const isSame = point.isSame ?? ((now: unknown, wished: unknown) => now === wished)
  const set: Action = {
    intent: point.intent,
    fields: { [point.name]: point.schema },
    required: [point.name],
    deed: (payload) => {
      const wished = payload[point.name]
      const shows = (now: unknown): boolean => isSame(partsOf(now)[point.name], wished)
      return deedOf(topic, write(point.wire?.(wished) ?? wished), readings.length > 0 ? shows : undefined)
    },
  }
  return { readings, actions: [set] }
}

const joined = (parts: { readings: Reading[]; actions: Action[] }[]) => ({
  readings: parts.flatMap(({ readings }) => readings),
  actions: parts.flatMap(({ actions }) => actions),
})

const isNear = (now: unknown, wished: unknown): boolean => Math.abs(Number(now) - Number(wished)) < 0.26
const oneOf = (options: readonly string[]): Readonly<Record<string, unknown>> =>
  options.length === 0 ? { type: 'string', maxLength: 100 } : { enum: options }

export const climate: Maker = (read) => {
  const [low, high] = [read.number('min_temp', 7), read.number('max_temp', 35)]
  const listed = read.texts('modes')
  const modes = listed.length > 0 ? listed : ['auto', 'off', 'cool', 'heat', 'dry', 'fan_only']
  const target: Point = {
    name: 'temperature',
    state: 'temperature_state_topic',
    stateTemplate: 'temperature_state_template',
    command: 'temperature_command_topic',
    commandTemplate: 'temperature_command_template',
    intent: 'climate.set_temperature',
    schema: { type: 'number', minimum: low, maximum: Math.max(low, high) },
    valueOf: finite,
    isSame: isNear,
  }
  const named = (name: string, topic: string, intent: string, options: readonly string[], template: string): Point => ({
    name,
    state: `${topic}_state_topic`,
    stateTemplate: template,
    command: `${topic}_command_topic`,
    commandTemplate: `${topic}_command_template`,
    intent,
    schema: oneOf(options),
    valueOf: textValue,
  })
  const made = joined([
    pointed(read, target),
    pointed(read, named('mode', 'mode', 'climate.set_mode', modes, 'mode_state_template')),
    pointed(
      read,
      named('fan_mode', 'fan_mode', 'climate.set_fan_mode', read.texts('fan_modes'), 'fan_mode_state_template'),
    ),
    pointed(
      read,
      named('preset', 'preset_mode', 'climate.set_preset', read.texts('preset_modes'), 'preset_mode_value_template'),
    ),
  ])
  return {
    readings: [
      ...made.readings,
      ...reading(read, 'current_temperature_topic', 'current_temperature_template', part('current', finite)),
      ...reading(read, 'current_humidity_topic', 'current_humidity_template', part('humidity', finite)),
      ...reading(read, 'action_topic', 'action_template', part('action', textValue)),
    ],
    actions: made.actions,
    detail: { modes, min_temp: low, max_temp: high },
  }
}

export const fan: Maker = (read) => {
  const [on, off] = [read.text('payload_on', 'ON'), read.text('payload_off', 'OFF')]
  const isOn = (text: string): boolean | undefined => (text === on ? true : text === off ? false : undefined)
  const states = reading(read, 'state_topic', 'state_value_template', part('on', isOn))
  const topic = read.command('command_topic')
  const write = read.written('command_template')
  const turn = (intent: string, payload: string, value: boolean): Action => ({
    intent,
    fields: {},
    deed: () =>
      deedOf(topic ?? '', write?.(payload), states.length > 0 ? (now) => partsOf(now)['on'] === value : undefined),
  })
  const [slow, fast] = [read.number('speed_range_min', 1), read.number('speed_range_max', 100)]
  const steps = Math.max(1, fast - slow + 1)
  const [turns, still] = [
    read.text('payload_oscillation_on', 'oscillate_on'),
    read.text('payload_oscillation_off', 'oscillate_off'),
  ]
  const points = joined([
    pointed(read, {
      name: 'percentage',
      state: 'percentage_state_topic',
      stateTemplate: 'percentage_value_template',
      command: 'percentage_command_topic',
      commandTemplate: 'percentage_command_template',
      intent: 'fan.set_percentage',
      schema: { type: 'number', minimum: 0, maximum: 100 },
      valueOf: (text) => {
        const speed = finite(text)
        return speed === undefined ? undefined : speed < slow ? 0 : Math.round(((speed - slow + 1) / steps) * 100)
      },
      wire: (value) => (Number(value) <= 0 ? slow - 1 : slow - 1 + Math.ceil((Number(value) / 100) * steps)),
      isSame: (now, wished) => Math.abs(Number(now) - Number(wished)) <= 100 / steps,
    }),
    pointed(read, {
      name: 'preset',
      state: 'preset_mode_state_topic',
      stateTemplate: 'preset_mode_value_template',
      command: 'preset_mode_command_topic',
      commandTemplate: 'preset_mode_command_template',
      intent: 'fan.set_preset',
      schema: oneOf(read.texts('preset_modes')),
      valueOf: textValue,
    }),
    pointed(read, {
      name: 'oscillating',
      state: 'oscillation_state_topic',
      stateTemplate: 'oscillation_value_template',
      command: 'oscillation_command_topic',
      commandTemplate: 'oscillation_command_template',
      intent: 'fan.oscillate',
      schema: { type: 'boolean' },
      valueOf: (text) => (text === turns ? true : text === still ? false : undefined),
      wire: (value) => (value === true ? turns : still),
    }),
  ])
  const power =
    topic === undefined || write === undefined ? [] : [turn('fan.turn_on', on, true), turn('fan.turn_off', off, false)]
  return { readings: [...states, ...points.readings], actions: [...power, ...points.actions], detail: {} }
}
