// Lights, in Home Assistant's default schema (a topic for each point) and its JSON schema (one document).
import type { Fields } from './announcement.ts'
import { hsOfRgb, type Rgb, rgbOfHs, xyOfRgb } from './color.ts'
import {
  type Action,
  type Deed,
  deedOf,
  finite,
  type Maker,
  type News,
  part,
  partsOf,
  type Reader,
  type Reading,
  reading,
  type Sending,
  textValue,
} from './component.ts'

const CLOSE = 0.03

const share = (most: number, description: string): Fields => ({
  type: 'number',
  minimum: 0,
  maximum: most,
  description,
})
const FIELDS = {
  brightness: share(255, 'How bright, 0 to 255.'),
  level: share(100, 'How bright, in percent.'),
  kelvin: { type: 'number', minimum: 1000, maximum: 12_000, description: 'Colour temperature in K.' },
  color_temp: { type: 'number', minimum: 80, maximum: 1000, description: 'Colour temperature in mired.' },
  rgb: { type: 'array', items: share(255, ''), minItems: 3, maxItems: 3, description: 'Red, green, blue, 0 to 255.' },
  hs: { type: 'array', items: share(360, ''), minItems: 2, maxItems: 2, description: 'Hue 0–360, saturation 0–100.' },
} as const

/** The light as a wish describes it, in the units of the wire. */
interface Look {
  brightness?: number
  mired?: number
  rgb?: Rgb
  effect?: string
}

const numbers = (value: unknown): number[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'number') : []

const lookOf = (payload: Fields): Look => {
  const look: Look = {}
  const { brightness, level, color_temp: mired, kelvin, effect } = payload
  if (typeof brightness === 'number') look.brightness = brightness
  else if (typeof level === 'number') look.brightness = level * 2.55
  if (typeof mired === 'number') look.mired = mired
  else if (typeof kelvin === 'number') look.mired = 1e6 / kelvin
  const [r, g, b] = numbers(payload['rgb'])
  const [hue, saturation] = numbers(payload['hs'])
  if (r !== undefined && g !== undefined && b !== undefined) look.rgb = [r, g, b]
  else if (hue !== undefined && saturation !== undefined) look.rgb = rgbOfHs(hue, Math.min(100, saturation))
  if (typeof effect === 'string') look.effect = effect
  return look
}

const bright = (brightness: number): Record<string, number> => ({
  brightness: Math.round(brightness),
  level: Math.round(brightness / 2.55),
})
const warmth = (mired: number): Record<string, number> =>
  mired <= 0 ? {} : { color_temp: Math.round(mired), kelvin: Math.round(1e6 / mired) }

const isNear = (value: unknown, wished: number | undefined, slack: number): boolean =>
  wished === undefined || (typeof value === 'number' && Math.abs(value - wished) <= slack)

/** Colours are not compared: lights answer in another way of speaking, and round. */
const looksLike =
  (look: Look) =>
  (value: unknown): boolean => {
    const { on, brightness, color_temp: mired, effect } = partsOf(value)
    return (
      on === true &&
      isNear(brightness, look.brightness, 4) &&
      isNear(mired, look.mired, (look.mired ?? 0) * CLOSE + 2) &&
      (look.effect === undefined || effect === look.effect)
    )
  }
const isOff = (value: unknown): boolean => partsOf(value)['on'] === false

const effects = (read: Reader): Record<string, Fields> => {
  const list = read.texts('effect_list')
  return list.length === 0 ? {} : { effect: { enum: list, description: 'A show the light can play.' } }
}

