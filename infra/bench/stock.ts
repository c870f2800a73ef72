// A stock aedes in a folder of its own: our patch is taken out of a copy, and nothing else ever starts one.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { start, type Started } from './processes.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export interface Stock {
  process: Started
  port: number
  remove(): void
}

/** Starts it with `rules` rules in its process, and no store. */
export const startStock = async (rules: number): Promise<Stock> => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-stock-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  try {
    const modules = join(dir, 'node_modules')
    mkdirSync(modules)
    for (const name of readdirSync(join(ROOT, 'node_modules'))) {
      if (name !== 'aedes' && !name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    }
    cpSync(join(ROOT, 'node_modules/aedes'), join(modules, 'aedes'), { recursive: true })
    const patch = readdirSync(join(ROOT, 'patches')).find((name) => name.startsWith('aedes+'))
    if (patch !== undefined) execFileSync('git', ['apply', '-R', join(ROOT, 'patches', patch)], { cwd: dir })
    const stock = start(process.execPath, [
      join(import.meta.dirname, 'peers/stock.ts'),
      join(modules, 'aedes/aedes.js'),
      String(rules),
    ])
    const [port] = await stock.line(/^\d+$/m)
    return { process: stock, port: Number(port), remove }
  } catch (error) {
    remove()
    throw error
  }
}
