// Each platform: what a message makes of its value, what an intent sends, and when it shows.
import { describe, expect, test } from 'vitest'
import type { Fields } from './announcement.ts'
import type { Deed } from './component.ts'
import { chosen, offersOf, schemaOf } from './intents.ts'
import { componentOf, platforms } from './platforms.ts'

const made = (platform: string, fields: Fields) => {
  const component = componentOf({ key: 'k', platform, fields })
  let value: unknown = null
  return {
    component,
    /** The value after a message; an event is given as such. */
    hear(topic: string, text: string): unknown {
      let json: unknown
      try {
        json = JSON.parse(text)
      } catch {
        json = undefined
      }
      for (const reading of component.readings) {
        if (reading.topic !== topic) continue
        const news = reading.take({ text, json }, value)
        if (news === undefined) continue
        if ('event' in news) return news
        value = news.value
      }
      return value
    },
    does(intent: string, payload: Fields = {}): Deed {
      const action = component.actions.find((one) => one.intent === intent)
      const deed = action?.deed(payload, value)
      if (deed === undefined || typeof deed === 'string') throw new Error(deed ?? `it cannot ${intent}`)
      return deed
    },
    sends(intent: string, payload: Fields = {}): string[] {
      return this.does(intent, payload).sends.map(({ topic, payload: text }) => `${topic} ${text}`)
    },
    shows(intent: string, payload: Fields = {}): boolean | undefined {
      return this.does(intent, payload).shows?.(value)
    },
  }
}

describe('light', () => {
  test('default schema: a topic for each point', () => {
    const light = made('light', {
      command_topic: 'c',
      state_topic: 's',
      brightness_command_topic: 'b',
      brightness_state_topic: 'bs',
      brightness_scale: 100,
      rgb_command_topic: 'rgb',
      rgb_command_template: '{{ red }}-{{ green }}-{{ blue }}',
      rgb_state_topic: 'rs',
      color_temp_command_topic: 't',
      effect_command_topic: 'e',
      effect_list: ['calm'],
    })
    expect(light.hear('s', 'ON')).toEqual({ on: true })
    expect(light.hear('s', 'noise')).toEqual({ on: true })
    expect(light.hear('bs', '40')).toEqual({ on: true, brightness: 102, level: 40 })
    expect(light.hear('rs', '255,0,10')).toMatchObject({ rgb: [255, 0, 10] })
    expect(light.sends('light.turn_on')).toEqual(['c ON'])
    expect(light.sends('light.turn_on', { level: 50, rgb: [1, 2, 3], kelvin: 2000, effect: 'calm' })).toEqual([
      'b 50',
      't 500',
      'rgb 1-2-3',
      'e calm',
      'c ON',
    ])
    expect(light.shows('light.turn_on', { level: 40 })).toBe(true)
    expect(light.shows('light.turn_on', { level: 90 })).toBe(false)
    expect(light.shows('light.turn_off')).toBe(false)
    expect(light.sends('light.turn_off')).toEqual(['c OFF'])
  })

  test('the order in which it is switched on', () => {
    const fields = { command_topic: 'c', brightness_command_topic: 'b' }
    expect(made('light', { ...fields, on_command_type: 'first' }).sends('light.turn_on', { brightness: 9 })).toEqual([
      'c ON',
      'b 9',
    ])
    expect(made('light', { ...fields, on_command_type: 'brightness' }).sends('light.turn_on')).toEqual(['b 255'])
    expect(made('light', fields).does('light.turn_on').shows).toBeUndefined()
  })

  test.each([
    [['rgb'], '{"r":255,"g":0,"b":0}'],
    [['hs'], '{"h":0,"s":100}'],
    [['xy'], '{"x":0.6401,"y":0.33}'],
  ])('JSON schema with colour mode %j', (modes, color) => {
    const light = made('light', { schema: 'json', command_topic: 'c', state_topic: 's', supported_color_modes: modes })
    const [sent = ''] = light.sends('light.turn_on', { rgb: [255, 0, 0] })
    expect(JSON.parse(sent.slice(2))).toEqual({ state: 'ON', color: JSON.parse(color) as unknown })
    expect(light.hear('s', `{"state":"ON","brightness":128,"color":${color},"effect":"x"}`)).toMatchObject({
      on: true,
      level: 50,
      effect: 'x',
    })
    expect(light.shows('light.turn_on', { hs: [120, 50] })).toBe(true)
  })

  test('the template schema is not supported, and says so', () => {
    const { component } = made('light', { schema: 'template', command_topic: 'c' })
    expect(component).toMatchObject({ readings: [], actions: [], problem: "light schema 'template' not supported" })
  })
})