const jsonLight: Maker = (read) => {
  const topic = read.command('command_topic')
  const stateTopic = read.maybe('state_topic')
  const scale = Math.max(1, read.number('brightness_scale', 255))
  const isKelvin = read.flag('color_temp_kelvin')
  const modes = new Set(read.texts('supported_color_modes'))
  const dims = read.flag('brightness') || [...modes].some((mode) => mode !== 'onoff')
  const way = (['rgb', 'hs', 'xy'] as const).find((mode) => modes.has(mode) || read.flag(mode))
  const isWarm = modes.has('color_temp') || read.flag('color_temp')

  const wire = (look: Look): Record<string, unknown> => {
    const body: Record<string, unknown> = { state: read.text('payload_on', 'ON') }
    if (look.brightness !== undefined) body['brightness'] = Math.round((look.brightness / 255) * scale)
    if (look.mired !== undefined) body['color_temp'] = Math.round(isKelvin ? 1e6 / look.mired : look.mired)
    if (look.effect !== undefined) body['effect'] = look.effect
    if (look.rgb !== undefined) {
      const [r, g, b] = look.rgb
      const [h, s] = hsOfRgb(look.rgb)
      const [x, y] = xyOfRgb(look.rgb)
      body['color'] = way === 'rgb' ? { r, g, b } : way === 'hs' ? { h, s } : { x, y }
    }
    return body
  }

  const shown = ({ json }: { json: unknown }, old: unknown): News | undefined => {
    const body = partsOf(json)
    const value = partsOf(old)
    const { state, brightness, color_temp: warm, color, effect } = body
    if (typeof state === 'string') value['on'] = state.toUpperCase() === read.text('payload_on', 'ON').toUpperCase()
    else if (state === null) value['on'] = null
    if (typeof brightness === 'number') Object.assign(value, bright((brightness / scale) * 255))
    if (typeof warm === 'number') Object.assign(value, warmth(isKelvin ? 1e6 / warm : warm))
    const { r, g, b, h, s, x, y, hue, saturation } = partsOf(color)
    if ([r, g, b].every((n) => typeof n === 'number')) value['rgb'] = [r, g, b]
    const [turn, depth] = [h ?? hue, s ?? saturation]
    if ([turn, depth].every((n) => typeof n === 'number')) value['hs'] = [turn, depth]
    if ([x, y].every((n) => typeof n === 'number')) value['xy'] = [x, y]
    if (typeof effect === 'string') value['effect'] = textValue(effect)
    return { value }
  }

  const told = stateTopic === undefined || stateTopic === '' ? [] : [{ topic: stateTopic, take: shown }]
  const isTold = told.length > 0
  const send = (body: object, shows: (value: unknown) => boolean): Deed | string =>
    deedOf(topic ?? '', JSON.stringify(body), isTold ? shows : undefined)
  const fields = {
    ...(dims ? { brightness: FIELDS.brightness, level: FIELDS.level } : {}),
    ...(isWarm ? { color_temp: FIELDS.color_temp, kelvin: FIELDS.kelvin } : {}),
    ...(way === undefined ? {} : { rgb: FIELDS.rgb, hs: FIELDS.hs }),
    ...effects(read),
  }
  const actions: Action[] =
    topic === undefined
      ? []
      : [
          {
            intent: 'light.turn_on',
            fields,
            deed: (payload) => send(wire(lookOf(payload)), looksLike(lookOf(payload))),
          },
          {
            intent: 'light.turn_off',
            fields: {},
            deed: () => send({ state: read.text('payload_off', 'OFF') }, isOff),
          },
        ]
  return { readings: told, actions, detail: {} }
}

/** Three numbers of a text such as `255,0,10`. */
const tuple =
  (length: number) =>
  (text: string): number[] | undefined => {
    const all = text.split(',').map((piece) => finite(piece))
    const found = all.filter((n) => n !== undefined)
    return all.length === length && found.length === length ? found : undefined
  }

