// Finds the plugins: one folder each, its plugin.ts imported and checked; a bad one is named and the others go on.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { reasonOf } from '../errors.ts'
import type { Topic } from '../streams/message.ts'
import { core } from '../topics/core.ts'
import type { TopicRow, TopicRows, Writer } from '../topics/row.ts'
import type { Plugin } from './plugin.ts'

/** A plugin's own topics, to be merged into the table before the bus starts. */
export interface TopicTable {
  plugin: string
  rows: TopicRows
}

/** A folder that holds no usable plugin, and what a person has to mend. */
export interface BadPlugin {
  id: string
  error: string
}

export interface Found {
  plugins: readonly Plugin[]
  bad: readonly BadPlugin[]
  topicTables: readonly TopicTable[]
}

const IMPORT_MS = 10_000

const writers = ['owner', 'requester', 'plugin', 'answering plugin', 'granted'] as const satisfies readonly Writer[]

const isSchema = (value: unknown): boolean => value instanceof z.ZodType
const isFunction = (value: unknown): boolean => typeof value === 'function'

const Row = z.strictObject({
  payload: z.custom(isSchema, 'must be a zod schema'),
  qos: z.union([z.literal(0), z.literal(1)]),
  retain: z.boolean(),
  by: z.enum(writers),
  about: z.string().min(1),
  native: z.enum(['fact', 'command']).optional(),
})

const Id = z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, "must be kebab-case, such as 'workshop-sim'")

const Shape = z.strictObject({
  id: Id,
  title: z.string().min(1).max(120),
  config: z.custom(isSchema, 'must be a zod schema; z.strictObject({}) when there is nothing to set'),
  handles: z.array(z.string()),
  publishes: z.array(z.string()),
  needs: z.array(z.string()).optional(),
  after: z.array(Id).optional(),
  topics: z.record(z.string(), Row).optional(),
  native: z
    .strictObject({
      hears: z.array(z.string().min(1)).optional(),
      publishes: z.array(z.string().min(1)).optional(),
      commands: z.boolean().optional(),
    })
    .optional(),
  interlocks: z
    .array(
      z.looseObject({
        name: z.string().min(1),
        explains: z.string().min(1),
        check: z.custom(isFunction, 'must be a function'),
      }),
    )
    .optional(),
  routes: z.custom(isFunction, 'must be a function').optional(),
  enabled: z.enum(['always', 'demo', 'configured']).optional(),
  start: z.custom(isFunction, 'must be a function that returns an Observable'),
})

const isPlugin = (value: unknown): value is Plugin => Shape.safeParse(value).success

const firstIssue = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))[0] ??
  'bad shape'

const isThere = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

const importWithin = async (file: string): Promise<unknown> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`plugin.ts did not finish loading within ${IMPORT_MS / 1000} s; move slow work into start`))
    }, IMPORT_MS)
  })
  try {
    return await Promise.race([import(pathToFileURL(file).href), late])
  } finally {
    clearTimeout(timer)
  }
}

const load = async (dir: string, id: string): Promise<Plugin> => {
  const file = join(dir, id, 'plugin.ts')
  if (!(await isThere(file))) throw new Error('has no plugin.ts; add one, or remove the folder')
  const module = await importWithin(file)
  const plugin: unknown =
    typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined
  if (plugin === undefined) throw new Error('plugin.ts has no default export; export default definePlugin({ … })')
  if (!isPlugin(plugin)) {
    const checked = Shape.safeParse(plugin)
    throw new Error(`plugin.ts: ${checked.error ? firstIssue(checked.error) : 'bad shape'}`)
  }
  if (plugin.id !== id)
    throw new Error(`plugin.ts: id is '${plugin.id}', but the folder is '${id}'; make them the same`)
  if (plugin.topics === undefined && (await isThere(join(dir, id, 'topics.ts'))))
    throw new Error('has a topics.ts that plugin.ts does not use; set topics in definePlugin')
  return plugin
}

const topicsClash = (plugin: Plugin, taken: ReadonlyMap<string, string>): string | undefined => {
  const address = Object.keys(plugin.topics ?? {}).find((topic) => taken.has(topic))
  return address === undefined
    ? undefined
    : `topics: '${address}' is already a topic of ${taken.get(address) ?? 'another'}`
}

/** Why a plugin may not write a topic; undefined when it may. */
const unwritable = (
  plugin: Plugin,
  topic: string,
  row: TopicRow | undefined,
  owner: string | undefined,
): string | undefined => {
  if (!row) return `publishes: '${topic}' is in no topic table`
  if (row.by === 'gate' || row.by === 'hub') return `publishes: '${topic}' is written only by the ${row.by}`
  if ((row.by === 'plugin' || row.by === 'answering plugin') && owner !== plugin.id)
    return `publishes: '${topic}' belongs to ${owner ?? 'another'}`
  return undefined
}

interface Tables {
  rows: ReadonlyMap<string, TopicRow>
  owners: ReadonlyMap<string, string>
}

const topicsWrong = (plugin: Plugin, { rows, owners }: Tables): string | undefined => {
  const unheard = plugin.handles.find((topic: Topic) => !rows.has(topic))
  if (unheard !== undefined) return `handles: '${unheard}' is in no topic table`
  return plugin.publishes
    .map((topic) => unwritable(plugin, topic, rows.get(topic), owners.get(topic)))
    .find((wrong) => wrong !== undefined)
}

/**
 * Imports `dir/<id>/plugin.ts` of every folder, in the order of their names, and checks its shape, its id and its topics.
 * Never throws for a bad plugin: it is listed in `bad` with what to mend. A missing `dir` means no plugins.
 * `elsewhere` are rows of tables that no plugin brings beside the core ones, such as native conventions of the hub.
 */
export const discoverPlugins = async (dir: string, elsewhere: TopicRows = {}): Promise<Found> => {
  const entries = (await isThere(dir)) ? await readdir(dir, { withFileTypes: true }) : []
  const ids = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name)
  const rows = new Map<string, TopicRow>([...Object.entries(core), ...Object.entries(elsewhere)])
  const owners = new Map<string, string>([...rows.keys()].map((topic) => [topic, 'the hub']))
  const loaded: Plugin[] = []
  const bad: BadPlugin[] = []
  for (const id of ids.sort()) {
    try {
      const plugin = await load(dir, id)
      const clash = topicsClash(plugin, owners)
      if (clash !== undefined) throw new Error(clash)
      for (const [topic, row] of Object.entries(plugin.topics ?? {})) {
        rows.set(topic, row)
        owners.set(topic, id)
      }
      loaded.push(plugin)
    } catch (error) {
      bad.push({ id, error: reasonOf(error) })
    }
  }
  const plugins: Plugin[] = []
  for (const plugin of loaded) {
    const wrong = topicsWrong(plugin, { rows, owners })
    if (wrong === undefined) plugins.push(plugin)
    else bad.push({ id: plugin.id, error: wrong })
  }
  const topicTables = plugins.flatMap(({ id, topics }) => (topics ? [{ plugin: id, rows: topics }] : []))
  return { plugins, bad, topicTables }
}
