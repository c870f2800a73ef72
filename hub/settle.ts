// After the start: keeps what was compiled, and gives back the memory that only the start needed.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { keepCompiled } from './compile-cache.js'

/** By then everything that a start needs has run. */
const SETTLE_MS = 3000

/** One collection of all garbage, 30 MB that V8 would hold until the hub is under load. It takes 0.1 s, in which nothing else runs. */
const collectAll = (): void => {
  setFlagsFromString('--expose-gc')
  // V8's own function: it is there only in a context made under this flag.
  const collect = runInNewContext('gc') as (how: { type: 'major'; flavor: 'last-resort' }) => void
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', flavor: 'last-resort' })
}

/** Settles three seconds from now, once, unless the process ends before. */
export const settleLater = (): void => {
  setTimeout(() => {
    keepCompiled()
    collectAll()
  }, SETTLE_MS).unref()
}
