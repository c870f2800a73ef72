// The one place that reads the environment: defaults < config file < .env < environment, checked once, frozen, passed on.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { IssuersSettings } from './access/oidc/settings.ts'
import { Fatal, reasonOf } from './errors.ts'
import { Secret } from './health/secret.ts'

const port = (what: string, fallback: number) =>
  z.coerce.number().int().min(0).max(65_535).default(fallback).describe(`${what} (0: any free port)`)
const optionalPort = (what: string) =>
  z
    .union([
      z.literal('').transform(() => undefined),
      z.literal('off').transform(() => undefined),
      z.coerce.number().int().min(0).max(65_535),
    ])
    .optional()
    .describe(`${what} (off when empty)`)
const flag = (what: string, fallback: boolean) =>
  z
    .union([z.boolean(), z.enum(['0', '1', 'true', 'false', 'on', 'off', ''])])
    .transform((v) => v === true || v === '1' || v === 'true' || v === 'on')
    .default(fallback)
    .describe(what)
const address = z.union([z.literal('').transform(() => undefined), z.ipv4(), z.ipv6(), z.literal('localhost')])
const text = (what: string) =>
  z
    .string()
    .trim()
    .transform((v) => (v === '' ? undefined : v))
    .optional()
    .describe(what)

const secret = (what: string) =>
  z
    .string()
    .trim()
    .transform((v) => (v === '' ? undefined : new Secret(v)))
    .optional()
    .describe(what)

/** Every variable, in the order of .env.example. */
export const variables = z.strictObject({
  HTTP_PORT: port('Port of the web app and the API', 8080),
  HTTPS_PORT: port("The same over HTTPS, with the hub's own certificate", 8443),
  MQTT_PORT: port('Port for MQTT clients', 1883),
  MQTTS_PORT: port('Port for MQTT clients over TLS', 8883),
  MQTT_WS_PORT: optionalPort('A port of its own for MQTT over WebSocket; /mqtt on the web port always works'),
  BIND: address
    .optional()
    .describe('Address everything listens on; 127.0.0.1 until a person opens it with the claim, or with this'),
  BROKER_URL: secret(
    'mqtt://user:password@host:1883 or mqtts://…: use this broker instead of the one inside (docs/external-broker.md)',
  ),
  BRIDGE_URL: secret(
    'The same form: keep the broker inside and join it to this one, as `bridge` in the config file says',
  ),
  BROKER_CA_FILE: text('PEM file of the authority that signed the certificate of BROKER_URL or BRIDGE_URL'),
  DATA_DIR: z.string().min(1).default('./data').describe('Folder for everything the hub keeps'),
  CONFIG_FILE: text('YAML or JSON file with settings (default: millrace.yaml beside the data folder, when it exists)'),
  FLOWS_DIR: z.string().min(1).default('./flows').describe('Folder of the flows'),
  PLUGINS_DIR: z.string().min(1).default('./plugins').describe('Folder of the plugins'),
  TOPIC_PREFIX: z
    .string()
    .regex(
      /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/,
      'must be topic levels of letters, digits, _ . - without a slash at either end',
    )
    .default('jarvis')
    .describe("First level(s) of the hub's own topics"),
  DATABASE_URL: text('postgres://… to keep tables in PostgreSQL instead of SQLite'),
  ADMIN_USER: text('With ADMIN_PASSWORD: creates the first person without the claim link'),
  ADMIN_PASSWORD: text('At least 8 characters'),
  DEMO: flag('1 starts the simulated workshop', false),
  DURABILITY: z
    .enum(['process', 'power'])
    .default('process')
    .describe('What an acknowledged message survives: a killed process, or a power cut (slower)'),
  OFFLINE_MODE: flag('No call leaves the site', true),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severe log line written'),
  METRICS_BIND: z
    .string()
    .regex(/^(\S+:\d{1,5})?$/, "must look like '127.0.0.1:9464'")
    .transform((v) => (v === '' ? undefined : v))
    .optional()
    .describe('Address and port where /metrics answers without a token'),
  ALLOWED_ORIGINS: z
    .string()
    .default('')
    .transform((v) =>
      v
        .split(',')
        .map((o) => o.trim())
        .filter((o) => o !== ''),
    )
    .pipe(z.array(z.url()))
    .describe('Other web origins that may call the API, separated by commas'),
})