test('switch: own words for state and command, a command template, and one that is not supported', () => {
  const plug = made('switch', {
    command_topic: 'c',
    state_topic: 's',
    payload_on: '{"r":1}',
    payload_off: '{"r":0}',
    state_on: 'true',
    state_off: 'false',
    value_template: '{{ value_json.r | lower }}',
  })
  expect(plug.hear('s', '{"r":true}')).toBe(true)
  expect(plug.sends('switch.turn_off')).toEqual(['c {"r":0}'])
  expect(plug.shows('switch.turn_on')).toBe(true)
  const odd = made('switch', { command_topic: 'c', command_template: '{{ now() }}' })
  expect(odd.component.actions).toEqual([])
  expect(odd.component.problem).toContain("the function 'now'")
  expect(odd.component.commands).toEqual(['c'])
})

test('cover: state, position both ways round, stop is safe', () => {
  const cover = made('cover', {
    command_topic: 'c',
    state_topic: 's',
    position_topic: 'p',
    set_position_topic: 'sp',
    position_open: 0,
    position_closed: 255,
  })
  expect(cover.hear('p', '255')).toEqual({ position: 0 })
  expect(cover.hear('s', 'opening')).toEqual({ position: 0, state: 'opening' })
  expect(cover.shows('cover.open')).toBe(true)
  expect(cover.shows('cover.close')).toBe(false)
  expect(cover.hear('p', '128')).toMatchObject({ position: 50 })
  expect(cover.sends('cover.set_position', { position: 100 })).toEqual(['sp 0'])
  expect(cover.shows('cover.set_position', { position: 50 })).toBe(true)
  expect(cover.sends('cover.stop')).toEqual(['c STOP'])
  expect(cover.component.actions.filter(({ isSafe }) => isSafe).map(({ intent }) => intent)).toEqual(['cover.stop'])
  const bare = made('cover', { command_topic: 'c', position_topic: 'p' })
  expect(bare.hear('p', '{"position":0}')).toEqual({ position: 0, state: 'closed' })
})

test('climate and fan: points set one by one', () => {
  const climate = made('climate', {
    temperature_command_topic: 't',
    temperature_command_template: '{"target":{{ value }}}',
    temperature_state_topic: 's',
    temperature_state_template: '{{ value_json.target }}',
    mode_command_topic: 'm',
    mode_state_topic: 's',
    mode_state_template: '{{ value_json.mode }}',
    modes: ['off', 'heat'],
    min_temp: 5,
    max_temp: 30,
  })
  expect(climate.hear('s', '{"target":21,"mode":"heat"}')).toEqual({ temperature: 21, mode: 'heat' })
  expect(climate.sends('climate.set_temperature', { temperature: 19.5 })).toEqual(['t {"target":19.5}'])
  expect(climate.shows('climate.set_mode', { mode: 'heat' })).toBe(true)
  const fan = made('fan', {
    command_topic: 'c',
    state_topic: 's',
    percentage_command_topic: 'p',
    percentage_state_topic: 'ps',
    speed_range_min: 1,
    speed_range_max: 4,
    oscillation_command_topic: 'o',
  })
  expect(fan.hear('ps', '2')).toEqual({ percentage: 50 })
  expect(fan.sends('fan.set_percentage', { percentage: 60 })).toEqual(['p 3'])
  expect(fan.sends('fan.set_percentage', { percentage: 0 })).toEqual(['p 0'])
  expect(fan.sends('fan.oscillate', { oscillating: true })).toEqual(['o oscillate_on'])
  expect(fan.sends('fan.turn_on')).toEqual(['c ON'])
})

test('lock, button, number, select, text, siren', () => {
  const lock = made('lock', { command_topic: 'c', state_topic: 's', payload_open: 'OPEN' })
  expect(lock.hear('s', 'JAMMED')).toBe('jammed')
  expect(lock.sends('lock.unlatch')).toEqual(['c OPEN'])
  expect(lock.hear('s', 'LOCKED')).toBe('locked')
  expect(lock.shows('lock.lock')).toBe(true)
  expect(made('button', { command_topic: 'c', payload_press: 'GO' }).sends('button.press')).toEqual(['c GO'])
  const number = made('number', { command_topic: 'c', state_topic: 's', min: 0, max: 10, step: 0.5 })
  expect(number.hear('s', '4.5')).toBe(4.5)
  expect(number.hear('s', 'NaN')).toBe(4.5)
  expect(number.hear('s', 'None')).toBeNull()
  expect(number.sends('number.set', { value: 7 })).toEqual(['c 7'])
  const select = made('select', { command_topic: 'c', options: ['a', 'b'] })
  expect(select.component.actions[0]?.fields['value']).toEqual({ enum: ['a', 'b'] })
  expect(made('text', { command_topic: 'c', max: 5 }).component.actions[0]?.fields['value']).toMatchObject({
    maxLength: 5,
  })
  const siren = made('siren', { command_topic: 'c', state_topic: 's' })
  expect(siren.hear('s', '{"state":"ON"}')).toBe(true)
  expect(siren.component.actions.find(({ isSafe }) => isSafe)?.intent).toBe('siren.turn_off')
})

