// The sealed process: each way out of a flow, tried from inside a flow.
import vm from 'node:vm'
import { expect, test } from 'vitest'
import type { Principal } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import { testbed } from './testbed.ts'

const dust: Principal = { kind: 'device', id: 'dust', roles: [] }
const SECRET = 'A_SECRET_OF_THE_HUB'

/** Evaluates an expression in a flow and says what came of it. */
const probe = (expression: string, top = '') => `${top}
import { map } from 'rxjs'
import { flow, message } from '#hub'
const attempt = () => { try { return String(${expression}) } catch (error) { return 'refused: ' + (error as Error).message } }
export default flow((from) => from('devices/{device}/telemetry').pipe(
  map(() => message('devices/{device}/event', { device: 'probe' }, { type: 'probe', said: attempt() })),
))
`

const refusedAtLoad: Record<string, string> = {
  'node:fs': "import fs from 'node:fs'",
  fs: "import fs from 'fs'",
  'node:child_process': "import { spawn } from 'node:child_process'",
  'node:worker_threads': "import { Worker } from 'node:worker_threads'",
  'node:net': "import net from 'node:net'",
  'node:process': "import process from 'node:process'",
  'node:module': "import { createRequire } from 'node:module'",
  'node:sqlite': "import { DatabaseSync } from 'node:sqlite'",
  zod: "import { z } from 'zod'",
  mqtt: "import mqtt from 'mqtt'",
  'the hub itself': `import { openBus } from '${new URL('../bus/open.ts', import.meta.url).pathname}'`,
  'an absolute path': `import x from '${new URL('../errors.ts', import.meta.url).href}'`,
  'code in the specifier': "import x from 'data:text/javascript,export default 1'",
  'a way round by a file': "export * from 'node:os'",
}

test('a flow cannot import anything but rxjs, #hub and its own folder', async () => {
  const files = Object.values(refusedAtLoad).map((line, i) => [`f${i}.ts`, `${line}\n${probe('1')}`] as const)
  const bed = await testbed({ ...Object.fromEntries(files), 'good.ts': probe('1') })
  for (const [i, name] of Object.keys(refusedAtLoad).entries()) {
    const { status, error } = bed.flow(`f${i}`)
    expect({ name, status, refused: /may not import/.test(error?.message ?? '') }).toEqual({
      name,
      status: 'failed to load',
      refused: true,
    })
  }
  expect(bed.flow('good').status).toBe('running')
})

const ways: [string, RegExp | string][] = [
  ['typeof process', 'undefined'],
  ['typeof Buffer', 'undefined'],
  ['typeof WebSocket', 'undefined'],
  ['typeof crypto', 'undefined'],
  ['typeof structuredClone', 'undefined'],
  ['typeof WeakRef', 'undefined'],
  ['typeof FinalizationRegistry', 'undefined'],
  ['typeof SharedArrayBuffer', 'undefined'],
  ['typeof WebAssembly', 'undefined'],
  ['typeof Intl', 'undefined'],
  ['typeof require', 'undefined'],
  ['typeof navigator', 'undefined'],
  ['typeof global', 'undefined'],
  ['typeof fetch', 'undefined'],
  ['typeof Worker', 'undefined'],
  ['typeof BroadcastChannel', 'undefined'],
  ['typeof EventSource', 'undefined'],
  ['typeof localStorage', 'undefined'],
  ['(globalThis as { process?: { kill(pid: number): void } }).process!.kill(1)', /^refused/],
  ["(globalThis as { process?: { binding(name: string): object } }).process!.binding('fs')", /^refused/],
  ["(async () => {}).constructor('return 1')()", /^refused/],
  ["(function* () {}).constructor('yield 1')()", /^refused/],

  ["(0, eval)('1')", /^refused/],
  ["new Function('return 1')()", /^refused: Code generation from strings disallowed/],
  ["attempt.constructor('return process')()", /^refused: Code generation from strings disallowed/],
  ['Math.random()', 'refused: Math.random is not for flows'],
  ['queueMicrotask(() => {})', 'refused: queueMicrotask is not for flows'],
  ['Promise.resolve(1).then(() => {})', /^refused: promises/],
  ['Object.keys((globalThis as { process?: { env: object } }).process?.env ?? {}).length', '0'],
  ['new Date().getTimezoneOffset()', '0'],
]

test('a flow finds no process, no network, no chance and no code from strings', async () => {
  const bed = await testbed(Object.fromEntries(ways.map(([expression], i) => [`w${i}.ts`, probe(expression)])))
  bed.bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, {}))
  const said = (i: number) => bed.bus.log.find(({ origin }) => origin === `flow:w${i}`)?.payload.toString()
  await bed.until(() => ways.every((_, i) => said(i) !== undefined || bed.flow(`w${i}`).status !== 'running'))
  for (const [i, [expression, expected]] of ways.entries()) {
    const { said: answer } = JSON.parse(said(i) ?? '{}') as { said?: string }
    if (typeof expected === 'string') expect({ expression, answer }).toEqual({ expression, answer: expected })
    else expect({ expression, answer, closed: expected.test(answer ?? '') }).toMatchObject({ closed: true })
  }
})

