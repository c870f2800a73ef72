// `npm run docs`: writes the generated pages of docs/ from the code they describe; with --check only says whether they are true.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { z } from 'zod'
import { rights } from '../../hub/access/policy.ts'
import { fileSettings, readConfig, variables } from '../../hub/config.ts'
import { startHub } from '../../hub/main.ts'
import { discoverPlugins } from '../../hub/plugins/host.ts'
import { core } from '../../hub/topics/core.ts'
import { nativeCommands, nativeFacts, nativeVerbs } from '../../hub/topics/native.ts'
import type { TopicRows } from '../../hub/topics/row.ts'

interface Property {
  type?: string
  description?: string
  default?: unknown
  enum?: unknown[]
  pattern?: string
  minimum?: number
  maximum?: number
  anyOf?: Property[]
  properties?: Record<string, Property>
}

const GENERATED = '<!-- Made by npm run docs from the code. Do not edit. -->'
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;')
const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(' | ')} |`).join('\n')
const schemaOf = (schema: z.ZodType): Property =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Property

const kindOf = ({ type, enum: among, anyOf, minimum, maximum }: Property): string => {
  if (among !== undefined) return among.map(String).join(', ')
  if (anyOf !== undefined) return [...new Set(anyOf.map(kindOf))].filter((kind) => kind !== '').join(', ')
  if (minimum !== undefined && maximum !== undefined) return `${type ?? ''} ${minimum} to ${maximum}`
  return type ?? ''
}
const settingRows = (name: string, { properties = {} }: Property): string[][] =>
  Object.entries(properties).flatMap(([key, property]) => {
    const path = name === '' ? key : `${name}.${key}`
    return property.properties === undefined
      ? [
          [
            `\`${path}\``,
            kindOf(property),
            property.default === undefined ? '' : JSON.stringify(property.default),
            property.description ?? '',
          ],
        ]
      : settingRows(path, property)
  })

const configuration = async (): Promise<string> => {
  const { plugins } = await discoverPlugins('plugins')
  return [
    GENERATED,
    '# Configuration',
    'Four places, the later ones win: defaults, the config file, `.env`, the environment. An unknown key in the file or in `.env`, or a value that does not fit, stops the start and is named.',
    '## Variables',
    table(['variable', 'values', 'default', 'what'], settingRows('', schemaOf(variables))),
    '## The config file',
    '`millrace.yaml` in the folder the hub is started in, or `CONFIG_FILE`. It may hold the variables above and:',
    table(['key', 'values', 'default', 'what'], settingRows('', schemaOf(fileSettings))),
    'Limits per device or kind look like this; a request outside them is refused before anything is sent:',
    '```yaml\nlimits:\n  printer_1:\n    printer.start:\n      nozzle: { max: 260 }\n  press:\n    press.start:\n      minIntervalMs: 5000\n```',
    '## Plugins',
    'Under `plugins.<id>` in the config file.',
    ...plugins.map((plugin) => {
      const rows = settingRows('', schemaOf(plugin.config))
      return `### ${plugin.id}\n\n${plugin.title}.\n\n${rows.length === 0 ? 'Nothing to set.' : table(['key', 'values', 'default', 'what'], rows)}`
    }),
  ].join('\n\n')
}

const topicRows = (rows: TopicRows): string =>
  table(
    ['topic', 'QoS', 'retained', 'written by', 'what'],
    Object.entries(rows).map(([key, row]) => [
      `\`${key}\``,
      String(row.qos),
      row.retain ? 'yes' : '',
      row.by,
      row.about,
    ]),
  )
