// What plugins remember, on both databases.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { eachStore } from '../testing/stores.ts'
import { openMemory } from './memory.ts'

eachStore('memory of plugins', (open) => {
  test('each has its own, it outlives the store, and keys are found by their beginning', async () => {
    const { db } = await open()
    const [mine, other] = [openMemory(db, 'notify'), openMemory(db, 'weather')]
    await mine.set('queue/2', { to: 'ada' })
    await mine.set('queue/1', { to: 'bob' })
    await mine.set('queue/1', { to: 'eve' })
    await mine.set('sent', 1)
    await other.set('queue/1', 'other')
    const again = openMemory((await open({ again: true })).db, 'notify')
    expect(await again.keys('queue/')).toEqual(['queue/1', 'queue/2'])
    expect(await again.get('queue/1', z.object({ to: z.string() }))).toEqual({ to: 'eve' })
    await again.remove('queue/1')
    expect(await again.get('queue/1', z.unknown())).toBeUndefined()
    expect(await other.get('queue/1', z.string())).toBe('other')
  })

  test('what no longer fits its schema is as if it were not there', async () => {
    const memory = openMemory((await open()).db, 'notify')
    await memory.set('count', 'three')
    expect(await memory.get('count', z.number())).toBeUndefined()
  })

  test('a value that is too large is refused and the old one stays', async () => {
    const memory = openMemory((await open()).db, 'notify')
    await memory.set('blob', 'small')
    await expect(memory.set('blob', 'x'.repeat(2 ** 20))).rejects.toThrow(/at most/)
    expect(await memory.get('blob', z.string())).toBe('small')
  })
})
