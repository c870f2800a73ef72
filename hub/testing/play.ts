// Plays messages to a flow on the logical clock and reads what it publishes, by the second: the same code that runs live.
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadTopicTables } from '../runner/topic-files.ts'
import { type Item, type Output, tickAt } from '../runner/frame.ts'
import { FlowHost } from '../runner/host.ts'
import type { Site } from '../runner/host-calendar.ts'
import { ownTime } from '../streams/clock.ts'
import type { Flow } from '../streams/flow.ts'
import type { Message } from '../streams/message.ts'
import { type TopicTable, topicTable } from '../topics/table.ts'

/** When something happens, from the start of the play: `'0s'`, `'1.5s'`, `'250ms'`, `'5m'`, `'2h'`. */
export type When = `${number}${'ms' | 's' | 'm' | 'h'}`

/** What happens when: one message or several, in their order. */
export type Timeline = Partial<Record<When, Message | readonly Message[]>>

export interface PlayOptions {
  /** What is retained when the flow starts: `from.latest` begins with these. */
  retained?: readonly Message[]
  /** Values of its params; the others have their defaults. */
  params?: Readonly<Record<string, unknown>>
  /** What it kept before, by key: `{ total: 3, 'device=dust/peak': 7 }`. */
  kept?: Readonly<Record<string, unknown>>
  /** Where it happens, for `schedule`. Default: UTC, without sunrise and sunset. */
  site?: Site
  /** How long to play. Default: an hour after the last message, or until no timer waits. */
  until?: When
  /** Wall-clock time at `'0s'`, ISO 8601. Default 2026-01-01T00:00:00Z. */
  start?: string
}

const START = '2026-01-01T00:00:00.000Z'
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const AFTER_LAST_MS = UNIT_MS.h
const MOST_OUTPUTS = 100_000

const plugins = fileURLToPath(new URL('../../plugins/', import.meta.url))
const topicFiles = (existsSync(plugins) ? readdirSync(plugins) : [])
  .map((plugin) => path.join(plugins, plugin, 'topics.ts'))
  .filter((file) => existsSync(file))
const table: TopicTable = topicTable(await loadTopicTables(topicFiles), 'play')

/**
 * Plays `timeline` to `flow` and returns what it published, by time from the start in seconds: one message, or an array
 * when there are several at once. Throws what the flow throws, and an error that names the field when a message does not
 * fit its topic. While it runs, time and chance of this realm are the flow's.
 */
export const play = (flow: Flow, timeline: Timeline, options: PlayOptions = {}): Timeline =>
  performed(flow, timeline, options).said

/** Plays the same way and returns what the flow keeps at the end, by key. */
export const keptAfter = (flow: Flow, timeline: Timeline, options: PlayOptions = {}): Record<string, unknown> =>
  performed(flow, timeline, options).kept

const performed = (
  flow: Flow,
  timeline: Timeline,
  options: PlayOptions,
): { said: Timeline; kept: Record<string, unknown> } => {
  const start = Date.parse(options.start ?? START)
  if (Number.isNaN(start)) throw new Error(`start: '${options.start}' is no time in ISO 8601`)
  let seq = 0
  const retained = (options.retained ?? []).map((message) => itemOf(message, ++seq, start))
  const since = seq
  const items = Object.entries(timeline)
    .map(([when, messages]) => ({ at: start + msOf(when), messages: [messages ?? []].flat() }))
    .sort((a, b) => a.at - b.at)
    .flatMap(({ at, messages }) => messages.map((message) => itemOf(message, ++seq, at)))
  const outputs: Output[] = []
  // RxJS would swallow what is thrown from here: what goes wrong is kept and thrown between turns.
  const wrong: unknown[] = []
  const check = (): void => {
    if (wrong.length > 0) throw wrong[0]
  }
  const kept: Record<string, unknown> = { ...options.kept }
  const host = new FlowHost(
    table,
    {
      output: (output) => void outputs.push(output),
      kept({ key, value }) {
        if (value === undefined) Reflect.deleteProperty(kept, key)
        else kept[key] = value
      },
      setAside: ({ key }) => void Reflect.deleteProperty(kept, key),
      failed: (_, error) => void wrong.push(error),
      ended: () => {},
      bad({ topic }, { field, constraint }) {
        wrong.push(new Error(`play: the message on '${topic}' does not fit: ${field || 'payload'}: ${constraint}`))
      },
    },
    options.site,
  )
  const giveBack = ownTime()
  try {
    host.define(1, flow, { at: start, params: { ...options.params } })
    host.start(1, { at: start, since, retained, kept: options.kept ?? {}, name: 'play' })
    check()
    for (const item of items) {
      host.take(item)
      check()
    }
    const last = items.at(-1)?.at ?? start
    const end = options.until === undefined ? last + AFTER_LAST_MS : start + msOf(options.until)
    while (host.next <= end) {
      host.take(tickAt(host.next, seq))
      check()
      if (outputs.length > MOST_OUTPUTS)
        throw new Error(`more than ${MOST_OUTPUTS} outputs: play it shorter, with until`)
    }
    host.stop(1)
  } finally {
    giveBack()
  }
  return { said: timelineOf(outputs, start), kept }
}

const msOf = (when: string): number => {
  const [, n, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(when) ?? []
  if (n === undefined || !isUnit(unit))
    throw new Error(`'${when}' is no time: write '0s', '1.5s', '250ms', '5m' or '2h'`)
  return Math.round(Number(n) * UNIT_MS[unit])
}

const isUnit = (unit: string | undefined): unit is keyof typeof UNIT_MS => unit !== undefined && unit in UNIT_MS

const itemOf = (message: Message, seq: number, at: number): Item => ({
  seq,
  at,
  topic: table.address(message.topic, message.params),
  origin: 'person:play',
  payload: Buffer.from(JSON.stringify(message.payload)),
  skip: [],
})

const timelineOf = (outputs: readonly Output[], start: number): Timeline => {
  const timeline: Record<string, Message | Message[]> = {}
  for (const { at, topic, payload } of outputs) {
    const match = table.match(topic)
    if (match === undefined) throw new Error(`the flow published '${topic}', which no topic table knows`)
    // The host checked the payload against the row of this topic before it wrote these bytes.
    const message = {
      topic: match.key,
      params: { ...match.params },
      payload: JSON.parse(payload.toString()) as unknown,
    } as unknown as Message
    const when = `${(at - start) / 1000}s`
    const before = timeline[when]
    timeline[when] = before === undefined ? message : [before, message].flat()
  }
  return timeline
}