/** What Node adds to JavaScript and a flow may have: nothing that reaches out, nothing that is not the same in a replay. */
const HARMLESS = [
  ...['console', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval'],
  ...[
    'clearImmediate',
    'queueMicrotask',
    'URL',
    'URLSearchParams',
    'URLPattern',
    'TextEncoder',
    'TextDecoder',
    'atob',
    'btoa',
  ],
  ...[
    'AbortController',
    'AbortSignal',
    'Event',
    'EventTarget',
    'CustomEvent',
    'CloseEvent',
    'MessageEvent',
    'DOMException',
  ],
  ...['ErrorEvent', 'Blob', 'File', 'QuotaExceededError'],
  // The schemas of topics put their own there.
  ...['__zod_globalConfig', '__zod_globalRegistry'],
]

test('nothing else of Node is within reach of a flow by its name', async () => {
  const bed = await testbed({ 'names.ts': probe("Object.getOwnPropertyNames(globalThis).join(' ')") })
  bed.bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, {}))
  await bed.until(() => bed.bus.said('devices/{device}/event').length === 1)
  const { said } = bed.bus.said('devices/{device}/event')[0]?.payload as unknown as { said: string }
  const language = new Set(vm.runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[])
  const isStream = (name: string) => /Stream|Compression|QueuingStrategy|Storage$|^Performance/.test(name)
  const left = said.split(' ').filter((name) => !language.has(name) && !HARMLESS.includes(name) && !isStream(name))
  expect(left).toEqual([])
})

test('an import() from a flow is refused and does not hurt its neighbours', async () => {
  const bed = await testbed({
    'imports.ts': `import { defer, map, mergeMap } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  mergeMap(() => defer(() => import('node:fs'))),
  map(() => message('devices/{device}/event', { device: 'probe' }, { type: 'probe' })),
))
`,
    'good.ts': probe("'fine'"),
  })
  bed.bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, {}))
  await bed.until(() => bed.bus.said('devices/{device}/event').length === 1)
  await bed.until(() => bed.flow('imports').error !== undefined)
  expect(bed.flow('imports').error?.message).toMatch(/may not import|promises and async functions/)
  expect(bed.runner.process().restarts).toBe(0)
})

test('Date, performance and timers of a flow are logical', async () => {
  const bed = await testbed({
    'time.ts': `import { map, switchMap, timer } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  switchMap(({ at }) => timer(40).pipe(map(() => at))),
  map((at) => message('devices/{device}/event', { device: 'probe' }, {
    type: 'probe', waited: Date.now() - at, made: new Date().getTime() - at, perf: performance.now() - at, iso: new Date(0).toISOString(),
  })),
))
`,
  })
  bed.bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, {}))
  await bed.until(() => bed.bus.said('devices/{device}/event').length === 1)
  expect(bed.bus.said('devices/{device}/event')[0]?.payload).toEqual({
    type: 'probe',
    waited: 40,
    made: 40,
    perf: 40,
    iso: '1970-01-01T00:00:00.000Z',
  })
})

test('the process has nothing of the hub’s environment', async () => {
  process.env[SECRET] = 'x'
  const bed = await testbed({ 'a.ts': probe('1') })
  const { pid } = bed.runner.process()
  const { readFile } = await import('node:fs/promises')
  const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => undefined)
  delete process.env[SECRET]
  if (environ !== undefined) expect(environ.split('\0').filter(Boolean)).toEqual(['TZ=UTC'])
})

test('a flow may use files of its own folder', async () => {
  const bed = await testbed({
    'a.ts': probe('limit', "import { limit } from './parts/limits.ts'"),
    'parts/limits.ts': 'export const limit = 7\n',
  })
  bed.bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, {}))
  await bed.until(() => bed.bus.said('devices/{device}/event').length === 1)
  expect(bed.bus.said('devices/{device}/event')[0]?.payload).toMatchObject({ said: '7' })
})

test('a message that one flow changes is not changed for another', async () => {
  const bed = await testbed({
    'a.ts': `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  map(({ payload }) => { payload.v = 2; return message('devices/{device}/event', { device: 'a' }, { type: 'x' }) }),
))
`,
    'b.ts': `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  map(({ payload }) => message('devices/{device}/event', { device: 'b' }, { type: 'x', v: payload.v })),
))
`,
  })
  bed.bus.publish(dust, message('devices/{device}/telemetry', { device: 'dust' }, { v: 1 }))
  await bed.until(() => bed.bus.said('devices/{device}/event').length === 1 && bed.flow('a').error !== undefined)
  expect(bed.bus.said('devices/{device}/event')[0]?.payload).toEqual({ type: 'x', v: 1 })
  expect(bed.flow('a').error?.message).toContain('read only')
})