const isTimezone = (name: string): boolean => {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

const bounded = (least: number, most: number, fallback: number, what: string) =>
  z.number().int().min(least).max(most).default(fallback).describe(what)

/** What the config file may hold beside the variables: settings too structured for the environment. */
export const fileSettings = z.strictObject({
  plugins: z.record(z.string(), z.unknown()).default({}).describe('Settings of each plugin, by its id'),
  limits: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('Limits by device or kind, then by intent: bounds of payload fields and minIntervalMs'),
  journal: z
    .strictObject({
      days: bounded(1, 3650, 30, 'Keep this many days'),
      maxGiB: z.number().min(0.1).max(10_000).default(10).describe('Keep at most this much'),
      except: z.array(z.string()).default([]).describe('MQTT filters of topics that are never recorded'),
      minuteDays: bounded(1, 3650, 30, 'Charts: keep minutes this many days'),
      hourDays: bounded(1, 36_500, 730, 'Charts: keep hours this many days'),
      chartsMiB: bounded(16, 1_048_576, 1024, 'Charts take at most this much'),
    })
    .prefault({}),
  errors: z.strictObject({ days: bounded(1, 365, 7, 'Keep errors this many days') }).prefault({}),
  access: z
    .strictObject({
      sessionHours: bounded(
        1,
        720,
        12,
        'A sign-in is renewed by the page for so long, then it takes the password again',
      ),
      publicUrl: z
        .url({ protocol: /^https?$/, error: 'must be an http or https address' })
        .optional()
        .describe('Address people open the hub at, when a proxy stands before it; issuers send browsers back there'),
      issuers: IssuersSettings.default({}).describe(
        'Other systems that say who somebody is (OpenID Connect), by an id of your own (docs/access.md)',
      ),
    })
    .prefault({}),
  gate: z
    .strictObject({
      ackSeconds: bounded(1, 600, 5, 'A device must answer a command within this, or its result is a timeout'),
      acceptedSeconds: bounded(1, 86_400, 60, 'After "accepted" without "within", the end must come within this'),
      requestSeconds: bounded(1, 600, 30, 'A request without expiresAt expires after this'),
      interlockMs: bounded(10, 5_000, 200, 'An interlock must answer within this'),
    })
    .prefault({}),
  broker: z
    .strictObject({
      connections: bounded(1, 1_000_000, 20_000, 'MQTT connections at once'),
      connectionsPerAddress: bounded(1, 1_000_000, 512, 'Of one address'),
      sessionsPerPrincipal: bounded(1, 10_000, 32, 'Lasting sessions of one device or person'),
      packetKiB: bounded(16, 262_144, 1024, 'Largest packet after login'),
      queueMessages: bounded(1, 10_000_000, 1_000_000, 'Messages kept for one client that is offline'),
      queueMiB: bounded(1, 65_536, 1024, 'The same in size'),
      queueDays: bounded(1, 365, 7, 'The same in age'),
    })
    .prefault({}),
  bridge: z
    .strictObject({
      in: z.array(z.string()).max(256).default([]).describe('MQTT filters of what comes from BRIDGE_URL into the hub'),
      out: z.array(z.string()).max(256).default([]).describe('MQTT filters of what goes from the hub to BRIDGE_URL'),
    })
    .prefault({}),
  site: z
    .strictObject({
      timezone: z
        .string()
        .refine(isTimezone, "must be a time zone's name, such as 'Europe/Berlin'")
        .optional()
        .describe("Time zone of schedules and allowed hours; without it this machine's"),
      latitude: z
        .number()
        .min(-90)
        .max(90)
        .optional()
        .describe('Where the hub stands, in degrees, for sunrise and sunset'),
      longitude: z.number().min(-180).max(180).optional().describe('The same, east is positive'),
    })
    .prefault({}),
  flows: z
    .strictObject({
      heapMiB: bounded(64, 16_384, 256, "Objects in the flows' process may take this much memory"),
      memoryMiB: bounded(
        192,
        65_536,
        512,
        'The process is replaced, and the flow that took most is quarantined, beyond this',
      ),
      turnMs: bounded(50, 60_000, 500, 'CPU time of one turn of a flow, in ms; beyond it the flow is quarantined'),
      stuckSeconds: bounded(1, 600, 5, 'The process is replaced when it does not answer for this long'),
      historyMessages: bounded(
        0,
        1_000_000_000,
        2_000_000,
        'A flow that is interrupted hears at most this many messages again to be what it was; beyond them it is warmed up and shown as approximate',
      ),
      historyDays: bounded(0, 3650, 7, 'The same in age'),
      reloadsPerProcess: bounded(
        1,
        100_000,
        100,
        'After so many reloads the process is replaced by a fresh one, without a loss',
      ),
    })
    .prefault({}),
})

export type Variables = z.output<typeof variables>
export type Config = Readonly<Variables> & { readonly file: Readonly<z.output<typeof fileSettings>> }

/** Reads and checks everything. Throws Fatal naming each wrong key, its value's type and the constraint. */
export const readConfig = (
  environment: Record<string, string | undefined> = process.env,
  folder = process.cwd(),
): Config => {
  const dotenv = readIf(join(folder, '.env'), (raw) => parseEnv(raw)) ?? {}
  const known = Object.keys(variables.shape)
  const stray = Object.keys(dotenv).filter((key) => !known.includes(key))
  if (stray.length > 0)
    throw new Fatal(`.env holds ${list(stray)}, which the hub does not know. Known: ${known.join(', ')}.`)
  const fromEnvironment = Object.fromEntries(
    known.flatMap((key) => (environment[key] === undefined ? [] : [[key, environment[key]]])),
  )
  const named = environment['CONFIG_FILE'] ?? dotenv['CONFIG_FILE']
  const path = resolve(folder, named !== undefined && named !== '' ? named : 'millrace.yaml')
  const raw = readIf(path, (body) => object(parseYaml(body), path))
  if (raw === undefined && named !== undefined && named !== '')
    throw new Fatal(`CONFIG_FILE names ${path}, which is not there.`)
  const upper = Object.fromEntries(Object.entries(raw ?? {}).filter(([key]) => known.includes(key)))
  const rest = Object.fromEntries(Object.entries(raw ?? {}).filter(([key]) => !known.includes(key)))
  const merged = check(variables, { ...upper, ...dotenv, ...fromEnvironment }, 'The configuration')
  const file = check(fileSettings, rest, path)
  if ((merged.ADMIN_USER === undefined) !== (merged.ADMIN_PASSWORD === undefined)) {
    throw new Fatal('ADMIN_USER and ADMIN_PASSWORD belong together: set both, or neither to claim the hub by its link.')
  }
  if (merged.BROKER_URL !== undefined && merged.BRIDGE_URL !== undefined) {
    throw new Fatal(
      'BROKER_URL and BRIDGE_URL exclude each other: BROKER_URL uses another broker instead of the one inside, BRIDGE_URL joins the two. Set one.',
    )
  }
  return Object.freeze({
    ...merged,
    DATA_DIR: resolve(folder, merged.DATA_DIR),
    FLOWS_DIR: resolve(folder, merged.FLOWS_DIR),
    PLUGINS_DIR: resolve(folder, merged.PLUGINS_DIR),
    file,
  })
}

const check = <S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map((issue) => {
    const key = issue.path.map(String).join('.')
    if (issue.code === 'unrecognized_keys') return `${list(issue.keys)}: not known`
    const given = issue.path.reduce<unknown>(
      (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
      value,
    )
    return `${key}: ${issue.message} (a ${given === null ? 'null' : typeof given} was given)`
  })
  throw new Fatal(`${where} is not valid:\n  ${lines.join('\n  ')}\nSee .env.example and docs/configuration.md.`)
}

const readIf = <T>(path: string, parse: (raw: string) => T): T | undefined => {
  let raw: string
  try {
    raw = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new Fatal(`${path} cannot be read: ${reasonOf(error)}`, error)
  }
  try {
    return parse(raw)
  } catch (error) {
    if (error instanceof Fatal) throw error
    throw new Fatal(`${path} is not valid: ${reasonOf(error)}`, error)
  }
}

const object = (value: unknown, path: string): Record<string, unknown> => {
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw new Fatal(`${path} must hold keys and values.`)
  return { ...value }
}

const list = (keys: readonly string[]): string => keys.map((key) => `'${key}'`).join(', ')

/** Where the hub stands: for times of the day, sunrise and sunset. Without a setting the time zone is this machine's. */
export const siteOf = ({ file: { site } }: Pick<Config, 'file'>) => {
  const { latitude, longitude } = site
  return {
    // Only when asked for: the first look at a time zone loads 8 MB of calendars.
    get timezone() {
      return site.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
    },
    ...(latitude === undefined ? {} : { latitude }),
    ...(longitude === undefined ? {} : { longitude }),
  }
}
