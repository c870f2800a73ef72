// Declared topics as filters.
import { NEVER } from 'rxjs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { pluginTopics } from './rights.ts'

test('declared topics become filters under the prefix; an unknown plugin has none', () => {
  const plugin = {
    id: 'p',
    title: 'P',
    config: z.strictObject({}),
    handles: ['devices/{device}/cmd'] as const,
    publishes: ['devices/{device}/state', 'devices/{device}/ack'] as const,
    start: () => NEVER,
  }
  const of = pluginTopics({ plugins: [plugin], bad: [], topicTables: [] }, topicTable([core], 'shop'))
  expect(of('p')).toEqual({
    handles: ['shop/devices/+/cmd'],
    publishes: ['shop/devices/+/state', 'shop/devices/+/ack'],
  })
  expect(of('q')).toEqual({ handles: [], publishes: [] })
})
