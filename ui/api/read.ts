// Reading unknown JSON at the edge: each function gives a typed value or undefined, and never throws.
import type {
  Claim,
  ClientItem,
  Clients,
  CommandItem,
  DeviceItem,
  Dispatched,
  ErrorBody,
  HealthItem,
  HealthPart,
  HealthWord,
  HistoryItem,
  JournalItem,
  JsonSchema,
  Me,
  RightItem,
  StopAnswer,
} from './types.ts'

export type Json = Record<string, unknown>

export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Text, or undefined. The small readers below do the same for other kinds: what does not fit is left out, or 0. */
export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
export const count = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)
export const record = (value: unknown): Json => (isRecord(value) ? value : {})

/** An instant in ms since 1970, from ISO 8601 or a number; 0 when there is none. */
export const instant = (value: unknown): number => {
  if (typeof value === 'number') return Number.isFinite(value) ? value : 0
  if (typeof value !== 'string') return 0
  const at = Date.parse(value)
  return Number.isNaN(at) ? 0 : at
}

/** A record without the keys whose value is undefined, as exact optional types want it. */
export const optional = <K extends string>(fields: Record<K, string | undefined>): Partial<Record<K, string>> => {
  const kept: Partial<Record<K, string>> = {}
  for (const key in fields) {
    const value = fields[key]
    if (value !== undefined && value !== '') kept[key] = value
  }
  return kept
}

const schemas = (value: unknown): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(record(value)).map(([intent, schema]) => [intent, record(schema)]))

export const readDevice = (value: unknown): DeviceItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  if (id === undefined || id === '') return undefined
  return {
    id,
    name: text(value['name']) ?? id,
    kind: text(value['kind']) ?? 'device',
    online: value['online'] === true,
    owner: text(value['owner']) ?? '',
    state: record(value['state']),
    lastSeen: instant(value['lastSeen']),
    intents: schemas(value['intents']),
    safe: texts(value['safe']),
    ...optional({
      area: text(value['area']),
      maker: text(value['maker']),
      model: text(value['model']),
      via: text(value['via']),
    }),
  }
}

const readHistory = (value: unknown): HistoryItem | undefined => {
  if (!isRecord(value)) return undefined
  const status = text(value['status'])
  if (status === undefined) return undefined
  return { at: instant(value['at']), status, ...optional({ detail: text(value['detail']) }) }
}

export const readCommand = (value: unknown): CommandItem | undefined => {
  if (!isRecord(value)) return undefined
  const commandId = text(value['commandId']) ?? text(value['id'])
  const device = text(value['device'])
  const intent = text(value['intent'])
  if (commandId === undefined || device === undefined || intent === undefined) return undefined
  const history = Array.isArray(value['history'])
    ? value['history'].map(readHistory).filter((one) => one !== undefined)
    : []
  return {
    commandId,
    device,
    intent,
    payload: record(value['payload']),
    requestedBy: text(value['requestedBy']) ?? '',
    status: text(value['status']) ?? 'pending',
    history,
    issuedAt: instant(value['issuedAt']),
    expiresAt: instant(value['expiresAt']),
    correlationId: text(value['correlationId']) ?? '',
    ...optional({ reason: text(record(value['result'])['reason']) }),
  }
}

export const readJournalItem = (value: unknown): JournalItem | undefined => {
  if (!isRecord(value)) return undefined
  const topic = text(value['topic'])
  if (topic === undefined || typeof value['seq'] !== 'number') return undefined
  return {
    seq: value['seq'],
    at: instant(value['at']),
    topic,
    payload: value['payload'],
    origin: text(value['origin']) ?? '',
    cause: count(value['cause']),
    correlation: text(value['correlation']) ?? '',
  }
}

const WORDS: readonly string[] = ['healthy', 'degraded', 'unhealthy', 'unknown']
const isHealthWord = (value: unknown): value is HealthWord => typeof value === 'string' && WORDS.includes(value)
const healthWord = (value: unknown): HealthWord => (isHealthWord(value) ? value : 'unknown')

const readPart = (value: unknown): HealthPart | undefined => {
  if (!isRecord(value)) return undefined
  const part = text(value['part'])
  if (part === undefined) return undefined
  const since = instant(value['since'])
  return {
    part,
    status: healthWord(value['status']),
    ...optional({ what: text(value['what']) }),
    ...(since > 0 ? { since } : {}),
  }
}

export const readHealth = (value: unknown): HealthItem | undefined => {
  if (!isRecord(value)) return undefined
  const parts = Array.isArray(value['parts']) ? value['parts'].map(readPart).filter((one) => one !== undefined) : []
  return { status: healthWord(value['status']), parts }
}

