// One gate: nobody else publishes commands or results, in the sources as in the rights.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { writableTopics, deviceTopics } from '../access/policy.ts'
import { core } from '../topics/core.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const PUBLISHES =
  /\bmessage\(\s*['"`]devices\/\{device\}\/(cmd|result)['"`]|\bpublish(Bytes)?\([^)]*\/(cmd|result)['"`]/

const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.(test|bench)\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes(`${sep}node_modules${sep}`) && !path.includes(`${sep}dist${sep}`))

test('only the gate publishes cmd and result', () => {
  const files = ['hub', 'plugins', 'flows'].flatMap(sources)
  expect(files.length).toBeGreaterThan(60)
  const found = files.filter((path) => PUBLISHES.test(readFileSync(path, 'utf8'))).map((path) => relative(root, path))
  expect(found).toEqual([join('hub', 'gate', 'desk.ts')])
})

test('no plugin declares that it publishes them', () => {
  const declared = sources('plugins').filter((path) =>
    /publishes:\s*\[[^\]]*devices\/\{device\}\/(cmd|result)/.test(readFileSync(path, 'utf8')),
  )
  expect(declared).toEqual([])
})

test('the topic table and the policy give them to the gate alone', () => {
  expect([
    core['devices/{device}/cmd'].by,
    core['devices/{device}/result'].by,
    core['safety/events/{event}'].by,
  ]).toEqual(['gate', 'gate', 'gate'])
  expect(core['devices/{device}/cmd'].retain).toBe(false)
  expect(writableTopics.map(({ filter }) => filter)).toEqual(['devices/+/request', 'safety/stop'])
  expect(deviceTopics.publish).not.toContain('cmd')
  expect(deviceTopics.publish).not.toContain('result')
})

test('the scan sees a publisher when there is one', () => {
  expect(PUBLISHES.test("bus.publish(HUB, message('devices/{device}/cmd', { device }, {}))")).toBe(true)
  expect(PUBLISHES.test('client.publish(`jarvis/devices/${id}/cmd`)')).toBe(true)
  expect(PUBLISHES.test("bus.from('devices/{device}/cmd')")).toBe(false)
})