const topicsPage = async (): Promise<string> => {
  const { topicTables } = await discoverPlugins('plugins')
  return [
    GENERATED,
    '# Topics',
    'After the prefix (`TOPIC_PREFIX`, `jarvis` by default). Payloads are JSON. A publish with a lower QoS is raised, the retain flag is the table’s; a payload that does not fit is recorded and delivered, but not retained and given to nobody inside.',
    topicRows(core),
    ...topicTables.map(({ plugin, rows }) => `## ${plugin}\n\n${topicRows(rows)}`),
    '## Payloads',
    ...Object.entries(core).map(
      ([key, row]) =>
        `### \`${key}\`\n\n\`\`\`json\n${JSON.stringify(strip(schemaOf(row.payload)), undefined, 2)}\n\`\`\``,
    ),
    "## Other people's conventions",
    `Facts, which can be granted with a device credential: ${nativeFacts.map((f) => `\`${f}\``).join(', ')}.`,
    `Commands, which only a plugin that answers a gate command may publish, are told by their levels: any topic with a level ${nativeVerbs.map((v) => `\`${v}\``).join(', ')}, whatever its depth, and a few more such as ${nativeCommands
      .slice(-6)
      .map((f) => `\`${f}\``)
      .join(', ')}.`,
    '## Rights',
    table(
      ['right', 'roles'],
      Object.entries(rights).map(([right, roles]) => [`\`${right}\``, roles.join(', ')]),
    ),
  ].join('\n\n')
}
const strip = (schema: object): object =>
  Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema'))

interface Operation {
  summary?: string
  description?: string
  parameters?: { name: string; in: string; required?: boolean }[]
  requestBody?: { content?: Record<string, { schema?: Property }> }
  responses?: Record<string, unknown>
}
const api = async (): Promise<string> => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  const hub = await startHub(
    readConfig(
      {
        DATA_DIR: dir,
        HTTP_PORT: '0',
        HTTPS_PORT: '0',
        MQTT_PORT: '0',
        MQTTS_PORT: '0',
        LOG_LEVEL: 'silent',
        BIND: '127.0.0.1',
        ADMIN_USER: 'docs',
        ADMIN_PASSWORD: 'docs-docs-docs',
      },
      dir,
    ),
  )
  try {
    const base = `http://127.0.0.1:${hub.ports.http}`
    const body = new URLSearchParams({ grant_type: 'password', username: 'docs', password: 'docs-docs-docs' })
    const { access_token: token } = (await (await fetch(`${base}/token`, { method: 'POST', body })).json()) as {
      access_token: string
    }
    const answer = await fetch(`${base}/api/docs/json`, { headers: { authorization: `Bearer ${token}` } })
    if (!answer.ok) throw new Error(`/api/docs/json answers ${answer.status}: ${await answer.text()}`)
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Operation>> }
    const rows = Object.entries(paths)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => [
          `\`${method.toUpperCase()} ${path}\``,
          /Takes the right `([^`]+)`/.exec(operation.description ?? '')?.[1] ?? '',
          [
            ...(operation.parameters ?? []).filter((p) => p.in === 'query').map((p) => `?${p.name}`),
            ...Object.keys(Object.values(operation.requestBody?.content ?? {})[0]?.schema?.properties ?? {}),
          ].join(' '),
          (operation.summary ?? operation.description ?? '').replace(/ ?Takes the right `[^`]+`\./, ''),
        ]),
      )
    return [
      GENERATED,
      '# API',
      'The running hub shows the whole of it, with schemas, at `/api/docs`. Every route but the public ones takes `Authorization: Bearer …` with a token from `POST /token` or an API key. Errors look like `{"error":{"code","message","details":{"field","value","constraint"},"correlation_id","timestamp"}}`.',
      table(['route', 'right', 'takes', 'what'], rows),
    ].join('\n\n')
  } finally {
    await hub.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

const check = process.argv.includes('--check')
const pages: [path: string, page: string][] = [
  ['docs/configuration.md', await configuration()],
  ['docs/topics.md', await topicsPage()],
  ['docs/api.md', await api()],
]
let stale = 0
for (const [path, page] of pages) {
  const text = await format(page, { ...(await resolveConfig(path)), parser: 'markdown' })
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
  stale++
  if (check) console.log(`${path} does not say what the code says: npm run docs`)
  else {
    writeFileSync(path, text)
    console.log(`wrote ${path}`)
  }
}
process.exit(check && stale > 0 ? 1 : 0)
