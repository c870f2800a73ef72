// The types of compile-cache.js, which must not be TypeScript.
/** Whoever can write here can write the packages themselves. */
export declare const CACHE_DIR: string
/** Turns the cache on for this process or thread. Where the folder cannot be used, everything works as without, only slower. */
export declare const useCompileCache: () => void
/** Writes what was compiled so far: a process that is killed would take it along. */
export declare const keepCompiled: () => void
