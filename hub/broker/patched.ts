// The broker library runs only with our patch: plain aedes 2.0.0-beta.1 loses acknowledged messages and can be ended by one packet.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fatal, reasonOf } from '../errors.ts'

/** The one version the patch is written and tested for. A newer one needs its advisories replayed on this line first. */
export const AEDES_VERSION = '2.0.0-beta.1'

/** What `fingerprint` gives for that version with `patches/aedes+2.0.0-beta.1.patch` applied. */
export const AEDES_PATCHED = '65961899f8fb773ae3152c9b0311e25dbf145e41ce78e7f395b47a1582f1e00a'

/** Where npm put aedes. */
export const installedAedes = (): string => dirname(fileURLToPath(import.meta.resolve('aedes')))

/** SHA-256 over the names and contents of aedes' own code, line endings aside. */
export const fingerprint = (folder: string): string => {
  const files = readdirSync(join(folder, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join('lib', name))
  const hash = createHash('sha256')
  for (const name of ['aedes.js', ...files].sort()) {
    const text = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n')
    hash.update(`${name.replaceAll('\\', '/')}\0${text}\0`)
  }
  return hash.digest('hex')
}

/**
 * Throws Fatal when the installed aedes is another version or not patched, for example after `npm ci --ignore-scripts`.
 * Call it before anything else of the broker.
 */
export const requirePatchedAedes = (folder: string = installedAedes()): void => {
  const cure = 'Run: npx patch-package'
  let version: unknown
  let found: string
  try {
    const about: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    version = typeof about === 'object' && about !== null && 'version' in about ? about.version : undefined
    found = fingerprint(folder)
  } catch (error) {
    throw new Fatal(`The MQTT broker library cannot be read: ${reasonOf(error)}. Run: npm ci`, error)
  }
  if (version !== AEDES_VERSION) {
    throw new Fatal(
      `aedes ${String(version)} is installed, the hub runs with ${AEDES_VERSION} and its patch only. Run: npm ci`,
    )
  }
  if (found !== AEDES_PATCHED) {
    throw new Fatal(`aedes ${AEDES_VERSION} is installed without the hub's patch, so it is not started. ${cure}`)
  }
}
