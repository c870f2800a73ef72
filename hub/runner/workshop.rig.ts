// A workshop of flows that remember, traffic for them, and what they would have said had nothing happened. For tests.
import { setTimeout as pause } from 'node:timers/promises'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import type { Principal } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import type { Flow } from '../streams/flow.ts'
import { ownTime } from '../streams/clock.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { FlowHost } from './host.ts'
import { tickAt } from './frame.ts'
import type { Testbed } from './testbed.ts'

const WORKSHOP = fileURLToPath(new URL('./fixtures/workshop/', import.meta.url))
const DEVICES = ['d0', 'd1', 'd2']
/** The flows of the workshop, by name of their file. */
export const files = (): Record<string, string> =>
  Object.fromEntries(readdirSync(WORKSHOP).map((name) => [name, readFileSync(path.join(WORKSHOP, name), 'utf8')]))

interface Skipped {
  flow: string
  edge: number
  from: number
  to: number
}

interface Said {
  flow: string
  n: number
  cause: number
  topic: string
  payload: string
}

/** What the flows would have said had nothing happened: the same host, offline, over the same record. Messages that an edge had no room for, because the machine gave its process no time, are in the record, too. */
const undisturbed = async (bed: Testbed, until: number): Promise<Said[]> => {
  const starts = new Map<string, { seq: number; at: number }>()
  for (const { kind, payload } of bed.notes) {
    const { flow, ...start } = payload as { flow: string; seq: number; at: number }
    if (kind === 'flow-start' && !starts.has(flow)) starts.set(flow, start)
  }
  const skips = bed.notes.flatMap(({ kind, payload }) => (kind === 'flow-skip' ? [payload as Skipped] : []))
  const said: Said[] = []
  const names = [...starts.keys()]
  const flows = await Promise.all(
    names.map(async (name) => {
      const url = pathToFileURL(path.join(WORKSHOP, `${name}.ts`)).href
      return ((await import(/* @vite-ignore */ url)) as { default: Flow }).default
    }),
  )
  const restore = ownTime()
  try {
    const host = new FlowHost(topicTable([core], 'jarvis'), {
      output: ({ flow, n, cause, topic, payload }) =>
        said.push({ flow: names[flow] ?? '', n, cause, topic, payload: payload.toString() }),
      kept() {},
      setAside() {},
      failed(_, error) {
        throw error
      },
      ended() {},
      bad() {},
    })
    for (const [i, flow] of flows.entries()) {
      const { seq, at } = starts.get(names[i] ?? '') ?? { seq: 0, at: 0 }
      host.define(i, flow, { at })
      host.start(i, { at, since: seq, name: names[i] ?? '' })
    }
    for (const { seq, at, topic, origin, payload } of bed.bus.log) {
      if (at > until || topic.endsWith('/poison/event')) continue
      const skip = skips
        .filter(({ from, to }) => seq >= from && seq <= to)
        .map(({ flow, edge }) => names.indexOf(flow) * 1024 + edge)
      host.take({ seq, at, topic, origin, payload, skip })
    }
    host.take(tickAt(until, Infinity))
  } finally {
    restore()
  }
  return said
}

const keyOf = ({ flow, n, cause, topic, payload }: Said): string => `${flow} ${n} ${cause} ${topic} ${payload}`

const real = ({ bus }: Testbed): Said[] =>
  bus.log
    .filter(({ origin, topic }) => origin.startsWith('flow:') && origin !== 'flow:faults' && topic.endsWith('/event'))
    .map(({ origin, n, cause, topic, payload }) => ({
      flow: origin.slice(5),
      n,
      cause,
      topic,
      payload: payload.toString(),
    }))

/** A device as a principal. */
export const owner = (id: string): Principal => ({ kind: 'device', id, roles: [] })
const sample = (bed: Testbed, device: string, v: number) =>
  bed.bus.publish(owner(device), message('devices/{device}/telemetry', { device }, { v }))

/** Samples for `ms`, `perMs` of them in each, and what happens on the way. */
export const traffic = async (
  bed: Testbed,
  ms: number,
  events: { at: number; do: () => void }[],
  perMs = 1,
): Promise<void> => {
  const begun = performance.now()
  const left = [...events]
  for (let sent = 0; performance.now() - begun < ms;) {
    const now = performance.now() - begun
    for (; sent < now * perMs; sent++) sample(bed, DEVICES[(sent * 7) % DEVICES.length] ?? '', sent)
    while (left[0] !== undefined && left[0].at <= now) left.shift()?.do()
    await pause(1)
  }
}

/** Fails when an output of a healthy flow is missing, came twice, or is another one. `atLeast` outputs are expected. */
export const compare = async (bed: Testbed, atLeast = 500): Promise<void> => {
  // Everything due is said: a last sample for each, and time for the timers behind it.
  for (const device of DEVICES) sample(bed, device, -1)
  const end = bed.clock.now()
  await bed.until(
    () => bed.runner.flows().every(({ status }) => status === 'running' || status === 'quarantined'),
    () => bed.runner.flows().map(({ id, status }) => `${id} ${status}`),
  )
  const want = (await undisturbed(bed, end)).map(keyOf)
  const wanted = new Set(want)
  const isOld = ({ payload }: Said) => (JSON.parse(payload) as { now?: number }).now ?? 0
  const had = () => real(bed).filter((said) => isOld(said) <= end)
  await pause(300)
  await bed
    .until(
      () => had().length >= wanted.size,
      () => 'outputs are missing',
    )
    .catch(() => {})
  const said = had().map(keyOf)
  const isSaid = new Set(said)
  const lost = want.filter((key) => !isSaid.has(key)).slice(0, 10)
  const different = said.filter((key) => !wanted.has(key)).slice(0, 10)
  const seen = new Set<string>()
  const doubled = said.filter((key) => seen.size === seen.add(key).size).slice(0, 10)
  expect({ lost, doubled, different }).toEqual({ lost: [], doubled: [], different: [] })
  expect(want.length).toBeGreaterThan(atLeast)
}

/** Tells the flow `faults` what to do. */
export const poison = (bed: Testbed, type: string) =>
  bed.bus.publish(owner('poison'), message('devices/{device}/event', { device: 'poison' }, { type }))
