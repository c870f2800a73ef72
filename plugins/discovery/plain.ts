// Components of one value: switch, siren, button, number, select, text, lock, sensor, binary sensor, update, and what only happens.
import type { Fields } from './announcement.ts'
import {
  type Action,
  deedOf,
  finite,
  type Maker,
  type News,
  part,
  partsOf,
  type Reader,
  type Reading,
  reading,
  textValue,
} from './component.ts'

const NONE = 'None'

/** Fields worth showing, as they came, when they are short texts or numbers. */
const details = (read: Reader, ...names: string[]): Record<string, unknown> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = read.maybe(name)
      return value === undefined ? [] : [[name, value.slice(0, 60)]]
    }),
  )
const CLASSES = ['device_class', 'entity_category'] as const

const whole =
  (valueOf: (text: string) => unknown) =>
  (text: string): News | undefined => {
    const value = text === NONE ? null : valueOf(text)
    return value === undefined ? undefined : { value }
  }

const onOff =
  (platform: 'switch' | 'siren'): Maker =>
  (read) => {
    const [on, off] = [read.text('payload_on', 'ON'), read.text('payload_off', 'OFF')]
    const [isOn, isOff] = [read.text('state_on', on), read.text('state_off', off)]
    const stateTemplate = read.maybe('state_value_template') === undefined ? 'value_template' : 'state_value_template'
    const readings = reading(
      read,
      'state_topic',
      stateTemplate,
      whole((text) => {
        const json = platform === 'siren' ? stateIn(text) : text
        return json === isOn ? true : json === isOff ? false : undefined
      }),
    )
    const topic = read.command('command_topic')
    const write = read.written('command_template')
    const turn = (intent: string, payload: string, value: boolean, isSafe: boolean): Action => ({
      intent: `${platform}.${intent}`,
      fields: {},
      ...(isSafe ? { isSafe } : {}),
      deed: () => deedOf(topic ?? '', write?.(payload), readings.length > 0 ? (now) => now === value : undefined),
    })
    const actions =
      topic === undefined || write === undefined
        ? []
        : [turn('turn_on', on, true, false), turn('turn_off', off, false, platform === 'siren')]
    return { readings, actions, detail: details(read, ...CLASSES) }
  }

/** A siren may say its state as text or as `{"state":"ON"}`. */
const stateIn = (text: string): string => {
  if (!text.startsWith('{')) return text
  try {
    const { state } = partsOf(JSON.parse(text))
    return typeof state === 'string' ? state : text
  } catch {
    return text
  }
}

const button: Maker = (read) => {
  const topic = read.command('command_topic')
  const write = read.written('command_template')
  const press: Action = {
    intent: 'button.press',
    fields: {},
    deed: () => deedOf(topic ?? '', write?.(read.text('payload_press', 'PRESS'))),
  }
  return {
    readings: [],
    actions: topic === undefined || write === undefined ? [] : [press],
    detail: details(read, ...CLASSES),
  }
}

/** A value that is set by a message of its own: number, select, text. */
const settable = (
  read: Reader,
  intent: string,
  schema: Fields,
  valueOf: (text: string) => unknown,
  isSame: (now: unknown, wished: unknown) => boolean,
): { readings: Reading[]; actions: Action[] } => {
  const readings = reading(read, 'state_topic', 'value_template', whole(valueOf))
  const topic = read.command('command_topic')
  const write = read.written('command_template')
  if (topic === undefined || write === undefined) return { readings, actions: [] }
  const set: Action = {
    intent,
    fields: { value: schema },
    required: ['value'],
    deed: ({ value }) => deedOf(topic, write(value), readings.length > 0 ? (now) => isSame(now, value) : undefined),
  }
  return { readings, actions: [set] }
}

const number: Maker = (read) => {
  const [min, max] = [read.number('min', 1), read.number('max', 100)]
  const step = Math.max(0.001, read.number('step', 1))
  const isSame = (now: unknown, wished: unknown): boolean =>
    typeof now === 'number' && typeof wished === 'number' && Math.abs(now - wished) <= step / 2
  return {
    ...settable(read, 'number.set', { type: 'number', minimum: min, maximum: Math.max(min, max) }, finite, isSame),
    detail: { ...details(read, ...CLASSES, 'unit_of_measurement'), min, max, step },
  }
}

const select: Maker = (read) => {
  const options = read.texts('options')
  if (options.length === 0) read.problem('it has no options')
  const schema = options.length === 0 ? { type: 'string', maxLength: 200 } : { enum: options }
  return {
    ...settable(read, 'select.select', schema, textValue, (now, wished) => now === wished),
    detail: { ...details(read, ...CLASSES), options },
  }
}

const text: Maker = (read) => {
  const most = Math.max(1, Math.min(1000, read.number('max', 255)))
  const schema = { type: 'string', minLength: Math.max(0, read.number('min', 0)), maxLength: most }
  return {
    ...settable(
      read,
      'text.set',
      schema,
      (said) => said.slice(0, most),
      (now, wished) => now === wished,
    ),
    detail: details(read, ...CLASSES),
  }
}

