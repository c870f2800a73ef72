// Calls to the hub: a token on each, a deadline on each, one kind of error from all.
import { bareAnswer, noAnswer, Problem } from './problem.ts'
import {
  readClaim,
  readClients,
  readCommand,
  readDevice,
  readDispatched,
  readError,
  readHealth,
  readItems,
  readJournalItem,
  readMe,
  readMessage,
  readRight,
  readStop,
  readToken,
} from './read.ts'
import {
  readAnswered,
  readApproval,
  readOutside,
  readSafety,
  type Answered,
  type ApprovalAnswer,
  type ApprovalItem,
  type Safety,
} from './read-approval.ts'
import {
  readAuditCheck,
  readAuditHead,
  readAuditRow,
  type AuditCheck,
  type AuditHead,
  type AuditQuery,
  type AuditRow,
} from './read-audit.ts'
import { readFlow, readFlowDetail, readPlugin } from './read-flow.ts'
import { readNotUnderstood, readTalk, readTurns, type PastTurn, type TalkAnswer } from './read-talk.ts'
import { readErrorEvent, type ErrorItem } from './read-notification.ts'
import { readReplay, readReplayId } from './read-replay.ts'
import { readPast, type Past, type PastQuery } from '../devices/past.ts'
import { readFound, readNetworkFound, type FoundItem, type NetworkFound } from '../network/read.ts'
import type {
  Claim,
  Clients,
  CommandItem,
  DeviceItem,
  Dispatched,
  FlowDetail,
  FlowItem,
  HealthItem,
  JournalItem,
  Me,
  PluginItem,
  Replay,
  RightItem,
  StopAnswer,
} from './types.ts'

const DEADLINE_MS = 10_000
/** For what walks through everything the hub has, such as the check of the audit. */
const LONG_MS = 60_000

export interface Caller {
  /** The bearer token, if somebody is signed in. */
  token(): string | undefined
  /** The hub no longer takes the token. */
  expired(): void
}

export interface ReplayWish {
  flow: string
  since: number
  until: number
  /** Other params than the flow runs with, to try them. */
  params?: Record<string, unknown>
}

