import { globSync } from 'node:fs'
import { ESLint } from 'eslint'
import { expect, test } from 'vitest'

const eslint = new ESLint()

/** What lint says of a file of that folder if it held this code. */
const says = async (file: string, code: string): Promise<string[]> => {
  const [result] = await eslint.lintText(code, { filePath: file })
  return (result?.messages ?? []).filter((m) => m.ruleId?.includes('restricted')).map((m) => m.message)
}
const anyOf = (pattern: string): string => {
  const files = globSync(pattern).filter((name) => !/\.(test|bench)\./.test(name))
  expect(files.length, `${pattern} matches no file`).toBeGreaterThan(0)
  return files[0] ?? ''
}

test.each([
  [
    'flows/*.ts',
    [
      "import 'node:fs'",
      "import '#hub/plugin'",
      "import '../hub/errors.ts'",
      'export const x = Math.random()',
      'export const x = new Date()',
      'export const x = async () => 1',
    ],
  ],
  ['plugins/*/plugin.ts', ["import '../other/plugin.ts'", "import '../../hub/errors.ts'", "import '#hub'"]],
  [
    'hub/bus/*.ts',
    [
      "import '../../plugins/workshop-sim/plugin.ts'",
      "import '../../flows/door-open-too-long.ts'",
      "import '../../ui/main.tsx'",
      'export const x = process.env',
    ],
  ],
  ['hub/streams/*.ts', ["import 'node:fs'", "import 'fastify'", "import '../errors.ts'"]],
  ['hub/topics/*.ts', ["import 'node:fs'", "import '../bus/bus.ts'"]],
  ['ui/main.tsx', ["import '../hub/errors.ts'", "import 'node:fs'", "import '#hub'"]],
])('%s: what the law forbids is an error', async (folder, codes) => {
  const file = anyOf(folder)
  for (const code of codes) expect(await says(file, code), `${file}: ${code}`).not.toEqual([])
})

test.each([
  ['flows/*.ts', "import { map } from 'rxjs'\nimport { flow } from '#hub'\nexport default [map, flow]"],
  [
    'plugins/*/plugin.ts',
    "import { definePlugin } from '#hub/plugin'\nimport net from 'node:net'\nimport './room.ts'\nexport default [definePlugin, net]",
  ],
  ['hub/bus/*.ts', "import { Fatal } from '../errors.ts'\nexport default Fatal"],
  ['hub/http/*.ts', "import type { Plugin } from '../plugins/plugin.ts'\nexport type X = Plugin"],
])('%s: what it allows is none', async (folder, code) => {
  expect(await says(anyOf(folder), code)).toEqual([])
})
