// What an entity can be asked: the intent, its payload, the service it becomes, and what has to be seen before it counts as done.
import type { EntityState } from './states.ts'
import { fieldsOf } from './values.ts'

export type Payload = Readonly<Record<string, unknown>>
type Property = Readonly<Record<string, unknown>>

export interface Verb {
  intent: string
  /** JSON Schemas of the payload's fields. */
  fields: Readonly<Record<string, Property>>
  required: readonly string[]
  service: { domain: string; name: string }
  /** Service data, from the fields above and nothing else. */
  data(payload: Payload): Record<string, unknown>
  /** Whether the effect can be seen in how the entity is now. */
  seen(now: EntityState, before: EntityState, payload: Payload): boolean
  /** Whether it takes its time: a motor has to run. */
  slow: boolean
  /** States that say it was tried and did not work. */
  stuck: readonly string[]
}

const number = (payload: Payload, name: string): number | undefined => {
  const value = payload[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
const text = (payload: Payload, name: string): string | undefined => {
  const value = payload[name]
  return typeof value === 'string' ? value : undefined
}
const near = (value: unknown, wish: number | undefined, by: number): boolean =>
  wish === undefined || (typeof value === 'number' && Math.abs(value - wish) <= by)

const limit = (value: unknown, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : otherwise
const options = (value: unknown): string[] =>
  Array.isArray(value)
    ? value.filter((option): option is string => typeof option === 'string' && option.length <= 255).slice(0, 200)
    : []
const has = (entity: EntityState, feature: number): boolean =>
  (limit(entity.attributes['supported_features'], 0) & feature) !== 0

const verb = (
  intent: string,
  service: string,
  seen: Verb['seen'],
  more: Partial<Pick<Verb, 'fields' | 'required' | 'data' | 'slow' | 'stuck'>> = {},
): Verb => {
  const [domain = '', name = ''] = service.split('.')
  return {
    ...{ intent, service: { domain, name }, seen, fields: {}, required: [], data: () => ({}), slow: false, stuck: [] },
    ...more,
  }
}

const is =
  (...states: string[]): Verb['seen'] =>
  ({ state }) =>
    states.includes(state)

/** A scene or a button tells when it was last activated and nothing else. */
const stamped: Verb['seen'] = (now, before) => now.state !== before.state && now.state !== 'unavailable'

const percent = (what: string): Property => ({ type: 'number', minimum: 0, maximum: 100, unit: '%', description: what })

const onOff = (prefix: string, domain: string): Verb[] => [
  verb(`${prefix}.turn_on`, `${domain}.turn_on`, is('on')),
  verb(`${prefix}.turn_off`, `${domain}.turn_off`, is('off')),
]

const COLOURED = new Set(['hs', 'rgb', 'rgbw', 'rgbww', 'xy'])

const light = (entity: EntityState): Verb[] => {
  const modes = options(entity.attributes['supported_color_modes'])
  const fields: Record<string, Property> = {}
  if (modes.some((mode) => mode !== 'onoff')) {
    fields['level'] = { type: 'number', minimum: 1, maximum: 100, unit: '%', description: 'Brightness in percent.' }
  }
  if (modes.includes('color_temp')) {
    fields['kelvin'] = {
      type: 'number',
      minimum: limit(entity.attributes['min_color_temp_kelvin'], 1500),
      maximum: limit(entity.attributes['max_color_temp_kelvin'], 9000),
      unit: 'K',
      description: 'Colour temperature.',
    }
  }
  if (modes.some((mode) => COLOURED.has(mode))) {
    fields['colour'] = { type: 'string', pattern: '^#[0-9a-fA-F]{6}$', description: 'Colour as #rrggbb.' }
  }
  return [
    verb(
      'light.turn_on',
      'light.turn_on',
      (now, _, payload) => {
        const { on, level, kelvin } = fieldsOf(now)
        return on === true && near(level, number(payload, 'level'), 2) && near(kelvin, number(payload, 'kelvin'), 60)
      },
      {
        fields,
        data: (payload) => {
          const colour = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text(payload, 'colour') ?? '')
          return {
            brightness_pct: number(payload, 'level'),
            color_temp_kelvin: number(payload, 'kelvin'),
            rgb_color: colour === null ? undefined : colour.slice(1).map((part) => Number.parseInt(part, 16)),
          }
        },
      },
    ),
    verb('light.turn_off', 'light.turn_off', is('off')),
  ]
}

const opening =
  (domain: string, open: string, close: string) =>
  (entity: EntityState): Verb[] => [
    // Ajar is `open` too: where it tells its position, that is believed.
    ...(has(entity, 1)
      ? [
          verb(
            `${domain}.open`,
            `${domain}.${open}`,
            (now) => now.state === 'open' && limit(now.attributes['current_position'], 100) >= 95,
            { slow: true },
          ),
        ]
      : []),
    ...(has(entity, 2) ? [verb(`${domain}.close`, `${domain}.${close}`, is('closed'), { slow: true })] : []),
    ...(has(entity, 8)
      ? [verb(`${domain}.stop`, `${domain}.stop_${domain}`, (now) => now.state === 'open' || now.state === 'closed')]
      : []),
    ...(has(entity, 4)
      ? [
          verb(
            `${domain}.set_position`,
            `${domain}.set_${domain}_position`,
            (now, _, payload) => near(fieldsOf(now)['position'], number(payload, 'position'), 2),
            {
              fields: { position: percent('0 is closed, 100 is open.') },
              required: ['position'],
              data: (payload) => ({ position: number(payload, 'position') }),
              slow: true,
            },
          ),
        ]
      : []),
  ]

const BOLT: Pick<Verb, 'slow' | 'stuck'> = { slow: true, stuck: ['jammed'] }
const lock = (entity: EntityState): Verb[] => [
  verb('lock.lock', 'lock.lock', is('locked'), BOLT),
  verb('lock.unlock', 'lock.unlock', is('unlocked', 'open'), BOLT),
  // The name says what it does: to release the latch is to unlock, and the gate judges it as that.
  ...(has(entity, 1) ? [verb('lock.unlatch', 'lock.open', is('open', 'unlocked'), BOLT)] : []),
]

const climate = (entity: EntityState): Verb[] => {
  const { attributes } = entity
  const modes = options(attributes['hvac_modes'])
  return [
    // Without 1 there is no single target: none, or a lower and an upper one.
    ...(has(entity, 1)
      ? [
          verb(
            'climate.set_temperature',
            'climate.set_temperature',
            (now, _, payload) => near(fieldsOf(now)['target'], number(payload, 'temperature'), 0.26),
            {
              fields: {
                temperature: {
                  type: 'number',
                  minimum: limit(attributes['min_temp'], 5),
                  maximum: limit(attributes['max_temp'], 35),
                  description: 'In the unit Home Assistant is set to.',
                },
              },
              required: ['temperature'],
              data: (payload) => ({ temperature: number(payload, 'temperature') }),
            },
          ),
        ]
      : []),
    ...(modes.length === 0
      ? []
      : [
          verb('climate.set_mode', 'climate.set_hvac_mode', (now, _, payload) => now.state === payload['mode'], {
            fields: { mode: { type: 'string', enum: modes } },
            required: ['mode'],
            data: (payload) => ({ hvac_mode: text(payload, 'mode') }),
          }),
        ]),
  ]
}

const fan = (entity: EntityState): Verb[] => [
  verb('fan.turn_on', 'fan.turn_on', (now, _, payload) => now.state === 'on' && speed(now, payload), {
    fields: has(entity, 1) ? { level: percent('Speed in percent.') } : {},
    data: (payload) => ({ percentage: number(payload, 'level') }),
  }),
  verb('fan.turn_off', 'fan.turn_off', is('off')),
]
// A fan of three speeds takes the next step up: 50 % becomes 67 %.
const speed = (now: EntityState, payload: Payload): boolean =>
  near(fieldsOf(now)['level'], number(payload, 'level'), 34)

const quantity =
  (domain: string) =>
  ({ attributes }: EntityState): Verb[] => {
    const step = Math.abs(limit(attributes['step'], 1))
    return [
      verb(
        'number.set',
        `${domain}.set_value`,
        (now, _, payload) => near(fieldsOf(now)[''], number(payload, 'value'), Math.max(step / 2, 1e-6)),
        {
          fields: {
            value: { type: 'number', minimum: limit(attributes['min'], -1e9), maximum: limit(attributes['max'], 1e9) },
          },
          required: ['value'],
          data: (payload) => ({ value: number(payload, 'value') }),
        },
      ),
    ]
  }

const choice =
  (domain: string) =>
  ({ attributes }: EntityState): Verb[] => {
    const all = options(attributes['options'])
    if (all.length === 0) return []
    return [
      verb('select.choose', `${domain}.select_option`, (now, _, payload) => now.state === payload['option'], {
        fields: { option: { type: 'string', enum: all } },
        required: ['option'],
        data: (payload) => ({ option: text(payload, 'option') }),
      }),
    ]
  }

const player = (entity: EntityState): Verb[] => [
  ...(has(entity, 16_384) ? [verb('media.play', 'media_player.media_play', is('playing', 'buffering'))] : []),
  ...(has(entity, 1) ? [verb('media.pause', 'media_player.media_pause', is('paused', 'idle'))] : []),
  ...(has(entity, 4_096)
    ? [verb('media.stop', 'media_player.media_stop', is('idle', 'off', 'stopped', 'standby', 'paused'))]
    : []),
  ...(has(entity, 4)
    ? [
        verb(
          'media.set_volume',
          'media_player.volume_set',
          (now, _, payload) => near(fieldsOf(now)['volume'], number(payload, 'volume'), 2),
          {
            fields: { volume: percent('Volume in percent.') },
            required: ['volume'],
            data: (payload) => ({ volume_level: (number(payload, 'volume') ?? 0) / 100 }),
          },
        ),
      ]
    : []),
  ...(has(entity, 128) ? [verb('media.turn_on', 'media_player.turn_on', ({ state }) => state !== 'off')] : []),
  ...(has(entity, 256) ? [verb('media.turn_off', 'media_player.turn_off', is('off', 'standby'))] : []),
]

const table: Readonly<Record<string, (entity: EntityState) => Verb[]>> = {
  light,
  switch: () => onOff('switch', 'switch'),
  input_boolean: () => onOff('switch', 'input_boolean'),
  siren: () => onOff('siren', 'siren'),
  humidifier: () => onOff('humidifier', 'humidifier'),
  cover: opening('cover', 'open_cover', 'close_cover'),
  valve: opening('valve', 'open_valve', 'close_valve'),
  lock,
  climate,
  fan,
  scene: () => [verb('scene.activate', 'scene.turn_on', stamped)],
  button: () => [verb('button.press', 'button.press', stamped)],
  input_button: () => [verb('button.press', 'input_button.press', stamped)],
  number: quantity('number'),
  input_number: quantity('input_number'),
  select: choice('select'),
  input_select: choice('input_select'),
  media_player: player,
}

/** What an entity can be asked; empty for what only tells. */
export const verbsOf = (entity: EntityState): Verb[] => table[entity.domain]?.(entity) ?? []

/** Domains that give a device its kind, the weightiest first. */
export const weightOf = (domain: string): number => {
  const at = WEIGHTS.indexOf(domain)
  return at === -1 ? WEIGHTS.length : at
}
const WEIGHTS: readonly string[] = [
  'lock',
  'cover',
  'valve',
  'climate',
  'humidifier',
  'light',
  'fan',
  'media_player',
  'siren',
  'switch',
  'input_boolean',
  'scene',
  'select',
  'input_select',
  'number',
  'input_number',
  'button',
  'input_button',
  'binary_sensor',
  'sensor',
]

/** Intents that bring a device to rest whatever it is; anything further a person says in the settings. */
export const SAFE: readonly string[] = ['cover.stop', 'valve.stop']
