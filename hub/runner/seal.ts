// The seal says what a flow may reach: RxJS, '#hub' and files of its own folder. A guard against mistakes and convenience, not against an attacker.
import { registerHooks } from 'node:module'

/** Ways out of a flow, and sources of what is not in the journal: chance, real time, the machine's locale, the collector. */
const GONE = [
  'process',
  'Buffer',
  'global',
  'require',
  'fetch',
  'Request',
  'Response',
  'Headers',
  'FormData',
  'WebSocket',
  'EventSource',
  'XMLHttpRequest',
  'BroadcastChannel',
  'MessageChannel',
  'MessagePort',
  'Worker',
  'navigator',
  'Navigator',
  'localStorage',
  'sessionStorage',
  'crypto',
  'Crypto',
  'CryptoKey',
  'SubtleCrypto',
  'WebAssembly',
  'Atomics',
  'SharedArrayBuffer',
  'structuredClone',
  'WeakRef',
  'FinalizationRegistry',
  'PerformanceObserver',
  'Intl',
  'Temporal',
  'eval',
]

const isAllowed = (specifier: string): boolean =>
  specifier === 'rxjs' || specifier.startsWith('rxjs/') || specifier === '#hub'

/** From now on files below the URL `flows` may import only what is allowed, and each other; '#hub' is `hub`, and rxjs is the one that the file `hub` finds. `sources`: texts to be taken instead of the files at their URLs. */
export const seal = (flows: string, hub: string, sources: ReadonlyMap<string, string>): void => {
  registerHooks({
    resolve(specifier, context, next) {
      // Without a parent: an import() from code made of a string.
      const isFlow = context.parentURL === undefined || context.parentURL.startsWith(flows)
      if (!isFlow) return next(specifier, context)
      if (specifier === '#hub') return { url: hub, shortCircuit: true }
      if (isAllowed(specifier)) return next(specifier, { ...context, parentURL: hub })
      const refused = new Error(`a flow may not import '${specifier}': only 'rxjs', '#hub' and files of its own folder`)
      if (!/^(\.{1,2}\/|file:)/.test(specifier)) throw refused
      const found = next(specifier, context)
      if (found.url.startsWith(flows)) return found
      throw refused
    },
    load(url, context, next) {
      const source = sources.get(url)
      return source === undefined ? next(url, context) : { format: 'module-typescript', source, shortCircuit: true }
    },
  })
  for (const name of GONE) Reflect.deleteProperty(globalThis, name)
}
