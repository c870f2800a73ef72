// The literal types of a hub: what they say, and that a wrong name does not compile once they are there.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { core } from './core.ts'
import { topicTable } from './table.ts'
import { typesOf, writeTypes } from './types-cli.ts'

const table = topicTable([core], 'jarvis')
const about = (id: string, ...intents: string[]) => ({
  topic: `jarvis/devices/${id}/about`,
  payload: Buffer.from(
    JSON.stringify({ name: id, kind: 'x', intents: Object.fromEntries(intents.map((i) => [i, {}])) }),
  ),
})

test('it writes each device with what it can be asked, in one order', async () => {
  const texts: string[] = []
  const lines: string[] = []
  const known = await writeTypes({
    table,
    retained: [
      about('extractor', 'switch.turn_on', 'switch.turn_off'),
      about('gone'),
      about('dust'),
      { topic: 'jarvis/devices/dust/state', payload: Buffer.from('{}') },
      { topic: 'jarvis/devices/bad/about', payload: Buffer.from('{}') },
      { topic: 'jarvis/devices/gone/about', payload: Buffer.alloc(0) },
    ],
    write: (text) => void texts.push(text),
    say: (line) => void lines.push(line),
  })
  expect(known.map(({ id }) => id)).toEqual(['extractor', 'dust'])
  expect(texts[0]).toContain(`    devices: {
      "dust": never
      "extractor": "switch.turn_off" | "switch.turn_on"
    }`)
  expect(lines).toEqual([expect.stringContaining('The types of 2 devices are written')])
})

test('a hub without devices has no types, and says what to do', async () => {
  const lines: string[] = []
  await writeTypes({
    table,
    retained: [],
    write: (text) => void lines.push(text),
    say: (line) => void lines.push(line),
  })
  expect(lines[0]).toContain('interface Known {\n  }')
  expect(lines[1]).toContain('connect a device')
})

const flows = fileURLToPath(new URL('../../flows/', import.meta.url))

/** What the type checker says about these flows beside these types, as the flows' own tsconfig has it. */
const complaints = (types: string, flowTexts: Record<string, string>): Record<string, string> => {
  const config = ts.readConfigFile(path.join(flows, 'tsconfig.json'), (file) => readFileSync(file, 'utf8'))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, flows)
  const files = new Map(Object.entries(flowTexts).map(([name, text]) => [path.join(flows, `${name}.ts`), text]))
  files.set(path.join(flows, '../data/hub-types.d.ts'), types)
  const host = ts.createCompilerHost(options)
  const { tsBuildInfoFile: _, ...rest } = options
  const program = ts.createProgram(
    [...files.keys()],
    { ...rest, incremental: false },
    {
      ...host,
      fileExists: (file) => files.has(file) || host.fileExists(file),
      readFile: (file) => files.get(file) ?? host.readFile(file),
      getSourceFile(file, ...more) {
        const text = files.get(file)
        return text === undefined ? host.getSourceFile(file, ...more) : ts.createSourceFile(file, text, ...[more[0]])
      },
    },
  )
  const told = (file: string) =>
    [
      ...program.getSyntacticDiagnostics(program.getSourceFile(file)),
      ...program.getSemanticDiagnostics(program.getSourceFile(file)),
    ]
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
      .join('\n')
  return Object.fromEntries([...files.keys()].map((file) => [path.basename(file, '.ts'), told(file)]))
}

test('a device nobody has, and an intent it does not know, do not compile; the flows that are there do', () => {
  const types = typesOf([
    { id: 'dust', intents: [] },
    { id: 'extractor', intents: ['switch.turn_on', 'switch.turn_off'] },
    { id: 'bench_light', intents: ['light.turn_on', 'light.turn_off'] },
    { id: 'iron', intents: ['switch.turn_off'] },
    { id: 'presence', intents: [] },
  ])
  const flow = (where: string, to: string, intent: string) => `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry', { where: { device: '${where}' } }).pipe(
  map(() => message('devices/{device}/request', { device: '${to}' }, { intent: '${intent}' })),
))
`
  const asking = (to: string, intent: string) => `import { ask, flow } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  ask(from, '${to}', { intent: '${intent}' }, { within: 5, then: () => [] }),
))
`
  const anyDevice = `import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) => from('devices/{device}/telemetry').pipe(
  map(({ params }) => message('devices/{device}/event', params, { type: 'x' })),
))
`
  const there = [
    'dust-starts-extractor',
    'extractor-does-not-help',
    'hot-iron-left-on',
    'door-open-too-long',
    'light-out-when-empty',
  ]
  const told = complaints(types, {
    fine: flow('dust', 'extractor', 'switch.turn_on'),
    where: flow('dsut', 'extractor', 'switch.turn_on'),
    to: flow('dust', 'extracter', 'switch.turn_on'),
    intent: flow('dust', 'extractor', 'light.turn_on'),
    none: flow('dust', 'dust', 'light.turn_on'),
    ask: asking('extractor', 'switch.turn_on'),
    askDevice: asking('extracter', 'switch.turn_on'),
    askIntent: asking('extractor', 'switch.toggle'),
    anyDevice,
    ...Object.fromEntries(there.map((name) => [name, readFileSync(path.join(flows, `${name}.ts`), 'utf8')])),
  })
  for (const name of ['fine', 'ask', 'anyDevice', 'hub-types.d', ...there])
    expect({ name, told: told[name] }).toEqual({ name, told: '' })
  expect(told['where']).toContain(`Type '"dsut"' is not assignable to type`)
  expect(told['to']).toContain(`'"extracter"' is not assignable to`)
  expect(told['intent']).toContain(`Type '"light.turn_on"' is not assignable to type '"switch.turn_`)
  expect(told['none']).toContain(`is not assignable to type 'never'`)
  expect(told['askDevice']).toContain('"extracter"')
  expect(told['askIntent']).toContain('"switch.toggle"')
}, 60_000)
