// The entry of every thread: turns the compile cache on, then loads the TypeScript file that the thread is about.
// A thread whose first file is TypeScript would load the type stripper, some 12 MB each.
import { keepCompiled, useCompileCache } from './compile-cache.js'

useCompileCache()
await import(String(process.argv[2]))
keepCompiled()
const { settleLater } = await import('./settle.ts')
settleLater()
