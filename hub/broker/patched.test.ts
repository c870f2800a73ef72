// The patch is there, it applies to what npm installs, and without it nothing starts.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import { AEDES_PATCHED, AEDES_VERSION, fingerprint, installedAedes, requirePatchedAedes } from './patched.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const patchFile = `aedes+${AEDES_VERSION}.patch`

test('the installed aedes is the patched one', () => {
  expect(() => requirePatchedAedes()).not.toThrow()
  // After a change of the patch this is the new value for patched.ts.
  expect(fingerprint(installedAedes())).toBe(AEDES_PATCHED)
})

test('package.json asks for exactly the version the patch is made for', async () => {
  const about = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>
  expect(
    about['dependencies']?.['aedes'],
    'A newer aedes: replay its advisories and the patch on it first, then change hub/broker/patched.ts.',
  ).toBe(AEDES_VERSION)
  expect(about['scripts']?.['postinstall']).toContain('patch-package')
})

test('a plain aedes, and another version, are refused with the command that helps', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aedes-'))
  const copy = join(folder, 'node_modules/aedes')
  const patchPackage = async (...options: string[]) =>
    promisify(execFile)(process.execPath, [join(root, 'node_modules/patch-package/index.js'), ...options], {
      cwd: folder,
    })
  try {
    await cp(installedAedes(), copy, { recursive: true })
    await mkdir(join(folder, 'patches'))
    await cp(join(root, 'patches', patchFile), join(folder, 'patches', patchFile))
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'copy', dependencies: { aedes: AEDES_VERSION } }),
    )
    expect(() => requirePatchedAedes(copy)).not.toThrow()

    await patchPackage('--reverse')
    expect(() => requirePatchedAedes(copy)).toThrow(Fatal)
    expect(() => requirePatchedAedes(copy)).toThrow('Run: npx patch-package')

    await patchPackage('--error-on-fail')
    expect(() => requirePatchedAedes(copy)).not.toThrow()

    const about = join(copy, 'package.json')
    await writeFile(about, (await readFile(about, 'utf8')).replace(AEDES_VERSION, '2.0.0'))
    expect(() => requirePatchedAedes(copy)).toThrow(`aedes 2.0.0 is installed`)

    await rm(copy, { recursive: true })
    expect(() => requirePatchedAedes(copy)).toThrow('Run: npm ci')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
