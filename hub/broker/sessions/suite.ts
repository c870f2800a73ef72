// Runs the suite inside aedes-persistence against this store: node --test hub/broker/sessions/suite.ts
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openSessionStore } from './open.ts'

type Suite = (options: { test: typeof test; persistence: () => Promise<unknown>; testAsync: boolean }) => void

const suite = createRequire(import.meta.url)('aedes-persistence/abstract.js') as Suite
const dir = mkdtempSync(join(tmpdir(), 'session-suite-'))
let files = 0
const log = { info: () => {}, warn: () => {}, error: () => {} }

after(() => rmSync(dir, { recursive: true, force: true }))
suite({
  test,
  persistence: () => openSessionStore({ file: join(dir, `${files++}.db`), durability: 'process', log }),
  testAsync: true,
})
