// The entry of the process of flows: turns the compile cache on, loads the process's own code, then gives up the right to write.
import module from 'node:module'
import process from 'node:process'
import { setInterval } from 'node:timers'
import { keepCompiled, useCompileCache } from '../compile-cache.js'

const KEEP_MS = 10_000
const { WebAssembly } = globalThis

/** Node's type stripper needs WebAssembly once, and the seal takes that away: the first flow brings both back for one synchronous moment. */
const stripper = () => {
  const isSealed = !('WebAssembly' in globalThis)
  globalThis.WebAssembly = WebAssembly
  module.stripTypeScriptTypes('')
  if (isSealed) Reflect.deleteProperty(globalThis, 'WebAssembly')
}

useCompileCache()
await import('./child.ts')
keepCompiled()
// Nothing from outside the hub's own code has been loaded yet. The cache was told its folder and needs no right of its own.
process.permission?.drop('fs.write')
let isLoaded = false
module.registerHooks({
  resolve(specifier, context, next) {
    if (!isLoaded && /\.[cm]?ts(\?|$)/.test(specifier)) {
      isLoaded = true
      stripper()
    }
    return next(specifier, context)
  },
})
setInterval(keepCompiled, KEEP_MS).unref()
