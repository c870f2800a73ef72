import { expect, test } from 'vitest'
import { openTopicRights } from '../access/topic-rights.ts'
import { GATE, HUB, type Principal } from '../bus/principal.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { explainRight } from './right.ts'

const table = topicTable([core], 'jarvis')
const { mayPublish } = openTopicRights({
  table,
  ownerOf: () => undefined,
  pluginTopics: (id) => ({ publishes: id === 'weather' ? ['jarvis/ctx/#'] : [], handles: [] }),
  nativeCommands: () => false,
})
const known: Record<string, Principal> = {
  'person:ada': { kind: 'person', id: 'ada', roles: ['operator'] },
  'device:dust': { kind: 'device', id: 'dust', roles: [], topics: ['scada/+/out'] },
  'flow:fan': { kind: 'flow', id: 'fan', roles: [] },
  'plugin:weather': { kind: 'plugin', id: 'weather', roles: [] },
  gate: GATE,
  hub: HUB,
}
const explain = (origin: string, topic: string) =>
  explainRight({ access: { mayPublish, principalOf: (one) => known[one] }, table }, origin, topic)

test.each([
  ['person:ada', 'jarvis/devices/saw/request', /role operator gives the right devices.request, .*devices\/\+\/request/],
  ['device:dust', 'jarvis/devices/dust/state', /every device publishes its own topics below jarvis\/devices\/dust\//],
  ['device:dust', 'scada/7/out', /its credential was granted scada\/\+\/out/],
  ['flow:fan', 'jarvis/devices/saw/request', /every flow may ask devices/],
  ['gate', 'jarvis/devices/saw/cmd', /only the gate publishes devices\/\{device\}\/cmd/],
  ['hub', 'jarvis/hub/health', /only the hub publishes hub\/health/],
])('%s may publish %s, and the rule is named', (origin, topic, why) => {
  const explained = explain(origin, topic)
  expect(explained.why).toMatch(why)
  expect(explained.allowed).toBe(true)
})

test.each([
  ['person:ada', 'jarvis/devices/saw/cmd', /nothing gives the right to jarvis\/devices\/saw\/cmd/],
  ['device:dust', 'jarvis/devices/saw/state', /nothing gives the right/],
  ['device:gone', 'jarvis/devices/gone/state', /device:gone is nobody the hub knows now/],
  ['plugin:weather', 'jarvis/devices/x/state', /does not declare/],
  ['hub', 'jarvis/devices/saw/cmd', /nothing gives the right/],
])('%s may not publish %s, and the reason is the policy’s', (origin, topic, why) => {
  const explained = explain(origin, topic)
  expect(explained.why).toMatch(why)
  expect(explained.allowed).toBe(false)
})
