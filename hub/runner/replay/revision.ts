// A flow as it was at a revision: its folder, taken from git into a temporary one.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { Fatal, reasonOf } from '../../errors.ts'

const run = promisify(execFile)
const MOST_BYTES = 16 * 2 ** 20
const DEADLINE_MS = 20_000
const MOST_FILES = 1000

export interface Revision {
  /** The flow's file in the temporary folder. */
  file: string
  /** Removes the folder. */
  drop(): Promise<void>
}

/** Takes `file`, and those beside and below it, as they were at `revision`. Throws Fatal with what to do. */
export const atRevision = async (file: string, revision: string): Promise<Revision> => {
  const real = await realpath(file).catch(() => path.resolve(file))
  const folder = path.dirname(real)
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('git', ['-C', folder, ...args], { maxBuffer: MOST_BYTES, timeout: DEADLINE_MS })
    return stdout
  }
  const commit = await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`).catch(
    (error: unknown) => {
      throw new Fatal(
        `--against '${revision}' is neither 'recorded', nor a file, nor a revision that git knows in ${folder} (${reasonOf(error).split('\n')[0] ?? ''}).`,
      )
    },
  )
  const name = commit.trim()
  const listed = await git('ls-tree', '-r', '-z', '--name-only', name, '--', '.')
  const files = listed.split('\0').filter((each) => each.endsWith('.ts') && !each.endsWith('.test.ts'))
  const wanted = path.basename(real)
  if (!files.includes(wanted)) throw new Fatal(`${wanted} is not in revision '${revision}'.`)
  if (files.length > MOST_FILES) throw new Fatal(`More than ${MOST_FILES} files in ${folder} at '${revision}'.`)
  const dir = await realpath(await mkdtemp(path.join(tmpdir(), 'millrace-replay-')))
  const drop = () => rm(dir, { recursive: true, force: true })
  try {
    await writeFile(path.join(dir, 'package.json'), '{"type":"module"}\n', { mode: 0o600 })
    for (const each of files) {
      const to = path.join(dir, each)
      await mkdir(path.dirname(to), { recursive: true, mode: 0o700 })
      await writeFile(to, await git('show', `${name}:./${each}`), { mode: 0o600 })
    }
    return { file: path.join(dir, wanted), drop }
  } catch (error) {
    await drop()
    throw error
  }
}
