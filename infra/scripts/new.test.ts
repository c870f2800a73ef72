// `npm run new`: what it makes type-checks and passes its own tests; what it refuses leaves nothing behind.
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeNew } from './new.ts'

const REPO = path.join(import.meta.dirname, '../..')
const TEMPLATES = path.join(REPO, 'infra/templates')
let root = ''

/** The exit code and what was said, within 60 s. */
const run = async (command: string, args: string[], cwd: string): Promise<{ code: number | null; said: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      timeout: 60_000,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
    })
    let said = ''
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, said }))
  })
const bin = (name: string): string => path.join(REPO, 'node_modules/.bin', name)

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'new-'))
  for (const shared of ['hub', 'node_modules']) await symlink(path.join(REPO, shared), path.join(root, shared))
  for (const file of ['package.json', 'tsconfig.json', '.prettierrc.json'])
    await cp(path.join(REPO, file), path.join(root, file))
  await mkdir(path.join(root, 'flows'))
  await cp(path.join(REPO, 'flows/tsconfig.json'), path.join(root, 'flows/tsconfig.json'))
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

test('a new flow and a new plugin type-check, are formatted, and pass their own tests', async () => {
  const flow = await makeNew(['flow', 'night-light'], root, TEMPLATES)
  const plugin = await makeNew(['plugin', 'weather-station'], root, TEMPLATES)
  expect(flow.files.sort()).toEqual(['flows/night-light.test.ts', 'flows/night-light.ts'])
  expect(plugin.files).toEqual(
    expect.arrayContaining(
      ['plugin.ts', 'plugin.test.ts', 'README.md', 'quality.yaml'].map((f) => `plugins/weather-station/${f}`),
    ),
  )
  for (const file of [...flow.files, ...plugin.files])
    expect(await readFile(path.join(root, file), 'utf8'), file).not.toMatch(/my[-_ ]?(flow|plugin)/i)
  const config = { extends: './tsconfig.json', compilerOptions: { incremental: false }, include: ['flows', 'plugins'] }
  await writeFile(path.join(root, 'tsconfig.new.json'), JSON.stringify(config))
  await writeFile(
    path.join(root, 'vitest.config.ts'),
    "export default { test: { include: ['{flows,plugins}/**/*.test.ts'] } }\n",
  )
  expect(await run(bin('tsc'), ['-p', 'tsconfig.new.json', '--noEmit'], root)).toEqual({ code: 0, said: '' })
  expect(await run(bin('prettier'), ['--check', '--log-level', 'warn', 'flows', 'plugins'], root)).toEqual({
    code: 0,
    said: '',
  })
  const tested = await run(bin('vitest'), ['run', '--root', root], root)
  expect(tested.said).toMatch(/Test Files\D+3 passed/)
  expect(tested.code).toBe(0)
}, 120_000)

test.each([
  [[], 'Say what to make: a flow or a plugin.'],
  [['robot', 'x'], "There is no 'robot' to make"],
  [['flow'], 'It needs a name.'],
  [['flow', 'Night'], "'Night' is no name"],
  [['flow', '../x'], "'../x' is no name"],
  [['plugin', 'a--b'], "'a--b' is no name"],
  [['flow', 'x'.repeat(41)], 'is too long'],
  [['flow', 'two', 'names'], 'One name at a time'],
])('%j is refused with a sentence', async (args, says) => {
  const before = await readdir(root, { recursive: false })
  await expect(makeNew(args, root, TEMPLATES)).rejects.toThrow(says)
  expect(await readdir(root)).toEqual(before)
})

test('a taken name is refused and what is there stays as it is', async () => {
  await writeFile(path.join(root, 'flows/mine.ts'), '// mine\n')
  await mkdir(path.join(root, 'plugins/ours'), { recursive: true })
  await expect(makeNew(['flow', 'mine'], root, TEMPLATES)).rejects.toThrow('flows/mine.ts is already there')
  await expect(makeNew(['plugin', 'ours'], root, TEMPLATES)).rejects.toThrow('plugins/ours is already there')
  expect(await readFile(path.join(root, 'flows/mine.ts'), 'utf8')).toBe('// mine\n')
  expect(await readdir(path.join(root, 'plugins/ours'))).toEqual([])
  await rm(path.join(root, 'flows/mine.ts'))
  await rm(path.join(root, 'plugins/ours'), { recursive: true })
})

test('from the command line a refusal is one sentence and exit code 1', async () => {
  const { code, said } = await run(
    process.execPath,
    [path.join(REPO, 'infra/scripts/new.ts'), 'flow', 'dust-starts-extractor'],
    REPO,
  )
  expect(code).toBe(1)
  expect(said).toBe('flows/dust-starts-extractor.ts is already there: choose another name, or change that one.\n')
})
