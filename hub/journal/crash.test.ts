import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { crashEntry } from './crash-entry.ts'
import { openJournal } from './journal.ts'
import type { Entry, Journal } from './entry.ts'

const ROUNDS = 5
const ACKNOWLEDGED = 1500

/** Lets a child write until it has acknowledged enough, then kills it; returns what it acknowledged. */
const killed = async (dir: string, durability: string): Promise<number[]> => {
  const script = fileURLToPath(new URL('./crash-writer.ts', import.meta.url))
  const told = join(dir, 'told')
  writeFileSync(told, '')
  const child = spawn(process.execPath, [script, dir, durability, told], { stdio: 'inherit' })
  for (const end = performance.now() + 20_000; statSync(told).size < ACKNOWLEDGED * 8;) {
    if (performance.now() > end) throw new Error('the writer acknowledges too little')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  child.kill('SIGKILL')
  const [, signal] = (await once(child, 'close')) as [unknown, unknown]
  expect(signal).toBe('SIGKILL')
  const all = readFileSync(told)
  return Array.from({ length: Math.floor(all.length / 8) }, (_, i) => all.readDoubleLE(i * 8))
}

const readAll = async (journal: Journal): Promise<Entry[]> => {
  const all: Entry[] = []
  for (;;) {
    const page = await journal.read({ fromSeq: (all.at(-1)?.seq ?? 0) + 1 })
    if (page.length === 0) return all
    all.push(...page)
  }
}

test(
  'kill -9 loses nothing acknowledged, tears nothing, keeps the order and reuses no number',
  { timeout: 60_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'journal-crash-'))
    try {
      const acknowledged = new Set<number>()
      let [missing, torn, disorder, reused] = [0, 0, 0, 0]
      for (let round = 0; round < ROUNDS; round++) {
        for (const seq of await killed(dir, round % 4 === 3 ? 'power' : 'process')) {
          if (acknowledged.has(seq)) reused++
          acknowledged.add(seq)
        }
        const journal = await openJournal(dir, { durability: 'process', clock: { stamp: () => 0 } })
        const found = await readAll(journal)
        found.forEach((entry, i) => {
          if (entry.seq <= (found[i - 1]?.seq ?? 0)) disorder++
          if (!entry.payload.equals(crashEntry(entry.seq).payload)) torn++
        })
        const have = new Set(found.map(({ seq }) => seq))
        missing += [...acknowledged].filter((seq) => !have.has(seq)).length
        if (journal.reserve() <= (found.at(-1)?.seq ?? 0)) reused++
        expect(journal.stats().segments).toBeGreaterThan(3)
        await journal.close()
      }
      expect(acknowledged.size).toBeGreaterThanOrEqual(ROUNDS * ACKNOWLEDGED)
      expect({ missing, torn, disorder, reused }).toEqual({ missing: 0, torn: 0, disorder: 0, reused: 0 })
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
