// The words of '#hub' in the sealed process, where there is no Intl, no eval and no node.
import { expect, test } from 'vitest'
import { testbed } from './testbed.ts'

test('schedule, keep, params and schemas work behind the seal', async () => {
  const bed = await testbed({
    'ticks.ts': `// Counts seconds.
import { map } from 'rxjs'
import { flow, keep, message, schedule, z } from '#hub'
const step = z.number().int().min(1).default(2).describe('How many at once')
export default flow({ params: { step } }, (_, params) => schedule('* * * * * *').pipe(
  map((at) => { if (at % 1000 !== 0) throw new Error('not a whole second'); return at }),
  keep('count', z.number(), 0, (count) => count + params.step),
  map((count) => message('devices/{device}/event', { device: 'probe' }, { type: 'count', count })),
))
`,
  })
  await bed.until(() => bed.bus.said('devices/{device}/event').length >= 2)
  const [first, second] = bed.bus.said('devices/{device}/event').map(({ payload }) => payload['count'])
  expect([first, second]).toEqual([2, 4])
  expect(bed.flow('ticks').error).toBeUndefined()
})
