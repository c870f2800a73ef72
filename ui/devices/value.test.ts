import { expect, test } from 'vitest'
import { intentLabel, mustHold, orderedIntents } from './intent.ts'
import { numberText, show, shownValues, words } from './value.ts'

test('names become words', () => {
  expect(['bench_light', 'hotIron', 'door.unlock'].map(words)).toEqual(['Bench light', 'Hot iron', 'Door unlock'])
})

test('numbers are short and keep their point once they had one', () => {
  expect([3, 3.14159, 31.4159, 314.159, 31_415.9].map((value) => numberText(value))).toEqual([
    '3',
    '3.14',
    '31.4',
    '314',
    '31,416',
  ])
  expect(show('temperature', 21, [20.7, 21]).text).toBe('21.0')
  expect(show('temperature', 21, [20, 21]).text).toBe('21')
})

test('units come from the name or from the value itself', () => {
  expect(show('pm25', 38)).toMatchObject({ label: 'PM2.5', unit: 'µg/m³' })
  expect(show('power_w', 3)).toMatchObject({ label: 'Power', unit: 'W' })
  expect(show('flow', { value: 4, unit: 'l/min' })).toMatchObject({ text: '4', unit: 'l/min' })
  expect(show('iron_celsius', 300).unit).toBe('°C')
  expect(show('progress', 0.64)).toMatchObject({ text: '64', unit: '%' })
})

test('a unit that is not sure is not claimed', () => {
  expect(
    ['energy', 'power', 'pressure', 'brightness', 'current', 'speed'].map((name) => show(name, 3).unit).join(''),
  ).toBe('')
  expect(show('temperature', 70).unit).toBe('°')
  const values = shownValues({
    kind: 'particle_sensor',
    state: { air: 'clean', unit: 'µg/m³' },
    telemetry: { dust: 12.9 },
  })
  expect(values.map(({ name, unit }) => `${name} ${unit}`)).toEqual(['dust µg/m³', 'air '])
})

test('booleans are words of their own', () => {
  expect(show('open', false).text).toBe('Closed')
  expect(show('locked', true).text).toBe('Locked')
  expect(show('calibrated', true).text).toBe('Yes')
})

test('two values of a device never have the same label', () => {
  const labels = (state: Record<string, unknown>): string[] =>
    shownValues({ kind: 'welder', state, telemetry: {} }).map(({ label }) => label)
  expect(labels({ power: true, on: false, amps: 0 })).toEqual(['Switched', 'Power', 'Current'])
  expect(labels({ on: true, power_w: 20, watts: 20 })).toEqual(['Switched', 'Power w', 'Watts'])
  expect(labels({ on: true, amps: 3 })).toEqual(['Power', 'Current'])
})

test('nothing is invented for what is not there', () => {
  expect(show('x', null).text).toBe('–')
  expect(shownValues({ kind: 'x', state: {}, telemetry: {} })).toEqual([])
})

test('the value that matters most for the kind comes first', () => {
  const first = (kind: string, state: Record<string, unknown>): string | undefined =>
    shownValues({ kind, state, telemetry: {} })[0]?.name
  expect(first('door', { battery: 90, open: true })).toBe('open')
  expect(first('light', { brightness: 40, on: true })).toBe('on')
  expect(first('dust_sensor', { humidity: 41, pm25: 3 })).toBe('pm25')
  expect(first('thing', { label: 'a', reading: 3 })).toBe('reading')
})

test('what sets something going is held, unless it is safe', () => {
  expect(mustHold('press.start', ['press.stop'])).toBe(true)
  expect(mustHold('door.unlock', [])).toBe(true)
  expect(mustHold('saw.enable', [])).toBe(true)
  expect(mustHold('light.turn_on', [])).toBe(false)
  expect(mustHold('extractor.start', ['extractor.start'])).toBe(false)
})

test('safe intents come first, the simulator last', () => {
  expect(orderedIntents(['dust.simulate', 'press.start', 'press.stop'], ['press.stop'])).toEqual([
    'press.stop',
    'press.start',
    'dust.simulate',
  ])
  expect(intentLabel('light.turn_on')).toBe('Turn on')
})
