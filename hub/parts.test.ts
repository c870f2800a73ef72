import { expect, test } from 'vitest'
import { openParts } from './parts.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }

test('parts stop in the opposite order, and one that fails to stop does not keep the others', async () => {
  const said: string[] = []
  const parts = openParts({ ...quiet, error: (event, fields) => said.push(`${event} ${JSON.stringify(fields)}`) })
  await parts.start('a', 1, () => void said.push('a'))
  await parts.start('b', Promise.resolve(2), () => Promise.reject(new Error('stuck')))
  await parts.start('c', 3, (n) => void said.push(`c${n}`))
  await parts.stop()
  expect(said).toEqual(['c3', 'part-not-stopped {"name":"b","error":"stuck"}', 'a'])
  await parts.stop()
  expect(said).toHaveLength(3)
})

test('a part that does not start leaves those before it to be stopped', async () => {
  const said: string[] = []
  const parts = openParts(quiet)
  await parts.start('a', 1, () => void said.push('a'))
  await expect(parts.start('b', Promise.reject(new Error('no port')))).rejects.toThrow('no port')
  await parts.stop()
  expect(said).toEqual(['a'])
})