export interface Hub {
  login(username: string, password: string): Promise<{ token: string; expiresIn: number }>
  me(): Promise<Me>
  claim(): Promise<Claim>
  claimWith(claim: { code: string; username: string; password: string; openToNetwork: boolean }): Promise<void>
  devices(): Promise<DeviceItem[]>
  flows(): Promise<FlowItem[]>
  commands(): Promise<CommandItem[]>
  health(): Promise<HealthItem>
  /** Newest first; `since` and `until` in ms since 1970 by the hub's clock. */
  journal(query: { topic?: string; since?: number; until?: number; limit?: number }): Promise<JournalItem[]>
  why(seq: number): Promise<JournalItem[]>
  command(device: string, intent: string, payload?: Record<string, unknown>): Promise<Dispatched>
  stop(reason: string): Promise<StopAnswer>
  /** Takes a device out of the hub: its topics, its owner, the credentials issued for it. */
  forgetDevice(id: string): Promise<void>
  /** The past of one value of a device; nothing when the hub has none of it. */
  past(query: PastQuery, signal: AbortSignal): Promise<Past | undefined>
  /** Requests to one device, newest first. */
  commandsOf(device: string): Promise<CommandItem[]>
  /** Open approvals; with `all`, also those that ended, newest first, `before` an instant by the hub's clock. */
  approvals(query?: { all?: boolean; before?: number; limit?: number }): Promise<ApprovalItem[]>
  /** One approval, open or ended; nothing when the hub knows none. */
  approval(id: string): Promise<ApprovalItem | undefined>
  /** Answers an approval; a yes that does not count rejects with the hub's words. */
  answer(answer: ApprovalAnswer): Promise<Answered>
  /** Takes back what one asked for oneself. */
  takeBack(approval: string): Promise<void>
  safety(): Promise<Safety>
  /** Why hazards are refused to this session as one from outside the building; undefined where they are not. */
  outside(): Promise<string | undefined>
  /** Asks for the release of the shop after a stop; the approval to be answered, or nothing when it is released. */
  resume(): Promise<{ approval?: ApprovalItem }>
  audit(query: AuditQuery): Promise<AuditRow[]>
  /** The inbox as the hub tells it. */
  notifications(): Promise<unknown>
  /** Marks one notification as seen by oneself; without an id, all of them. */
  seen(notification?: string): Promise<void>
  /** Error events of the last day, newest first. */
  errors(limit: number): Promise<ErrorItem[]>
  /** Says a sentence to the assistant. */
  query(conversationId: string, sentence: string): Promise<TalkAnswer>
  /** What was said in a conversation; nothing when there is none. */
  conversation(id: string): Promise<PastTurn[]>
  /** Walks the whole chain of the audit. */
  verifyAudit(): Promise<AuditCheck>
  /** Where the chain of the audit ends, and the newest signed head of it. */
  auditHead(): Promise<AuditHead>
  /** What was found on the network; nothing while the hub does not search it. */
  network(): Promise<NetworkFound | undefined>
  searchNetwork(): Promise<void>
  /** What a person decides about a found thing; `reset` takes it back. */
  decideFound(id: string, verb: 'accept' | 'ignore' | 'reset'): Promise<FoundItem>
  flow(id: string): Promise<FlowDetail>
  /** Gives a flow these params; it starts anew with them. A value that does not fit rejects, naming the field. */
  flowParams(id: string, values: Record<string, unknown>): Promise<void>
  plugins(): Promise<PluginItem[]>
  /** Begins to run recorded messages through a flow; nothing is sent. Times in ms since 1970 by the hub's clock. */
  startReplay(wish: ReplayWish): Promise<string>
  replay(id: string): Promise<Replay>
  /** Cancels a replay that runs, forgets one that ended. */
  endReplay(id: string): Promise<void>
  /** Lets a flow that is quarantined, has ended or did not load run again. */
  release(flow: string): Promise<void>
  /** MQTT clients, those in trouble first; with `text`, those it is found in. */
  clients(query: { text?: string; limit?: number }): Promise<Clients>
  /** Ends a client's connection; it may come back at once. */
  disconnect(clientId: string): Promise<void>
  /** Purges a session with all that waits in it, and ends its connection. */
  forgetSession(clientId: string): Promise<void>
  /** Whether somebody may publish a full topic now, and by which rule. */
  right(origin: string, topic: string): Promise<RightItem>
  /** What to add to this device's clock to get the hub's, in ms; from the Date header, so to a second. */
  offset(): number
}

const shaped = <T>(value: T | undefined, path: string): T => {
  if (value !== undefined) return value
  throw new Problem(0, {
    code: 'UNREADABLE',
    message: `The hub's answer to ${path} is not what this app expects. Reload the page; the hub may be newer.`,
    details: {},
  })
}

