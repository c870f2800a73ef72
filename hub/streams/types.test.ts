// What the types promise. Each `@ts-expect-error` is a promise: the type check fails where the line below it compiles.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { filter, map, NEVER, type Observable, of } from 'rxjs'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { definePlugin } from '../plugins/plugin.ts'
import { type Answer, ask } from './ask.ts'
import { flow, type From } from './flow.ts'
import { joinWithin } from './join.ts'
import { keep } from './keep.ts'
import { type Heard, message, type Message } from './message.ts'
import { per } from './per.ts'
import { schedule } from './schedule.ts'

/** Never called: only its types count. */
const never = (_: () => unknown): void => {}
declare const from: From
declare const events: Observable<Heard<'devices/{device}/event'>>
declare const online: Observable<Heard<'devices/{device}/online'>>

test('a message has a known topic, exactly its parameters and its payload', () => {
  never(() => message('devices/{device}/event', { device: 'dust' }, { type: 'seen' }))
  never(() => message('safety/stop', {}, {}))
  // @ts-expect-error: no such topic
  never(() => message('devices/{device}/events', { device: 'dust' }, { type: 'seen' }))
  // @ts-expect-error: a parameter is missing
  never(() => message('devices/{device}/event', {}, { type: 'seen' }))
  // @ts-expect-error: a parameter too many
  never(() => message('devices/{device}/event', { device: 'dust', room: 'a' }, { type: 'seen' }))
  // @ts-expect-error: a parameter is text
  never(() => message('devices/{device}/event', { device: 5 }, { type: 'seen' }))
  // @ts-expect-error: the payload lacks its type
  never(() => message('devices/{device}/event', { device: 'dust' }, { kind: 'seen' }))
  // @ts-expect-error: a field of another type
  never(() => message('devices/{device}/ack', { device: 'dust' }, { id: '1', status: 'perhaps' }))
  // @ts-expect-error: a field that the schema does not know
  never(() => message('devices/{device}/request', { device: 'dust' }, { intent: 'fan.turn_on', colour: 'red' }))
  expect(message('safety/stop', {}, {})).toEqual({ topic: 'safety/stop', params: {}, payload: {} })
})

test('what is heard is typed by its topic', () => {
  never(() =>
    from('devices/{device}/online').pipe(map(({ params, payload, seq }) => [params.device.length, !payload, seq + 1])),
  )
  never(() => from.latest('devices/{device}/about').pipe(map(({ payload }) => payload.area?.length)))
  // @ts-expect-error: no such topic
  never(() => from('devices/{device}/onlin'))
  // @ts-expect-error: nor for latest
  never(() => from.latest('device/{device}/state'))
  // @ts-expect-error: true or false has no length
  never(() => from('devices/{device}/online').pipe(map(({ payload }) => payload.length)))
  // @ts-expect-error: no such field
  never(() => from('devices/{device}/request').pipe(map(({ payload }) => payload.wish)))
  // @ts-expect-error: no such parameter
  never(() => from('devices/{device}/state').pipe(map(({ params }) => params.room)))
  // @ts-expect-error: a field that may be missing
  never(() => from('devices/{device}/request').pipe(map(({ payload }) => payload.reason.length)))
  const heard = (one: Heard): string => (one.topic === 'devices/{device}/online' ? String(!one.payload) : one.origin)
  expect(typeof heard).toBe('function')
})

test('where and overload are typed', () => {
  never(() => from('devices/{device}/state', { where: { device: 'dust' }, overload: 'latest' }))
  never(() => from.latest('devices/{device}/state', { where: {}, overload: { dropOldest: 5 } }))
  // @ts-expect-error: the topic has no such parameter
  never(() => from('devices/{device}/state', { where: { camera: 'a' } }))
  // @ts-expect-error: parameters are text
  never(() => from('devices/{device}/state', { where: { device: 5 } }))
  // @ts-expect-error: not a policy
  never(() => from('devices/{device}/state', { overload: 'block' }))
  expect(true).toBe(true)
})

