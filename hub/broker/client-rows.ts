// Every MQTT client the hub knows: those that are connected and the sessions of those that sleep, as one list.
import type { ClientView } from './broker.ts'
import type { LastError } from './last-errors.ts'
import type { SessionView } from './sessions/store.ts'

export interface ClientRow {
  clientId: string
  /** Such as `device:dust`; '' when nobody knows. */
  principal: string
  online: boolean
  address?: string
  protocol?: 3 | 4 | 5
  /** ms since 1970. */
  connectedAt?: number
  subscriptions: number
  queued: number
  queuedBytes: number
  /** Messages it should have got and did not: over the connection, and from its queue. */
  dropped: number
  /** Written to its socket and not taken yet. */
  bufferedBytes: number
  lastError?: LastError
  /** When its session ends unless it comes back, ms since 1970. */
  expiresAt?: number
}

export interface ClientCounts {
  connected: number
  asleep: number
  queued: number
  queuedBytes: number
  dropped: number
}

interface Parts {
  clients: readonly ClientView[]
  sessions: readonly SessionView[]
  lastErrorOf(clientId: string): LastError | undefined
}

/** One row for each client id, in trouble first, then connected, then by name. */
export const clientRows = ({ clients, sessions, lastErrorOf }: Parts): ClientRow[] => {
  const bySession = new Map(sessions.map((session) => [session.clientId, session]))
  const connected = new Set(clients.map(({ clientId }) => clientId))
  const inTrouble: ClientRow[] = []
  const online: ClientRow[] = []
  const asleep: ClientRow[] = []
  const sort = (row: ClientRow): void => {
    const lastError = lastErrorOf(row.clientId)
    if (lastError !== undefined) row.lastError = lastError
    const kind = row.dropped > 0 || lastError !== undefined ? inTrouble : row.online ? online : asleep
    kind.push(row)
  }
  for (const client of clients) sort(onlineRow(client, bySession.get(client.clientId)))
  for (const session of sessions) if (!connected.has(session.clientId)) sort(asleepRow(session))
  return [inTrouble, online, asleep].flatMap((rows) => rows.sort(byName))
}

const byName = (a: ClientRow, b: ClientRow): number => (a.clientId < b.clientId ? -1 : 1)

export const countRows = (rows: readonly ClientRow[]): ClientCounts => {
  const counts = { connected: 0, asleep: 0, queued: 0, queuedBytes: 0, dropped: 0 }
  for (const { online, queued, queuedBytes, dropped } of rows) {
    counts[online ? 'connected' : 'asleep']++
    counts.queued += queued
    counts.queuedBytes += queuedBytes
    counts.dropped += dropped
  }
  return counts
}

/** Whether the text is in the client id, the principal, the address or the last error; case does not matter. */
export const isAbout = ({ clientId, principal, address, lastError }: ClientRow, text: string): boolean => {
  const wanted = text.trim().toLowerCase()
  return [clientId, principal, address, lastError?.what].some((field) => field?.toLowerCase().includes(wanted) === true)
}

const onlineRow = (client: ClientView, session: SessionView | undefined): ClientRow => ({
  clientId: client.clientId,
  principal: client.principal,
  online: true,
  address: client.address,
  protocol: client.protocol,
  connectedAt: client.connectedAt,
  subscriptions: client.subscriptions,
  queued: session?.queued ?? 0,
  queuedBytes: session?.queuedBytes ?? 0,
  dropped: client.dropped + (session?.dropped ?? 0),
  bufferedBytes: client.bufferedBytes,
})

const asleepRow = ({
  clientId,
  owner,
  queued,
  queuedBytes,
  subscriptions,
  dropped,
  expiresAt,
}: SessionView): ClientRow => ({
  clientId,
  principal: owner ?? '',
  online: false,
  subscriptions,
  queued,
  queuedBytes,
  dropped,
  bufferedBytes: 0,
  ...(expiresAt === undefined ? {} : { expiresAt }),
})
