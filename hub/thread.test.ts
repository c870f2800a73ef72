// A thread from a TypeScript file: runs it, hands on its data, tells its errors, and lives without a cache.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startThread } from './thread.ts'

let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'millrace-thread-'))))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const file = (text: string): URL => {
  const path = join(dir, `thread-${crypto.randomUUID()}.ts`)
  writeFileSync(path, text)
  return pathToFileURL(path)
}

test('it runs the file with its data, and hears what was said before it was there', async () => {
  const worker = startThread(
    file(
      `import { parentPort, workerData } from 'node:worker_threads'
const factor: number = workerData.factor
parentPort?.on('message', (value: number) => parentPort?.postMessage(value * factor))
`,
    ),
    { name: 'times', workerData: { factor: 3 } },
  )
  worker.postMessage(14)
  expect(await once(worker, 'message')).toEqual([42])
  await worker.terminate()
})

test('a file that throws is an error of the thread', async () => {
  const worker = startThread(file(`throw new Error('not today')\n`), { name: 'broken' })
  const [error] = (await once(worker, 'error')) as [Error]
  expect(error.message).toBe('not today')
})