const plainLight: Maker = (read) => {
  const [on, off] = [read.text('payload_on', 'ON'), read.text('payload_off', 'OFF')]
  const scale = Math.max(1, read.number('brightness_scale', 255))
  const isKelvin = read.flag('color_temp_kelvin')
  const main = read.command('command_topic')
  const isOn = (text: string): boolean | undefined => (text === on ? true : text === off ? false : undefined)
  const merged = (fresh: Record<string, unknown>, old: unknown): News => ({ value: { ...partsOf(old), ...fresh } })

  const readings: Reading[] = [
    ...reading(read, 'state_topic', 'state_value_template', part('on', isOn)),
    ...reading(read, 'brightness_state_topic', 'brightness_value_template', (text, old) => {
      const value = finite(text)
      return value === undefined ? undefined : merged(bright((value / scale) * 255), old)
    }),
    ...reading(read, 'color_temp_state_topic', 'color_temp_value_template', (text, old) => {
      const value = finite(text)
      return value === undefined || value <= 0 ? undefined : merged(warmth(isKelvin ? 1e6 / value : value), old)
    }),
    ...reading(read, 'rgb_state_topic', 'rgb_value_template', part('rgb', tuple(3))),
    ...reading(read, 'hs_state_topic', 'hs_value_template', part('hs', tuple(2))),
    ...reading(read, 'effect_state_topic', 'effect_value_template', part('effect', textValue)),
  ]
  const tells = (field: string): boolean => read.maybe(field) !== undefined

  /** A point with a command topic of its own: what it sends for a look. */
  const point = (name: string, topicField: string, valueOf: (look: Look) => Fields | undefined) => {
    const topic = read.command(topicField)
    const write = read.written(`${name}_command_template`)
    if (topic === undefined || write === undefined) return undefined
    return (look: Look): Sending[] | string => {
      const given = valueOf(look)
      if (given === undefined) return []
      const payload = write(given['value'], given)
      return payload === undefined ? `the device’s ${name} template gives nothing for this` : [{ topic, payload }]
    }
  }
  const points = {
    brightness: point('brightness', 'brightness_command_topic', ({ brightness }) =>
      brightness === undefined ? undefined : { value: Math.round((brightness / 255) * scale) },
    ),
    warmth: point('color_temp', 'color_temp_command_topic', ({ mired }) =>
      mired === undefined ? undefined : { value: Math.round(isKelvin ? 1e6 / mired : mired) },
    ),
    rgb: point('rgb', 'rgb_command_topic', ({ rgb }) =>
      rgb === undefined ? undefined : { value: rgb.join(','), red: rgb[0], green: rgb[1], blue: rgb[2] },
    ),
    hs: point('hs', 'hs_command_topic', ({ rgb }) => {
      if (rgb === undefined) return undefined
      const [hue, sat] = hsOfRgb(rgb)
      return { value: `${hue},${sat}`, hue, sat }
    }),
    effect: point('effect', 'effect_command_topic', ({ effect }) =>
      effect === undefined ? undefined : { value: effect },
    ),
  }
  const order = read.text('on_command_type', 'last')

  const turnOn = (payload: Fields): Deed | string => {
    const look = lookOf(payload)
    if (order === 'brightness' && look.brightness === undefined) look.brightness = 255
    // Of two ways to say a colour one is enough.
    const used = [points.brightness, points.warmth, points.rgb ?? points.hs, points.effect]
    const sent = used.map((one) => one?.(look) ?? [])
    const wrong = sent.find((one) => typeof one === 'string')
    if (typeof wrong === 'string') return wrong
    const others = sent.flatMap((one) => (typeof one === 'string' ? [] : one))
    const first = main === undefined ? [] : [{ topic: main, payload: on }]
    const sends =
      order === 'brightness' && points.brightness !== undefined
        ? others
        : order === 'first'
          ? [...first, ...others]
          : [...others, ...first]
    const { brightness, mired, ...rest } = look
    const seen: Look = {
      ...rest,
      ...(brightness !== undefined && tells('brightness_state_topic') ? { brightness } : {}),
      ...(mired !== undefined && tells('color_temp_state_topic') ? { mired } : {}),
    }
    if (!tells('effect_state_topic')) delete seen.effect
    return { sends, ...(tells('state_topic') ? { shows: looksLike(seen) } : {}) }
  }
  const fields = {
    ...(points.brightness === undefined ? {} : { brightness: FIELDS.brightness, level: FIELDS.level }),
    ...(points.warmth === undefined ? {} : { color_temp: FIELDS.color_temp, kelvin: FIELDS.kelvin }),
    ...(points.rgb === undefined && points.hs === undefined ? {} : { rgb: FIELDS.rgb, hs: FIELDS.hs }),
    ...(points.effect === undefined ? {} : effects(read)),
  }
  const actions: Action[] =
    main === undefined
      ? []
      : [
          { intent: 'light.turn_on', fields, deed: turnOn },
          {
            intent: 'light.turn_off',
            fields: {},
            deed: () => deedOf(main, off, tells('state_topic') ? isOff : undefined),
          },
        ]
  return { readings, actions, detail: {} }
}

export const light: Maker = (read) => {
  const schema = read.text('schema', 'basic')
  if (schema === 'json') return jsonLight(read)
  if (schema === 'basic' || schema === 'default') return plainLight(read)
  read.problem(`light schema '${schema.slice(0, 40)}' not supported`)
  return { readings: [], actions: [], detail: {} }
}