/** The hub's API for one caller. Every promise rejects with a `Problem`. */
export const hubApi = (caller: Caller): Hub => {
  let offset = 0

  const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const token = caller.token()
    const headers = new Headers(init.headers)
    headers.set('accept', 'application/json')
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
    let response: Response
    let text: string
    try {
      response = await fetch(path, {
        ...init,
        headers,
        signal: init.signal ?? AbortSignal.timeout(DEADLINE_MS),
        cache: 'no-store',
      })
      text = await response.text()
    } catch (error) {
      throw noAnswer(error)
    }
    const date = Date.parse(response.headers.get('date') ?? '')
    if (!Number.isNaN(date)) offset = clockOffset(date, Date.now())
    const body: unknown = parseBody(text)
    if (response.ok) return body
    const problem = new Problem(response.status, readError(body) ?? bareAnswer(response.status))
    if (response.status === 401 && token !== undefined) caller.expired()
    throw problem
  }

  const send = (method: 'POST' | 'PUT', path: string, body: unknown): Promise<unknown> =>
    call(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const post = (path: string, body: unknown): Promise<unknown> => send('POST', path, body)

  /** An answer that may be that there is no such thing. */
  const unlessMissing = async <T>(answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return undefined
      throw error
    }
  }

  return {
    login: async (username, password) => {
      const body = new URLSearchParams({ grant_type: 'password', username, password })
      return shaped(readToken(await call('/token', { method: 'POST', body })), '/token')
    },
    me: async () => shaped(readMe(await call('/api/me')), '/api/me'),
    claim: async () => shaped(readClaim(await call('/api/claim')), '/api/claim'),
    claimWith: async (claim) => void (await post('/api/claim', claim)),
    devices: async () => readItems(await call('/api/devices'), readDevice),
    flows: async () => readItems(await call('/api/flows'), readFlow),
    commands: async () => readItems(await call('/api/commands?limit=50'), readCommand),
    health: async () => shaped(readHealth(await call('/api/health')), '/api/health'),
    journal: async ({ topic, since, until, limit = 50 }) => {
      const query = new URLSearchParams({ order: 'newest', limit: String(limit) })
      if (topic !== undefined) query.set('topic', topic)
      if (since !== undefined) query.set('since', new Date(since).toISOString())
      if (until !== undefined) query.set('until', new Date(until).toISOString())
      return readItems(await call(`/api/journal?${query.toString()}`), readMessage)
    },
    why: async (seq) => readItems(await call(`/api/journal/${seq}/why`), readJournalItem),
    command: async (device, intent, payload) => {
      const path = `/api/device/${encodeURIComponent(device)}/command`
      return shaped(readDispatched(await post(path, payload === undefined ? { intent } : { intent, payload })), path)
    },
    stop: async (reason) => shaped(readStop(await post('/api/safety/stop', { reason })), '/api/safety/stop'),
    forgetDevice: async (id) => void (await call(`/api/devices/${encodeURIComponent(id)}`, { method: 'DELETE' })),
    past: async ({ device, field, ms, points }, signal) => {
      const query = new URLSearchParams({ field, from: `${Math.round(ms / 1000)}s`, points: String(points) })
      const path = `/api/devices/${encodeURIComponent(device)}/series`
      const ends = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
      const answer = await unlessMissing(call(`${path}?${query.toString()}`, { signal: ends }))
      return answer === undefined ? undefined : shaped(readPast(answer), path)
    },
    commandsOf: async (device) => {
      const query = new URLSearchParams({ device, limit: '50' })
      return readItems(await call(`/api/commands?${query.toString()}`), readCommand)
    },
    approvals: async ({ all = false, before, limit = 100 } = {}) => {
      const query = new URLSearchParams({ limit: String(limit), ...(all ? { all: '1' } : {}) })
      if (before !== undefined) query.set('before', new Date(before).toISOString())
      return readItems(await call(`/api/approvals?${query.toString()}`), readApproval)
    },
    approval: async (id) => readApproval(await unlessMissing(call(`/api/approvals/${encodeURIComponent(id)}`))),
    answer: async (answer) =>
      shaped(readAnswered(await post('/api/safety/hazards/approve', answer)), '/api/safety/hazards/approve'),
    takeBack: async (id) => void (await post('/api/safety/hazards/cancel', { id })),
    safety: async () => shaped(readSafety(await call('/api/safety')), '/api/safety'),
    outside: async () => readOutside(await call('/api/remote/status')),
    resume: async () => {
      const answer = readAnswered(await post('/api/safety/resume', {}))
      return answer?.approval === undefined ? {} : { approval: answer.approval }
    },
    audit: async ({ since, until, before, limit = 100, ...words }) => {
      const query = new URLSearchParams({ limit: String(limit) })
      for (const [name, value] of Object.entries(words)) if (value !== '') query.set(name, value)
      if (since !== undefined) query.set('since', new Date(since).toISOString())
      if (until !== undefined) query.set('until', new Date(until).toISOString())
      if (before !== undefined) query.set('before', String(before))
      return readItems(await call(`/api/audit?${query.toString()}`), readAuditRow)
    },
    notifications: () => call('/api/notifications'),
    seen: async (id) =>
      void (await post(
        id === undefined ? '/api/notifications/seen' : `/api/notifications/${encodeURIComponent(id)}/seen`,
        {},
      )),
    errors: async (limit) => readItems(await call(`/api/errors?limit=${limit}`), readErrorEvent),
    query: async (conversationId, sentence) => {
      const body = { conversationId, channel: 'text', input: { text: sentence } }
      try {
        return shaped(readTalk(await post('/api/query', body)), '/api/query')
      } catch (error) {
        const answer =
          error instanceof Problem ? readNotUnderstood(conversationId, error.message, error.details) : undefined
        if (answer) return answer
        throw error
      }
    },
    conversation: async (id) => {
      const answer = await unlessMissing(call(`/api/conversations/${encodeURIComponent(id)}`))
      return answer === undefined ? [] : readTurns(id, answer)
    },
    verifyAudit: async () => {
      const path = '/api/audit/verify'
      return shaped(readAuditCheck(await call(path, { signal: AbortSignal.timeout(LONG_MS) })), path)
    },
    auditHead: async () => shaped(readAuditHead(await call('/api/audit/head')), '/api/audit/head'),
    network: async () => {
      const path = '/api/network/found'
      const answer = await unlessMissing(call(path))
      return answer === undefined ? undefined : shaped(readNetworkFound(answer), path)
    },
    searchNetwork: async () => void (await post('/api/network/search', {})),
    decideFound: async (id, verb) => {
      const path = `/api/network/found/${encodeURIComponent(id)}/${verb}`
      return shaped(readFound(await post(path, {})), path)
    },
    flow: async (id) => {
      const path = `/api/flows/${encodeURIComponent(id)}`
      return shaped(readFlowDetail(await call(path)), path)
    },
    flowParams: async (id, values) => void (await send('PUT', `/api/flows/${encodeURIComponent(id)}/params`, values)),
    plugins: async () => readItems(await call('/api/plugins'), readPlugin),
    startReplay: async ({ flow, since, until, params }) => {
      const body = { flow, since: new Date(since).toISOString(), until: new Date(until).toISOString() }
      const answer = await post('/api/replays', params === undefined ? body : { ...body, params })
      return shaped(readReplayId(answer), '/api/replays')
    },
    replay: async (id) => {
      const path = `/api/replays/${encodeURIComponent(id)}`
      return shaped(readReplay(await call(path)), path)
    },
    endReplay: async (id) => void (await call(`/api/replays/${encodeURIComponent(id)}`, { method: 'DELETE' })),
    release: async (flow) => void (await post(`/api/flows/${encodeURIComponent(flow)}/release`, {})),
    clients: async ({ text = '', limit = 200 }) => {
      const query = new URLSearchParams({ limit: String(limit), ...(text === '' ? {} : { text }) })
      return shaped(readClients(await call(`/api/broker/clients?${query.toString()}`)), '/api/broker/clients')
    },
    disconnect: async (id) => void (await post(`/api/broker/clients/${encodeURIComponent(id)}/disconnect`, {})),
    forgetSession: async (id) =>
      void (await call(`/api/broker/clients/${encodeURIComponent(id)}/session`, { method: 'DELETE' })),
    right: async (origin, topic) => {
      const query = new URLSearchParams({ origin, topic })
      return shaped(readRight(await call(`/api/broker/right?${query.toString()}`)), '/api/broker/right')
    },
    offset: () => offset,
  }
}

const parseBody = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The Date header has whole seconds, so a difference within one and a half of them is none. */
export const clockOffset = (hub: number, here: number): number =>
  Math.abs(hub + 500 - here) <= 1500 ? 0 : hub + 500 - here
