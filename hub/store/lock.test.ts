// The lock on the data folder, between processes and after a kill.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import { lockDataDir } from './lock.ts'

let dir = ''
const children: ChildProcess[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

/** Another process that holds the folder until it is killed. */
const holder = async (): Promise<ChildProcess> => {
  const script = `
    const { lockDataDir } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))})
    await lockDataDir(${JSON.stringify(dir)})
    console.log('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  if (child.stdout === null) throw new Error('no pipe')
  const [said] = (await once(child.stdout, 'data', { signal: AbortSignal.timeout(15_000) })) as [Buffer]
  expect(said.toString()).toContain('held')
  return child
}

test('a second hub on the same folder is refused with the process that holds it', async () => {
  const child = await holder()
  const second = lockDataDir(dir)
  await expect(second).rejects.toThrow(Fatal)
  await expect(second).rejects.toThrow(`Another hub (process ${child.pid}) uses the data folder ${dir}. Stop it first`)
})

test('a killed hub leaves no lock behind', async () => {
  const child = await holder()
  child.kill('SIGKILL')
  await once(child, 'exit', { signal: AbortSignal.timeout(5000) })
  expect(existsSync(join(dir, 'hub.pid'))).toBe(true)
  const lock = await lockDataDir(dir)
  await lock.release()
  expect(existsSync(join(dir, 'hub.pid'))).toBe(false)
})

test('the same process cannot take it twice, and can after it was given back', async () => {
  const lock = await lockDataDir(dir)
  await expect(lockDataDir(dir)).rejects.toThrow(`Another hub (process ${process.pid})`)
  await expect(lockDataDir(dir)).rejects.toThrow(`Another hub (process ${process.pid})`)
  await lock.release()
  await lock.release()
  await (await lockDataDir(dir)).release()
})

test('makes the folder and its files for the owner alone', async () => {
  const made = join(dir, 'new', 'data')
  const lock = await lockDataDir(made)
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
  expect([mode(made), mode(join(made, 'hub.lock')), mode(join(made, 'hub.pid'))]).toEqual(['700', '600', '600'])
  await lock.release()
})

test('says so when there is no room', async () => {
  await expect(lockDataDir(dir, { leastFreeMiB: 1e9 })).rejects.toThrow(
    /MiB of free space; the hub needs at least .* DATA_DIR/,
  )
  await (await lockDataDir(dir)).release()
})

test('says so when it cannot be written', async () => {
  writeFileSync(join(dir, 'file'), '')
  await expect(lockDataDir(join(dir, 'file', 'data'))).rejects.toThrow(/cannot be written \(ENOTDIR\).*DATA_DIR/)
  if (process.platform === 'linux') {
    await expect(lockDataDir('/proc/millrace/data')).rejects.toThrow(/cannot be written \(ENOENT\).*DATA_DIR/)
  }
  // The superuser writes everywhere.
  if (process.getuid?.() === 0) return
  const closed = join(dir, 'closed')
  mkdirSync(closed)
  chmodSync(closed, 0o500)
  await expect(lockDataDir(closed)).rejects.toThrow(/cannot be written/)
})
