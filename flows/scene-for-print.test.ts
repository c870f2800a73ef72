// Scenes for a print.
import { expect, test } from 'vitest'
import { message } from '#hub'
import { play } from '#hub/testing'
import flow from './scene-for-print.ts'

const printer = (status: string, more: Record<string, unknown> = {}, device = 'printer_1') =>
  message('devices/{device}/state', { device }, { status, ...more })
const known = (device: string, intent = 'scene.activate') =>
  message('devices/{device}/about', { device }, { name: device, kind: 'scene', intents: { [intent]: {} } })
const params = { start: 'print_runs', pause: 'print_waits', failure: 'alarm', end: 'evening' }
const retained = [...Object.values(params).map((id) => known(id)), printer('idle')]

/** What was asked and told, without the ids and ends that `ask` gives. */
const played = (timeline: Parameters<typeof play>[1], options: Parameters<typeof play>[2] = {}) =>
  Object.entries(play(flow, timeline, { params, retained, ...options })).flatMap(([when, said]) =>
    [said].flat().map((one) => {
      if (one?.topic !== 'devices/{device}/request') return [when, one?.params, one?.payload]
      return [when, one.params.device, one.payload.intent, one.payload.reason]
    }),
  )

test('each phase of a print has its scene, once', () => {
  const job = {
    '1s': [printer('heating'), printer('printing', { progress: 0 })],
    '60s': printer('printing', { progress: 40 }),
    '90s': printer('paused'),
    '120s': printer('printing'),
    '200s': printer('failed'),
    '300s': printer('idle'),
  } as const
  expect(played(job, { until: '301s' }).filter(([, device]) => typeof device === 'string')).toEqual([
    ['1s', 'print_runs', 'scene.activate', 'printer_1: start'],
    ['90s', 'print_waits', 'scene.activate', 'printer_1: pause'],
    ['120s', 'print_runs', 'scene.activate', 'printer_1: start'],
    ['200s', 'alarm', 'scene.activate', 'printer_1: failure'],
    ['300s', 'evening', 'scene.activate', 'printer_1: end'],
  ])
})

test('a print that was under way when it begins, another printer, and words without a meaning ask for nothing', () => {
  const running = [...retained.slice(0, -1), printer('printing')]
  expect(played({ '1s': printer('printing', { progress: 7 }) }, { retained: running })).toEqual([])
  expect(played({ '1s': printer('printing', {}, 'printer_2'), '2s': printer('constructor') })).toEqual([])
})

test('the scene may depend on the profile of the job, and a phase may have none', () => {
  const byProfile = { start: 'runs_{profile}', pause: '', failure: '', end: '' }
  const scenes = [known('runs_pla'), known('runs_default'), printer('idle')]
  const pla = { '1s': printer('printing', { profile: 'PLA' }), '5s': printer('paused') } as const
  expect(played(pla, { params: byProfile, retained: scenes, until: '6s' })).toEqual([
    ['1s', 'runs_pla', 'scene.activate', 'printer_1: start'],
  ])
  expect(played({ '1s': printer('printing') }, { params: byProfile, retained: scenes, until: '6s' })).toEqual([
    ['1s', 'runs_default', 'scene.activate', 'printer_1: start'],
  ])
})

test('a scene that is missing, refused or silent is told, and the printer is never asked for anything', () => {
  const told = (value: string, payload: object) => [{ flow: 'scene-for-print', value }, payload]
  const onlyOne = [known('print_runs'), known('evening', 'light.turn_on'), printer('idle')]
  const job = { '1s': printer('printing'), '40s': printer('idle') } as const
  expect(played(job, { retained: onlyOne })).toEqual([
    ['1s', 'print_runs', 'scene.activate', 'printer_1: start'],
    ['31s', ...told('start', { scene: 'print_runs', status: 'timeout', reason: 'no answer within 30000 ms' })],
    [
      '40s',
      ...told('end', { scene: 'evening', status: 'missing', reason: 'no device of this id knows scene.activate' }),
    ],
  ])
  const asked = Object.values(play(flow, job, { params, retained: onlyOne })).flat()
  expect(asked.filter((one) => one?.topic === 'devices/{device}/request').map((one) => one?.params)).toEqual([
    { device: 'print_runs' },
  ])
})
