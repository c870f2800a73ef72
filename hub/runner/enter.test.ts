// The process of flows may write the compile cache while it loads the hub's own code, and nothing once flows can come.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CACHE_DIR } from '../compile-cache.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'millrace-enter-'))))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Loads the entry beside a probe that says what the process may write, before it and after it. */
const probe = (): string[] => {
  const main = join(dir, 'probe.mjs')
  writeFileSync(
    main,
    `const may = () => console.log(process.permission.has('fs.write', ${JSON.stringify(join(CACHE_DIR, 'x'))}), process.permission.has('fs.write', ${JSON.stringify(ROOT)}))
may()
await import(${JSON.stringify(new URL('./enter.js', import.meta.url).href)})
may()
process.exit()
`,
  )
  const words = ['--permission', `--allow-fs-read=${join(ROOT, '*')}`, `--allow-fs-read=${join(dir, '*')}`]
  const said = execFileSync(process.execPath, [...words, `--allow-fs-write=${join(CACHE_DIR, '*')}`, main], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    timeout: 20_000,
  })
  return said.trim().split('\n')
}

test('what may be written while its own code loads, may not be written after', () => {
  expect(probe()).toEqual(['true false', 'false false'])
})