/** An entry that was a message: the journal also keeps notes of the hub, and snapshots of the retained set. */
export const readMessage = (value: unknown): JournalItem | undefined => {
  const kind = isRecord(value) ? value['kind'] : undefined
  return kind === undefined || kind === 'message' ? readJournalItem(value) : undefined
}

const PROTOCOLS: Record<number, string> = { 3: '3.1', 4: '3.1.1', 5: '5.0' }

export const readClient = (value: unknown): ClientItem | undefined => {
  if (!isRecord(value)) return undefined
  const clientId = text(value['clientId'])
  if (clientId === undefined || clientId === '') return undefined
  const error = record(value['lastError'])
  const what = text(error['what'])
  const connectedAt = instant(value['connectedAt'])
  const expiresAt = instant(value['expiresAt'])
  return {
    clientId,
    principal: text(value['principal']) ?? '',
    online: value['online'] === true,
    subscriptions: count(value['subscriptions']),
    queued: count(value['queued']),
    queuedBytes: count(value['queuedBytes']),
    dropped: count(value['dropped']),
    bufferedBytes: count(value['bufferedBytes']),
    ...optional({ address: text(value['address']), protocol: PROTOCOLS[count(value['protocol'])] }),
    ...(connectedAt > 0 ? { connectedAt } : {}),
    ...(expiresAt > 0 ? { expiresAt } : {}),
    ...(what === undefined ? {} : { lastError: { at: instant(error['at']), what } }),
  }
}

export const readClients = (value: unknown): Clients | undefined => {
  if (!isRecord(value) || !Array.isArray(value['items'])) return undefined
  const items = readItems(value, readClient)
  const counts = record(value['counts'])
  return {
    items,
    total: Math.max(count(value['total']), items.length),
    counts: {
      connected: count(counts['connected']),
      asleep: count(counts['asleep']),
      queued: count(counts['queued']),
      dropped: count(counts['dropped']),
      slowClientsCut: count(counts['slowClientsCut']),
    },
  }
}

export const readRight = (value: unknown): RightItem | undefined =>
  isRecord(value) && typeof value['allowed'] === 'boolean'
    ? { allowed: value['allowed'], why: text(value['why']) ?? '' }
    : undefined

export const readMe = (value: unknown): Me | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  if (id === undefined) return undefined
  return {
    id,
    kind: text(value['kind']) ?? 'person',
    roles: texts(value['roles']),
    rights: texts(value['rights']),
    prefix: text(value['prefix']) ?? 'jarvis',
    ...optional({ clientId: text(value['clientId']) }),
  }
}

export const readClaim = (value: unknown): Claim | undefined =>
  isRecord(value) && typeof value['claimed'] === 'boolean'
    ? { claimed: value['claimed'], open: value['open'] === true }
    : undefined

export const readDispatched = (value: unknown): Dispatched | undefined => {
  const commandId = isRecord(value) ? text(value['commandId']) : undefined
  return isRecord(value) && commandId !== undefined
    ? { commandId, status: text(value['status']) ?? 'pending' }
    : undefined
}

export const readStop = (value: unknown): StopAnswer | undefined => {
  if (!isRecord(value) || !Array.isArray(value['devices'])) return undefined
  const devices = value['devices'].flatMap((one: unknown) => {
    const device = isRecord(one) ? text(one['device']) : undefined
    if (!isRecord(one) || device === undefined) return []
    return [{ device, intents: texts(one['intents']), ...optional({ error: text(one['error']) }) }]
  })
  return { id: text(value['id']) ?? '', devices }
}

export const readToken = (value: unknown): { token: string; expiresIn: number } | undefined => {
  const token = isRecord(value) ? text(value['access_token']) : undefined
  return isRecord(value) && token !== undefined ? { token, expiresIn: count(value['expires_in']) } : undefined
}

export const readError = (value: unknown): ErrorBody | undefined => {
  const error = isRecord(value) ? value['error'] : undefined
  if (!isRecord(error)) return undefined
  const details = record(error['details'])
  return {
    code: text(error['code']) ?? 'INTERNAL_ERROR',
    message: text(error['message']) ?? 'The hub gave no reason.',
    details: { ...details, ...optional({ field: text(details['field']), constraint: text(details['constraint']) }) },
    ...optional({ correlationId: text(error['correlation_id']) }),
  }
}

/** The `items` of a list answer, each read by `one`; what does not fit is left out. */
export const readItems = <T>(value: unknown, one: (item: unknown) => T | undefined): T[] => {
  const items = isRecord(value) ? value['items'] : undefined
  return Array.isArray(items) ? items.map(one).filter((item) => item !== undefined) : []
}

/** JSON text as a value; text that is no JSON stays text. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