const lock: Maker = (read) => {
  const words = new Map([
    [read.text('state_locked', 'LOCKED'), 'locked'],
    [read.text('state_unlocked', 'UNLOCKED'), 'unlocked'],
    [read.text('state_locking', 'LOCKING'), 'locking'],
    [read.text('state_unlocking', 'UNLOCKING'), 'unlocking'],
    [read.text('state_jammed', 'JAMMED'), 'jammed'],
  ])
  const readings = reading(
    read,
    'state_topic',
    'value_template',
    whole((said) => words.get(said)),
  )
  const topic = read.command('command_topic')
  const write = read.written('command_template')
  const act = (intent: string, payload: string, value: string): Action => ({
    intent,
    fields: {},
    deed: () => deedOf(topic ?? '', write?.(payload), readings.length > 0 ? (now) => now === value : undefined, 30_000),
  })
  const opens = read.maybe('payload_open')
  const actions =
    topic === undefined || write === undefined
      ? []
      : [
          act('lock.lock', read.text('payload_lock', 'LOCK'), 'locked'),
          act('lock.unlock', read.text('payload_unlock', 'UNLOCK'), 'unlocked'),
          // It opens the door: the gate knows this intent as dangerous.
          ...(opens === undefined ? [] : [act('lock.unlatch', opens, 'unlocked')]),
        ]
  return { readings, actions, detail: {} }
}

const sensor: Maker = (read) => {
  const unit = read.maybe('unit_of_measurement')
  const isNumber = unit !== undefined || read.maybe('state_class') !== undefined
  const expires = read.number('expire_after', 0)
  return {
    readings: reading(read, 'state_topic', 'value_template', (said) => {
      const value = said === NONE ? null : isNumber ? finite(said) : textValue(said)
      if (value === undefined) return undefined
      return { value, ...(expires > 0 ? { then: { afterMs: expires * 1000, value: null } } : {}) }
    }),
    actions: [],
    detail: details(read, ...CLASSES, 'state_class', 'unit_of_measurement'),
  }
}

const binarySensor: Maker = (read) => {
  const [on, off] = [read.text('payload_on', 'ON'), read.text('payload_off', 'OFF')]
  const [delay, expires] = [read.number('off_delay', 0), read.number('expire_after', 0)]
  return {
    readings: reading(read, 'state_topic', 'value_template', (said) => {
      const value = said === NONE ? null : said === on ? true : said === off ? false : undefined
      if (value === undefined) return undefined
      if (delay > 0 && value === true) return { value, then: { afterMs: delay * 1000, value: false } }
      return { value, ...(expires > 0 ? { then: { afterMs: expires * 1000, value: null } } : {}) }
    }),
    actions: [],
    detail: details(read, ...CLASSES),
  }
}

/** Read only: firmware is not installed from here. */
const update: Maker = (read) => ({
  readings: [
    ...reading(read, 'state_topic', 'value_template', (said, old) => {
      const json = jsonOf(said)
      if (json === undefined) return { value: { ...partsOf(old), installed: said === NONE ? null : textValue(said) } }
      const { installed_version: installed, latest_version: latest, in_progress: busy } = json
      return {
        value: {
          ...partsOf(old),
          ...(isShort(installed) ? { installed } : {}),
          ...(isShort(latest) ? { latest } : {}),
          ...(typeof busy === 'boolean' ? { installing: busy } : {}),
        },
      }
    }),
    ...reading(read, 'latest_version_topic', 'latest_version_template', part('latest', textValue)),
  ],
  actions: [],
  detail: { ...details(read, ...CLASSES), note: 'read only: updates are not installed from here' },
})

const isShort = (value: unknown): boolean =>
  value === null || typeof value === 'number' || (typeof value === 'string' && value !== '' && value.length <= 200)

const jsonOf = (said: string): Record<string, unknown> | undefined => {
  if (!said.startsWith('{')) return undefined
  try {
    return partsOf(JSON.parse(said))
  } catch {
    return undefined
  }
}

const eventType = (said: unknown): string | undefined =>
  typeof said === 'string' && said !== '' ? said.slice(0, 64).replace(/[\p{Cc}\p{Cs}]/gu, '') || undefined : undefined

const event: Maker = (read) => {
  const types = new Set(read.texts('event_types'))
  return {
    readings: reading(read, 'state_topic', 'value_template', (said) => {
      const { event_type: named } = jsonOf(said) ?? {}
      const type = eventType(named)
      return type !== undefined && (types.size === 0 || types.has(type)) ? { event: { type } } : undefined
    }),
    actions: [],
    detail: { ...details(read, ...CLASSES), types: [...types] },
  }
}

/** A trigger: one payload on one topic is one thing that happened, such as a button pressed twice. */
const deviceAutomation: Maker = (read) => {
  const payload = read.maybe('payload')
  const type = eventType(`${read.text('type', 'trigger')}`) ?? 'trigger'
  const subtype = eventType(read.maybe('subtype'))
  return {
    readings: reading(read, 'topic', 'value_template', (said) =>
      payload === undefined || said === payload
        ? { event: { type, ...(subtype === undefined ? {} : { subtype }) } }
        : undefined,
    ),
    actions: [],
    detail: { type, ...(subtype === undefined ? {} : { subtype }) },
  }
}

export const plain: Readonly<Record<string, Maker>> = {
  switch: onOff('switch'),
  siren: onOff('siren'),
  button,
  number,
  select,
  text,
  lock,
  sensor,
  binary_sensor: binarySensor,
  update,
  event,
  device_automation: deviceAutomation,
}