test('sensors: numbers where there is a unit, words where not, and what fades', () => {
  const sensor = made('sensor', { state_topic: 's', unit_of_measurement: '°C', expire_after: 5 })
  expect(sensor.hear('s', '21.5')).toBe(21.5)
  expect(sensor.hear('s', 'warm')).toBe(21.5)
  expect(sensor.component.readings[0]?.take({ text: '1', json: 1 }, null)).toEqual({
    value: 1,
    then: { afterMs: 5000, value: null },
  })
  expect(made('sensor', { state_topic: 's' }).hear('s', '21')).toBe('21')
  const motion = made('binary_sensor', { state_topic: 's', off_delay: 2 })
  expect(motion.component.readings[0]?.take({ text: 'ON', json: undefined }, null)).toEqual({
    value: true,
    then: { afterMs: 2000, value: false },
  })
  expect(motion.hear('s', 'OFF')).toBe(false)
})

test('events and triggers happen; firmware is only read', () => {
  const event = made('event', { state_topic: 's', event_types: ['press'] })
  expect(event.hear('s', '{"event_type":"press"}')).toEqual({ event: { type: 'press' } })
  expect(event.hear('s', '{"event_type":"other"}')).toBeNull()
  const trigger = made('device_automation', { topic: 't', payload: 'x', type: 'action', subtype: 'up' })
  expect(trigger.hear('t', 'x')).toEqual({ event: { type: 'action', subtype: 'up' } })
  expect(trigger.hear('t', 'y')).toBeNull()
  const update = made('update', { state_topic: 's', command_topic: 'c', payload_install: 'go' })
  expect(update.hear('s', '{"installed_version":"1","latest_version":"2"}')).toEqual({ installed: '1', latest: '2' })
  expect(update.component.actions).toEqual([])
})

test('what is not understood is there, does nothing and says so', () => {
  expect(componentOf({ key: 'k', platform: 'camera', fields: { topic: 't' } })).toEqual({
    platform: 'camera',
    readings: [],
    actions: [],
    commands: [],
    detail: {},
    problem: "'camera' not supported",
  })
  expect(componentOf({ key: 'k', platform: 'constructor', fields: {} }).problem).toBe("'constructor' not supported")
  expect(platforms).toHaveLength(16)
})

test('several components of a kind: entity chooses, a safe intent goes to all, the chosen one’s own bounds hold', () => {
  const number = (max: number) =>
    componentOf({ key: 'n', platform: 'number', fields: { command_topic: `c${max}`, max } })
  const cover = componentOf({ key: 'c', platform: 'cover', fields: { command_topic: 'c' } })
  const offers = offersOf([
    { key: 'small', component: number(10) },
    { key: 'big', component: number(100) },
    { key: 'left', component: cover },
    { key: 'right', component: cover },
  ])
  const sets = offers.get('number.set') ?? []
  expect(schemaOf(sets)).toMatchObject({
    required: ['entity', 'value'],
    properties: { entity: { enum: ['small', 'big'] }, value: { anyOf: [{ maximum: 10 }, { maximum: 100 }] } },
  })
  expect(chosen(sets, { value: 5 })).toMatch(/entity: must be one of small, big/)
  expect(chosen(sets, { entity: 'small', value: 50 })).toBe("value: does not fit 'small'")
  expect(chosen(sets, { entity: 'big' })).toBe("value: is required for 'big'")
  expect(chosen(sets, { entity: 'big', value: 50, x: 1 })).toBe("x: 'big' does not take it")
  expect(chosen(sets, { entity: 'big', value: 50 })).toMatchObject({ rest: { value: 50 } })
  const stops = offers.get('cover.stop') ?? []
  expect(schemaOf(stops)).not.toHaveProperty('required')
  expect(chosen(stops, {})).toMatchObject({ offers: [{ entity: 'left' }, { entity: 'right' }] })
})
