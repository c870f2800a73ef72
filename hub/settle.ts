// After the start: keeps what was compiled, and gives back the memory that only the start needed.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { keepCompiled } from './compile-cache.js'

/** By then everything that a start needs has run. */
const SETTLE_MS = 3000

type Collect = (how: { type: 'major'; flavor: 'last-resort' }) => void

/** One collection of all garbage, which V8 would hold until the hub is under load: 30 MB, and 4 MB in each thread. It takes 0.1 s, in which nothing else of this thread runs. */
const collectAll = (): void => {
  setFlagsFromString('--expose-gc')
  // V8's own function: it is there only in a context made under this flag, which another thread may just be taking back.
  const collect = runInNewContext('globalThis.gc') as Collect | undefined
  setFlagsFromString('--no-expose-gc')
  collect?.({ type: 'major', flavor: 'last-resort' })
}

/** Settles this process or thread three seconds from now, once, unless it ends before. */
export const settleLater = (): void => {
  setTimeout(() => {
    keepCompiled()
    collectAll()
  }, SETTLE_MS).unref()
}
