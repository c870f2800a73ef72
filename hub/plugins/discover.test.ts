// Discovery over folders written for the test: what is found, and what is said of each broken one.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { discoverPlugins } from './discover.ts'

const ZOD = import.meta.resolve('zod')
const RXJS = import.meta.resolve('rxjs')

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plugins-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

const write = async (folder: string, body: string, file = 'plugin.ts'): Promise<void> => {
  await mkdir(join(dir, folder), { recursive: true })
  await writeFile(join(dir, folder, file), `import { z } from '${ZOD}'\nimport { NEVER } from '${RXJS}'\n${body}\n`)
}
const plugin = (id: string, more = ''): string =>
  `export default { id: '${id}', title: '${id}', config: z.strictObject({}), handles: [], publishes: [], start: () => NEVER, ${more} }`
const row = (by = 'plugin'): string =>
  `{ payload: z.looseObject({}), qos: 1, retain: false, by: '${by}', about: 'A row.' }`

test('a folder that is not there means no plugins', async () => {
  expect(await discoverPlugins(join(dir, 'none'))).toEqual({ plugins: [], bad: [], topicTables: [] })
})

test('good plugins are found by name, with the topics they bring', async () => {
  await write('beta', plugin('beta'))
  await write('alpha', plugin('alpha', `topics: { 'alpha/{x}': ${row()} }, publishes: ['alpha/{x}'],`))
  const found = await discoverPlugins(dir)
  expect(found.bad).toEqual([])
  expect(found.plugins.map(({ id }) => id)).toEqual(['alpha', 'beta'])
  expect(found.topicTables.map((table) => [table.plugin, Object.keys(table.rows)])).toEqual([['alpha', ['alpha/{x}']]])
})

test('a plugin may read what another brings, but not write it', async () => {
  await write('alpha', plugin('alpha', `topics: { 'alpha/x': ${row()} },`))
  await write('reader', plugin('reader', `handles: ['alpha/x'],`))
  await write('writer', plugin('writer', `publishes: ['alpha/x'],`))
  const found = await discoverPlugins(dir)
  expect(found.plugins.map(({ id }) => id)).toEqual(['alpha', 'reader'])
  expect(found.bad).toEqual([{ id: 'writer', error: "publishes: 'alpha/x' belongs to alpha" }])
})

test.each([
  ['no-file', 'export const x = 1', 'other.ts', 'has no plugin.ts'],
  ['no-default', 'export const x = 1', 'plugin.ts', 'has no default export'],
  ['throws', "throw new Error('boom')", 'plugin.ts', 'boom'],
  ['other-id', plugin('name'), 'plugin.ts', "id is 'name', but the folder is 'other-id'"],
  ['no-start', plugin('no-start', 'start: 1,'), 'plugin.ts', 'start: must be a function'],
  ['typo', plugin('typo', 'publish: [],'), 'plugin.ts', 'Unrecognized key: "publish"'],
  ['bad-config', plugin('bad-config', 'config: {},'), 'plugin.ts', 'config: must be a zod schema'],
  [
    'unknown-topic',
    plugin('unknown-topic', `handles: ['nobody/knows'],`),
    'plugin.ts',
    "'nobody/knows' is in no topic table",
  ],
  ['gates', plugin('gates', `publishes: ['devices/{device}/cmd'],`), 'plugin.ts', 'written only by the gate'],
  [
    'core-topic',
    plugin('core-topic', `topics: { 'devices/{device}/state': ${row()} },`),
    'plugin.ts',
    'already a topic of the hub',
  ],
  ['gate-row', plugin('gate-row', `topics: { 'x/y': ${row('gate')} },`), 'plugin.ts', 'topics.x/y.by'],
])('%s is named with what to mend, and the others go on', async (folder, body, file, says) => {
  await write('good', plugin('good'))
  await write(folder, body, file)
  const found = await discoverPlugins(dir)
  expect(found.plugins.map(({ id }) => id)).toEqual(['good'])
  expect(found.bad).toEqual([{ id: folder, error: expect.stringContaining(says) }])
})

test('a topics.ts that plugin.ts does not use is named', async () => {
  await write('forgot', plugin('forgot'))
  await write('forgot', 'export {}', 'topics.ts')
  expect((await discoverPlugins(dir)).bad).toEqual([{ id: 'forgot', error: expect.stringContaining('set topics') }])
})

test('of two plugins that bring the same topic the later is refused', async () => {
  await write('a', plugin('a', `topics: { 'x/y': ${row()} },`))
  await write('b', plugin('b', `topics: { 'x/y': ${row()} },`))
  const found = await discoverPlugins(dir)
  expect(found.plugins.map(({ id }) => id)).toEqual(['a'])
  expect(found.bad).toEqual([{ id: 'b', error: "topics: 'x/y' is already a topic of a" }])
})