test('a flow returns messages of known topics and nothing else', () => {
  never(() =>
    flow((hear) =>
      hear('devices/{device}/event').pipe(
        map(({ params }) => message('devices/{device}/request', params, { intent: 'a.b' })),
      ),
    ),
  )
  // @ts-expect-error: what it heard is no output of its own making: a number
  never(() => flow((hear) => hear('devices/{device}/event').pipe(map(({ seq }) => seq))))
  // @ts-expect-error: an unknown topic
  never(() => flow(() => of({ topic: 'x/y', params: {}, payload: {} })))
  // @ts-expect-error: the payload of another topic
  never(() => flow(() => of({ topic: 'devices/{device}/online', params: { device: 'a' }, payload: 'yes' })))
  // @ts-expect-error: nothing at all
  never(() => flow(() => {}))
  // @ts-expect-error: a promise
  never(() => flow(async (hear) => hear('devices/{device}/event').pipe(filter(() => true))))
  const out: Message = message('safety/stop', {}, {})
  expect(out.topic).toBe('safety/stop')
})

test('per takes a parameter that the topic has', () => {
  never(() => from('devices/{device}/event').pipe(per('device', (one) => one)))
  // @ts-expect-error: it has no camera
  never(() => from('devices/{device}/event').pipe(per('camera', (one) => one)))
  expect(true).toBe(true)
})

test('params are what their schemas say', () => {
  const params = { above: z.number().default(80), who: z.enum(['ada', 'bob']).default('ada') }
  const nothing = () => NEVER
  never(() => flow({ params }, (hear, { above, who }) => (above.toFixed(), who === 'bob', nothing())))
  // @ts-expect-error: it has no such param
  never(() => flow({ params }, (hear, { below }) => (below, nothing())))
  // @ts-expect-error: a number has no length
  never(() => flow({ params }, (hear, { above }) => (above.length, nothing())))
  // @ts-expect-error: nobody of that name
  never(() => flow({ params }, (hear, { who }) => (who === 'eve', nothing())))
  // @ts-expect-error: a param is a schema, not a value
  never(() => flow({ params: { above: 80 } }, nothing))
  // @ts-expect-error: values cannot be changed
  never(() => flow({ params }, (hear, values) => ((values.above = 1), nothing())))
  // @ts-expect-error: a flow with params returns messages, too
  never(() => flow({ params }, (hear, { above }) => of(above)))
  expect(flow({ params }, nothing).params?.parse({})).toEqual({ above: 80, who: 'ada' })
})

test('keep, schedule, joinWithin and ask are typed', () => {
  never(() => events.pipe(keep('total', z.number(), 0, (total, { payload }) => total + payload.type.length)))
  // @ts-expect-error: text is no number
  never(() => events.pipe(keep('total', z.number(), 'none', (total) => total)))
  // @ts-expect-error: a step gives what is kept
  never(() => events.pipe(keep('total', z.number(), 0, (total) => `${total}`)))
  never(() => schedule({ sunset: -60_000 }).pipe(map((at) => at.toFixed())))
  // @ts-expect-error: there is no such time of the day
  never(() => schedule({ noon: 0 }))
  never(() => events.pipe(joinWithin(online, 5, (a, b) => a.params.device === b.params.device)))
  // @ts-expect-error: what is on or off has no type
  never(() => events.pipe(joinWithin(online, 5, (a, b) => a.payload.type === b.payload.type)))
  const then = () => []
  never(() => events.pipe(ask(from, ({ params }) => params.device, { intent: 'a.b' }, { within: 5, then })))
  // @ts-expect-error: the id is given by ask
  never(() => events.pipe(ask(from, 'a', { intent: 'a.b', id: 'mine' }, { within: 5, then })))
  // @ts-expect-error: how long to wait must be said
  never(() => events.pipe(ask(from, 'a', { intent: 'a.b' }, { then })))
  const wait = { within: 5, then: ({ status }: Answer) => (status === 'denied' ? [] : message('safety/stop', {}, {})) }
  never(() => events.pipe(ask(from, 'a', { intent: 'a.b' }, wait)))
  // @ts-expect-error: an answer has no colour
  never(() => events.pipe(ask(from, 'a', { intent: 'a.b' }, { within: 5, then: ({ colour }) => colour })))
  expect(true).toBe(true)
})

