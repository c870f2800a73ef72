import { expect, test } from 'vitest'
import type { Log } from './health/report.ts'
import { partsOn } from './parts.ts'

const said: string[] = []
const log: Log = {
  debug() {},
  info() {},
  warn() {},
  error: (event, fields) => said.push(`${event} ${JSON.stringify(fields)}`),
  of: () => log,
}
const closing = (name: string) => ({ name, close: () => void said.push(name) })

test('each part sees those above it; they stop in the opposite order, whatever one of them does', async () => {
  said.length = 0
  const { up, stop, times } = await partsOn({ log, base: 1 })
    .part('a', ({ base }) => closing(`a${base}`))
    .part('b', async ({ a }) => ({ name: `b after ${a.name}`, close: () => Promise.reject(new Error('stuck')) }))
    .part('c', ({ b }) => closing(`c, ${b.name}`))
    .part('plain', () => 4)
    .start()
  expect(up.plain).toBe(4)
  expect(Object.keys(times)).toEqual(['a', 'b', 'c', 'plain'])
  await stop()
  expect(said).toEqual(['c, b after a1', 'part-not-stopped {"name":"b","error":"stuck"}', 'a1'])
  await stop()
  expect(said).toHaveLength(3)
})

test('when a part does not start, those above it are stopped and its error is told', async () => {
  said.length = 0
  const starting = partsOn({ log })
    .part('a', () => closing('a'))
    .part('b', () => Promise.reject(new Error('no port')))
    .part('c', () => closing('c'))
    .start()
  await expect(starting).rejects.toThrow('no port')
  expect(said).toEqual(['a'])
})

test('parts of one row start at the same time, and stop in the opposite order', async () => {
  said.length = 0
  const both = Promise.withResolvers<void>()
  const { up, stop, times } = await partsOn({ log })
    .part('a', () => closing('a'))
    .together({
      slow: ({ a }) => both.promise.then(() => closing(`slow after ${a.name}`)),
      quick: () => {
        both.resolve()
        return closing('quick')
      },
    })
    .part('last', ({ slow, quick }) => closing(`${slow.name}, ${quick.name}`))
    .start()
  expect(up.quick.name).toBe('quick')
  expect(Object.keys(times).sort()).toEqual(['a', 'last', 'quick', 'slow'])
  await stop()
  expect(said).toEqual(['slow after a, quick', 'quick', 'slow after a', 'a'])
})

test('when one of a row does not start, its slower neighbour is waited for and stopped', async () => {
  said.length = 0
  const starting = partsOn({ log })
    .part('a', () => closing('a'))
    .together({
      fails: () => Promise.reject(new Error('no port')),
      slow: () => new Promise((done) => setTimeout(() => done(closing('slow')), 20)),
    })
    .part('never', () => closing('never'))
    .start()
  await expect(starting).rejects.toThrow('no port')
  expect(said).toEqual(['slow', 'a'])
})

test('a part cannot use one that starts after it', () => {
  partsOn({ log })
    // @ts-expect-error: `b` is not there yet
    .part('a', ({ b }) => b as unknown)
    .part('b', () => 1)
})

test('a part cannot use its neighbour', () => {
  partsOn({ log }).together({
    // @ts-expect-error: `b` starts at the same time
    a: ({ b }) => b as unknown,
    b: () => 1,
  })
})
