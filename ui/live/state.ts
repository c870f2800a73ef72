// What the app knows of the workshop, and how each answer and each message changes it. Pure; times in ms by this device's clock.
import { readApproval, type ApprovalItem } from '../api/read-approval.ts'
import { readNotification, type NotificationItem } from '../api/read-notification.ts'
import { readFlow } from '../api/read-flow.ts'
import { readContext, type ContextItem } from '../api/read-talk.ts'
import { isRecord, readDevice, readHealth, readItems, type Json } from '../api/read.ts'
import type { CommandItem, DeviceItem, FlowItem, HealthItem, JournalItem } from '../api/types.ts'
import { withKnown } from '../flow/known.ts'
import { nextCadence } from './age.ts'
import { endedOrGone, heardApproval, openApprovals, type ApprovalView } from './approvals.ts'
import { fromCommand, heard, merge, type RequestView } from './request.ts'
import { deviceTopic } from './topic.ts'

export interface DeviceView extends DeviceItem {
  telemetry: Json
  /** When this page or the hub last heard the device; 0 for never. */
  receivedAt: number
  /** Its rhythm in ms; 0 while unknown. */
  cadence: number
  /** The last numbers of each value, oldest first. */
  trail: Readonly<Record<string, readonly number[]>>
}

export interface MessageView {
  key: string
  /** Known when it was read from the journal. */
  seq?: number
  at: number
  /** Without the prefix. */
  topic: string
  payload: unknown
  /** Known when it was read from the journal. */
  origin?: string
}

export interface Workshop {
  devices: ReadonlyMap<string, DeviceView>
  requests: ReadonlyMap<string, RequestView>
  /** Newest first. */
  messages: readonly MessageView[]
  flows: readonly FlowItem[]
  health: HealthItem | undefined
  /** Those that are open, and those that ended while this page looked. */
  approvals: ReadonlyMap<string, ApprovalView>
  /** What conversations are about. */
  contexts: ReadonlyMap<string, ContextItem>
  /** Notifications; undefined before the first word of them. */
  inbox: readonly NotificationItem[] | undefined
}

export const EMPTY: Workshop = {
  devices: new Map(),
  requests: new Map(),
  messages: [],
  flows: [],
  health: undefined,
  approvals: new Map(),
  contexts: new Map(),
  inbox: undefined,
}

/** Bounds of what the page keeps. */
export const KEEP = { messages: 200, requests: 100, trail: 60, contexts: 50 } as const

const trailed = (trail: DeviceView['trail'], values: Json): DeviceView['trail'] => {
  const next: Record<string, readonly number[]> = { ...trail }
  for (const [name, value] of Object.entries(values))
    if (typeof value === 'number') next[name] = [...(trail[name] ?? []), value].slice(-KEEP.trail)
  return next
}

/**
 * The list of the API replaces what was known; live detail of a device that is still there is kept, and so is what was
 * heard from it after the list was asked for. `offset`: what to add to this device's clock to get the hub's.
 */
export const withDevices = (
  workshop: Workshop,
  items: readonly DeviceItem[],
  { offset, askedAt }: { offset: number; askedAt: number },
): Workshop => ({
  ...workshop,
  devices: new Map(
    items.map((item) => {
      const known = workshop.devices.get(item.id)
      const seen = item.lastSeen === 0 ? 0 : item.lastSeen - offset
      const newer = known !== undefined && known.receivedAt >= askedAt
      return [
        item.id,
        {
          ...item,
          ...(newer ? { state: known.state, online: known.online } : {}),
          telemetry: known?.telemetry ?? {},
          receivedAt: Math.max(seen, known?.receivedAt ?? 0),
          cadence: known?.cadence ?? 0,
          trail: known?.trail ?? trailed({}, item.state),
        },
      ]
    }),
  ),
})

const bounded = (requests: Map<string, RequestView>): Map<string, RequestView> => {
  if (requests.size <= KEEP.requests) return requests
  const oldest = [...requests.values()].sort((a, b) => a.issuedAt - b.issuedAt).slice(0, requests.size - KEEP.requests)
  for (const { id } of oldest) requests.delete(id)
  return requests
}

export const withCommands = (workshop: Workshop, items: readonly CommandItem[]): Workshop => {
  const requests = new Map(workshop.requests)
  for (const item of items) requests.set(item.commandId, merge(fromCommand(item), requests.get(item.commandId)))
  return { ...workshop, requests: bounded(requests) }
}

/** The open approvals as the API lists them; what was heard since they were asked for stays. */
export const withApprovals = (workshop: Workshop, items: readonly ApprovalItem[], askedAt: number): Workshop => ({
  ...workshop,
  approvals: openApprovals(workshop.approvals, items, askedAt),
})

export const fromJournal = (item: JournalItem, short: (topic: string) => string): MessageView => ({
  key: `j${item.seq}`,
  seq: item.seq,
  at: item.at,
  topic: short(item.topic),
  payload: item.payload,
  origin: item.origin,
})

/** The journal's newest replace what was heard before they were read; what came since stays on top. */
export const withJournal = (workshop: Workshop, items: readonly MessageView[], askedAt: number): Workshop => ({
  ...workshop,
  messages: [...workshop.messages.filter(({ seq, at }) => seq === undefined && at > askedAt), ...items].slice(
    0,
    KEEP.messages,
  ),
})

