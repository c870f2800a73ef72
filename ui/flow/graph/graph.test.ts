// From the list of flows to the nodes and edges of the graph.
import { expect, test } from 'vitest'
import { readFlow } from '../../api/read-flow.ts'
import type { FlowItem } from '../../api/types.ts'
import { EMPTY, withDevices } from '../../live/state.ts'
import { readDevice } from '../../api/read.ts'
import { areaOfFlow, edgeWords, found, graphOf, overlaps, type Workplace } from './graph.ts'

const flow = (id: string, inputs: string[], outputs: string[], more: object = {}): FlowItem => {
  const read = readFlow({ id, status: 'running', inputs, outputs, in: 5, out: 1, dropped: 0, restarts: 0, ...more })
  if (!read) throw new Error('no flow')
  return read
}
const device = (id: string, area: string) => {
  const read = readDevice({ id, name: `The ${id}`, area, online: id !== 'press' })
  if (!read) throw new Error('no device')
  return read
}
const place: Workplace = {
  devices: withDevices(
    EMPTY,
    [device('dust', 'Wood shop'), device('extractor', 'Wood shop'), device('press', 'Textiles')],
    {
      offset: 0,
      askedAt: 1,
    },
  ).devices,
  plugins: [
    {
      id: 'sim',
      title: 'Simulator',
      status: 'running',
      handles: ['devices/+/cmd'],
      publishes: ['devices/+/telemetry'],
    },
    { id: 'mail', title: 'Mail', status: 'restarting', handles: ['notify/#'], publishes: [] },
  ],
  short: (topic) => topic.replace(/^jarvis\//, ''),
}
const dust = flow('dust-starts', ['jarvis/devices/dust/telemetry'], ['jarvis/devices/extractor/request'], {
  rateIn: 2,
  rateOut: 0.01,
  edges: [
    {
      topic: 'devices/{device}/telemetry',
      filter: 'jarvis/devices/dust/telemetry',
      rate: 2,
      depth: 3,
      dropped: 1,
      in: 9,
    },
  ],
})

test('a flow is drawn between what it hears and the gate with the device it asks', () => {
  const { nodes, edges } = graphOf([dust], place)
  expect(nodes.map(({ id }) => id).sort()).toEqual([
    'device:extractor',
    'flow:dust-starts',
    'gate',
    'topic:devices/dust/telemetry',
    'topic:devices/extractor/request',
  ])
  expect(nodes.find(({ kind }) => kind === 'topic')).toMatchObject({
    title: 'The dust: telemetry',
    detail: 'from Simulator',
    path: '/messages?topic=devices%2Fdust%2Ftelemetry',
  })
  expect(nodes.find(({ kind }) => kind === 'device')).toMatchObject({ title: 'The extractor', sub: 'by Simulator' })
  expect(edges.map(({ from, to, rate }) => [from, to, rate])).toEqual([
    ['topic:devices/dust/telemetry', 'flow:dust-starts', 2],
    ['flow:dust-starts', 'topic:devices/extractor/request', 0.01],
    ['topic:devices/extractor/request', 'gate', undefined],
    ['gate', 'device:extractor', undefined],
  ])
})

test('a compact picture ends at the gate', () => {
  const { nodes } = graphOf([dust], place, { isCompact: true })
  expect(nodes.map(({ kind }) => kind).sort()).toEqual(['flow', 'gate', 'topic', 'topic'])
})

test('an edge says its rate, what waits and what was dropped, and nothing it does not know', () => {
  expect(edgeWords({ rate: 2, depth: 3, dropped: 1 })).toEqual(['2/s', '3 waiting', '1 dropped'])
  expect(edgeWords({ rate: undefined, depth: 0, dropped: 0 })).toEqual([])
})

test('what one flow says leads to another that hears it under a wildcard, and to the plugin that takes it', () => {
  const a = flow('a', ['devices/dust/telemetry'], ['notify/alarm'])
  const b = flow('b', ['notify/+'], [])
  const { nodes, edges } = graphOf([a, b], place)
  expect(edges.map(({ id }) => id)).toEqual([
    'topic:devices/dust/telemetry → flow:a',
    'flow:a → topic:notify/+',
    'topic:notify/+ → plugin:mail',
    'topic:notify/+ → flow:b',
  ])
  const watcher = flow('w', ['devices/+/request'], [])
  expect(graphOf([dust, watcher], place).edges.map(({ id }) => id)).toContain(
    'topic:devices/extractor/request → topic:devices/+/request',
  )
  expect(nodes.find(({ id }) => id === 'plugin:mail')).toMatchObject({ tone: 'warn', word: 'Restarting' })
})

test('many flows are one box per area, with the worst state of those in it; an opened area shows its own', () => {
  const many = Array.from({ length: 25 }, (_, n) =>
    flow(`f${n}`, [n % 2 === 0 ? 'devices/dust/state' : 'devices/press/state'], [`devices/extractor/request`], {
      status: n === 4 ? 'quarantined' : 'running',
    }),
  )
  const folded = graphOf(many, place)
  expect(folded.nodes.filter(({ kind }) => kind === 'group')).toEqual([
    expect.objectContaining({ area: 'Wood shop', sub: '13 flows', tone: 'bad', word: '1 quarantined, 12 running' }),
    expect.objectContaining({ area: 'Textiles', sub: '12 flows', tone: 'good', word: '12 running' }),
  ])
  expect(folded.nodes.length).toBeLessThan(10)
  const open = graphOf(many, place, { open: new Set(['Textiles']) })
  expect(open.nodes.filter(({ kind }) => kind === 'flow')).toHaveLength(12)
  expect(open.nodes.filter(({ kind }) => kind === 'group')).toHaveLength(1)
})

test('the area of a flow is that of its devices, or what its topics begin with', () => {
  expect(areaOfFlow(dust, place)).toBe('Wood shop')
  expect(areaOfFlow(flow('x', ['devices/+/state'], ['devices/press/request']), place)).toBe('Textiles')
  expect(areaOfFlow(flow('x', ['cameras/+/detection'], []), place)).toBe('Cameras')
  expect(areaOfFlow(flow('x', ['devices/+/state'], []), place)).toBe('Everywhere')
})

test('filters, patterns and topics overlap as their messages do', () => {
  expect(overlaps('devices/+/state', 'devices/dust/state')).toBe(true)
  expect(overlaps('devices/{device}/state', 'devices/dust/state')).toBe(true)
  expect(overlaps('devices/#', 'devices/dust/state')).toBe(true)
  expect(overlaps('devices/+/state', 'devices/dust/cmd')).toBe(false)
  expect(overlaps('devices/dust', 'devices/dust/cmd')).toBe(false)
})

test('flows are found by name, sentence and topic, and by being in trouble', () => {
  const bad = flow('hot-iron', ['devices/iron/state'], [], { status: 'quarantined', about: 'An iron left on.' })
  expect(found([dust, bad], 'LEFT ON', false)).toEqual([bad])
  expect(found([dust, bad], 'extractor/req', false)).toEqual([dust])
  expect(found([dust, bad], '', true)).toEqual([bad])
})
