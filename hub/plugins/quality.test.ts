// Over the tree: every plugin has its files, keeps the sixteen rules or says why not, and describes its settings.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { discoverPlugins, type Found } from './discover.ts'
import { readQuality, RULES } from './quality.ts'

const DIR = join(import.meta.dirname, '../../plugins')
const folders = (await readdir(DIR, { withFileTypes: true })).filter((f) => f.isDirectory()).map(({ name }) => name)

const complete = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, 'done']))

test('there are sixteen rules and at least one plugin to measure', () => {
  expect(Object.keys(RULES)).toHaveLength(16)
  expect(folders.length).toBeGreaterThan(0)
})

test('a missing rule, an unknown rule and an exemption without a reason are refused', () => {
  const { documented: _, ...less } = complete
  expect(readQuality(JSON.stringify({ rules: complete })).rules.documented).toBe('done')
  expect(() => readQuality(JSON.stringify({ rules: less }))).toThrow('documented')
  expect(() => readQuality(JSON.stringify({ rules: { ...complete, shiny: 'done' } }))).toThrow('shiny')
  expect(() => readQuality(JSON.stringify({ rules: { ...complete, bounded: { exempt: 'no' } } }))).toThrow(
    'in a sentence',
  )
  expect(() => readQuality('')).toThrow()
})

describe.each(folders)('plugins/%s', (id) => {
  let found: Found
  beforeAll(async () => {
    found = await discoverPlugins(DIR)
  })

  test('loads', () => {
    expect(found.bad.filter((bad) => bad.id === id)).toEqual([])
    expect(found.plugins.map((plugin) => plugin.id)).toContain(id)
  })

  test('has its files and a test of its front door', async () => {
    expect(await readdir(join(DIR, id))).toEqual(
      expect.arrayContaining(['plugin.ts', 'README.md', 'quality.yaml', 'plugin.test.ts']),
    )
  })

  test('keeps each of the rules, or says why not', async () => {
    const { rules } = readQuality(await readFile(join(DIR, id, 'quality.yaml'), 'utf8'))
    expect(Object.keys(rules).sort()).toEqual(Object.keys(RULES).sort())
  })

  test('each setting is described and has a default; unknown settings are refused', () => {
    const config = found.plugins.find((plugin) => plugin.id === id)?.config
    if (!(config instanceof z.ZodObject)) throw new Error('config must be a z.strictObject')
    for (const [name, field] of Object.entries(config.shape)) {
      const schema = z.custom<z.ZodType>((value) => value instanceof z.ZodType).parse(field)
      expect(schema.description, `${name} has a description`).toEqual(expect.any(String))
      expect(schema.safeParse(undefined).success, `${name} has a default`).toBe(true)
    }
    expect(config.safeParse({ 'no such setting': 1 }).success).toBe(false)
  })

  test('README says more than its title', async () => {
    const text = await readFile(join(DIR, id, 'README.md'), 'utf8')
    expect(text.startsWith('# ')).toBe(true)
    expect(text.split('\n').filter((line) => line.trim() !== '').length).toBeGreaterThan(5)
  })
})