export interface HeardMessage {
  /** Without the prefix. */
  topic: string
  payload: unknown
  /** A retained message tells how things are, not that something was said now. */
  retained: boolean
  at: number
  n: number
}

const known = (workshop: Workshop, id: string): DeviceView =>
  workshop.devices.get(id) ?? {
    id,
    name: id,
    kind: 'device',
    online: false,
    owner: '',
    state: {},
    lastSeen: 0,
    intents: {},
    safe: [],
    telemetry: {},
    receivedAt: 0,
    cadence: 0,
    trail: {},
  }

const spoken = (device: DeviceView, { retained, at }: HeardMessage): DeviceView => {
  if (retained) return device
  const gap = device.receivedAt === 0 ? 0 : at - device.receivedAt
  return { ...device, receivedAt: at, cadence: nextCadence(device.cadence, gap) }
}

const withDeviceMessage = (workshop: Workshop, id: string, leaf: string, message: HeardMessage): Workshop => {
  const { payload } = message
  if (leaf === 'about' && (payload === '' || payload === null)) {
    // An empty retained payload takes the device away (MQTT 5, 3.3.1.3).
    const devices = new Map(workshop.devices)
    devices.delete(id)
    return { ...workshop, devices }
  }
  const before = known(workshop, id)
  let device: DeviceView | undefined
  if (leaf === 'state' && isRecord(payload))
    device = { ...spoken(before, message), state: payload, trail: trailed(before.trail, payload) }
  else if (leaf === 'telemetry' && isRecord(payload))
    device = {
      ...spoken(before, message),
      telemetry: { ...before.telemetry, ...payload },
      trail: trailed(before.trail, payload),
    }
  else if (leaf === 'online' && typeof payload === 'boolean') device = { ...spoken(before, message), online: payload }
  else if (leaf === 'about' && isRecord(payload)) {
    const item = readDevice({ ...payload, id })
    if (item) {
      // What about does not say stays as it was known.
      const { online, owner, state, lastSeen } = before
      device = { ...before, ...item, online, owner, state, lastSeen }
    }
  }
  if (!device) return workshop
  return { ...workshop, devices: new Map(workshop.devices).set(id, device) }
}

const withRequestMessage = (workshop: Workshop, id: string, leaf: string, message: HeardMessage): Workshop => {
  const { payload, at } = message
  const key = isRecord(payload) && typeof payload['id'] === 'string' ? payload['id'] : ''
  const before = workshop.requests.get(key)
  const after = heard(before, leaf, id, payload, at)
  if (!after || after === before) return workshop
  return { ...workshop, requests: bounded(new Map(workshop.requests).set(after.id, after)) }
}

const withApprovalMessage = (workshop: Workshop, id: string, { payload, at }: HeardMessage): Workshop => {
  if (payload === '' || payload === null) return { ...workshop, approvals: endedOrGone(workshop.approvals, id) }
  const item = readApproval(payload)
  return item ? { ...workshop, approvals: heardApproval(workshop.approvals, item, at) } : workshop
}

const withContextMessage = (workshop: Workshop, id: string, payload: unknown): Workshop => {
  const contexts = new Map(workshop.contexts)
  const item = readContext(payload)
  contexts.delete(id)
  if (item) contexts.set(id, item)
  // In the order they were heard: the one that was silent longest goes.
  const [oldest] = contexts.keys()
  if (contexts.size > KEEP.contexts && oldest !== undefined) contexts.delete(oldest)
  return { ...workshop, contexts }
}

/** The whole inbox at once, as its topic and the API tell it. */
export const withInbox = (workshop: Workshop, payload: unknown): Workshop =>
  isRecord(payload) && Array.isArray(payload['items'])
    ? { ...workshop, inbox: readItems(payload, readNotification) }
    : workshop

/** One heard message. Messages that do not fit are shown in the list and change nothing else. */
export const withMessage = (workshop: Workshop, message: HeardMessage): Workshop => {
  const { topic, payload, retained, at, n } = message
  // The inbox says the same again with each change: it is not kept among the messages.
  if (topic === 'notify/inbox') return withInbox(workshop, payload)
  let next = workshop
  const device = deviceTopic(topic)
  if (device) {
    const { leaf } = device
    next = ['request', 'cmd', 'ack', 'result'].includes(leaf)
      ? withRequestMessage(workshop, device.device, leaf, message)
      : withDeviceMessage(workshop, device.device, leaf, message)
  } else if (topic === 'hub/flows')
    next = { ...workshop, flows: withKnown(workshop.flows, readItems(payload, readFlow)) }
  else if (topic.startsWith('approvals/'))
    next = withApprovalMessage(workshop, topic.slice('approvals/'.length), message)
  else if (topic.startsWith('ctx/')) next = withContextMessage(workshop, topic.slice('ctx/'.length), payload)
  else if (topic === 'hub/health') next = { ...workshop, health: readHealth(payload) ?? workshop.health }
  if (retained) return next
  return { ...next, messages: [{ key: `m${n}`, at, topic, payload }, ...next.messages].slice(0, KEEP.messages) }
}
