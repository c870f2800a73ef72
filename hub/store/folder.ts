// Makes folders for the hub alone.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it, with mode 0700; one that is there already stays as it is. Throws the system's error.
 * Not mkdir's own `recursive`: where the system says ENOENT although the folder above exists (/proc, some network
 * file systems) Node 24 tries again for ever.
 */
export const makeFolder = (path: string): void => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (existsSync(path) && statSync(path).isDirectory()) return
    const above = dirname(path)
    if (above === path || existsSync(above)) throw error
    makeFolder(above)
    mkdirSync(path, { mode: 0o700 })
  }
}