test('a plugin hears and says only what it declares', () => {
  const declared = {
    id: 'x',
    title: 'X',
    config: z.object({ n: z.number() }),
    handles: ['devices/{device}/cmd'],
    publishes: ['devices/{device}/ack'],
  } as const
  const ack = message('devices/{device}/ack', { device: 'a' }, { id: '1', status: 'done' })
  never(() =>
    definePlugin({
      ...declared,
      start: ({ from: hear, config }) =>
        hear('devices/{device}/cmd').pipe(
          filter(() => config.n > 0),
          map(() => ack),
        ),
    }),
  )
  definePlugin({
    ...declared,
    // @ts-expect-error: it does not declare that it hears events
    start: ({ from: hear }) => hear('devices/{device}/event').pipe(map(() => ack)),
  })
  definePlugin({
    ...declared,
    // @ts-expect-error: it does not declare that it says states
    start: () => of(message('devices/{device}/state', { device: 'a' }, {})),
  })
  definePlugin({
    ...declared,
    // @ts-expect-error: it may not use what it does not need
    start: ({ use }) => (use.credentials.broker(), NEVER),
  })
  definePlugin({
    ...declared,
    // @ts-expect-error: its config has no such field
    start: ({ config }) => (config.m, NEVER),
  })
  expect(true).toBe(true)
})

const flows = fileURLToPath(new URL('../../flows/', import.meta.url))

/** The complaints of the type checker about a flow file with this text, as the flows' own tsconfig has it. */
const complaints = (texts: Record<string, string>): Record<string, string[]> => {
  const config = ts.readConfigFile(path.join(flows, 'tsconfig.json'), (file) => readFileSync(file, 'utf8'))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, flows)
  const files = new Map(Object.entries(texts).map(([name, text]) => [path.join(flows, `${name}.ts`), text]))
  const host = ts.createCompilerHost(options)
  const probes: ts.CompilerHost = {
    ...host,
    fileExists: (file) => files.has(file) || host.fileExists(file),
    readFile: (file) => files.get(file) ?? host.readFile(file),
    getSourceFile(file, ...more) {
      const text = files.get(file)
      return text === undefined ? host.getSourceFile(file, ...more) : ts.createSourceFile(file, text, ...[more[0]])
    },
  }
  const { tsBuildInfoFile: _, ...rest } = options
  const program = ts.createProgram([...files.keys()], { ...rest, incremental: false }, probes)
  const told: Record<string, string[]> = {}
  for (const [name] of Object.entries(texts)) {
    const source = program.getSourceFile(path.join(flows, `${name}.ts`))
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    told[name] = found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
  }
  return told
}

test('a flow sees nothing of node, and what does not fit is said in words that name it', () => {
  const head = "import { map } from 'rxjs'\nimport { flow, message } from '#hub'\n"
  const saying = (expression: string) =>
    `${head}export default flow((from) => from('devices/{device}/event').pipe(map(({ params }) => message('devices/{device}/event', params, { type: 'x', v: ${expression} }))))\n`
  const more = "import { map } from 'rxjs'\nimport { flow, message, z } from '#hub'\n"
  const filling = (topic: string, field: string, out: string) =>
    `${more}export default flow({ params: { above: z.number().default(1) } }, (from, { above }) => from('${topic}').pipe(map(({ params, payload }) => ${out}${field})))\n`
  const event = "message('devices/{device}/event', params, { type: 'x', above })"
  const gone = [
    'process',
    'Buffer',
    'fetch',
    'setTimeout',
    'setInterval',
    'require',
    'console',
    'crypto',
    'performance',
    'structuredClone',
    'queueMicrotask',
    'WebSocket',
    'URL',
  ]
  const told = complaints({
    fine: saying('1'),
    files: `import fs from 'node:fs'\n${saying('fs')}`,
    fits: filling('devices/{device}/event', '', event),
    topic: filling('devices/{device}/evnt', '', event),
    field: filling('devices/{device}/request', '', `(payload.itent, ${event})`),
    output: filling('devices/{device}/event', '', "message('devices/{device}/request', params, { intnt: 'a.b' })"),
    param: filling('devices/{device}/event', '', event).replace('{ above }) =>', '{ below }) =>'),
    ...Object.fromEntries(gone.map((name) => [`no_${name}`, saying(`typeof ${name} === 'x' || ${name}`)])),
  })
  expect(told['fine']).toEqual([])
  expect(told['files']?.join()).toContain("'node:fs'")
  for (const name of gone) expect(told[`no_${name}`]?.join(), name).toContain(`'${name}'`)
  expect(told['fits']).toEqual([])
  expect(told['topic']?.join()).toContain('\'"devices/{device}/evnt"\'')
  expect(told['field']?.join()).toContain("'itent' does not exist")
  expect(told['output']?.join()).toContain("'intnt' does not exist")
  expect(told['param']?.join()).toContain("'below' does not exist")
}, 60_000)
