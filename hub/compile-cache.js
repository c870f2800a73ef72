// What Node made of the sources (types stripped, code compiled) is kept beside the packages: a start needs half the CPU, and no process or thread loads the type stripper.
// Plain JavaScript, because it runs before the first TypeScript file is read.
import { mkdirSync, statSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath, URL } from 'node:url'

/** Whoever can write here can write the packages themselves. */
export const CACHE_DIR = fileURLToPath(new URL('../node_modules/.cache/millrace', import.meta.url))

/** Only this user may write it: compiled code is run as it is found. */
const isOurs = () => {
  const { uid, mode } = statSync(CACHE_DIR)
  return process.platform === 'win32' || (uid === process.getuid?.() && (mode & 0o022) === 0)
}

/** Turns the cache on for this process or thread. Where the folder cannot be used, everything works as without, only slower. */
export const useCompileCache = () => {
  try {
    mkdirSync(CACHE_DIR, { recursive: true, mode: 0o700 })
    if (isOurs()) module.enableCompileCache(CACHE_DIR)
  } catch {
    // A read-only installation, or one that belongs to somebody else.
  }
}

/** Writes what was compiled so far: a process that is killed would take it along. */
export const keepCompiled = () => module.flushCompileCache()
