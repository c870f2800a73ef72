// `npm run record`: cuts a fixture out of the journal that `play` accepts: times from its beginning, people taken out.
import { parseArgs } from 'node:util'
import path from 'node:path'
import type { Config } from '../config.ts'
import { anyMatcher, isFilter } from '../bus/filters.ts'
import { Fatal, Invalid, reasonOf } from '../errors.ts'
import { lengthOf, timeOf } from './times.ts'
import type { TopicTable } from '../topics/table.ts'
import { anonymiser, type Anonymiser } from './anonymise.ts'
import type { Entry } from './entry.ts'
import { openPast, type Past } from './past.ts'
import { kindAt, stampAt, topicAt } from './record.ts'

const USAGE = `npm run record -- --topic 'jarvis/devices/+/telemetry' --last 10m > fixture.ts
                [--topic …] [--since …] [--until …] [--devices] [--raw] [--json] [--most 10000]
Writes recorded messages as a fixture for play() on standard output.
People, badges, addresses and secrets are replaced; --devices replaces device ids, too; --raw replaces nothing.`

const OPTIONS = {
  topic: { type: 'string', multiple: true },
  last: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string', default: 'now' },
  devices: { type: 'boolean', default: false },
  raw: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  most: { type: 'string', default: '10000' },
  help: { type: 'boolean', default: false },
} as const

/** A message as `play` takes it. */
interface Played {
  topic: string
  params: Record<string, string>
  payload: unknown
}

export interface Fixture {
  /** What it is and what was replaced, in one line. */
  about: string
  /** Wall-clock time at '0s', for `play`'s `start`. */
  start: string
  retained: Played[]
  timeline: Record<string, Played | Played[]>
}

export interface Cut {
  since: number
  until: number
  filters: readonly string[]
  devices: boolean
  raw: boolean
  most: number
}

/** The fixture of a range, and what of it could not be taken. Throws Fatal when there are more messages than wanted. */
export const cutFixture = (past: Past, table: TopicTable, cut: Cut): { fixture: Fixture; left: number } => {
  const fits = anyMatcher(cut.filters)
  const people = cut.raw ? undefined : anonymiser({ devices: cut.devices })
  const isWanted = (bytes: Buffer, at: number): boolean =>
    kindAt(bytes, at) === 'message' &&
    stampAt(bytes, at) >= cut.since &&
    stampAt(bytes, at) <= cut.until &&
    fits(topicAt(bytes, at))
  const recorded: { at: number; played: Played }[] = []
  let left = 0
  let firstSeq: number | undefined
  for (const entry of past.entries(cut, isWanted)) {
    firstSeq ??= entry.seq
    const played = playedOf(table, entry)
    if (played === undefined) left++
    else recorded.push({ at: entry.at, played })
    if (recorded.length > cut.most)
      throw new Fatal(
        `There are more than ${cut.most} messages: choose a shorter range, a narrower --topic, or a greater --most.`,
      )
  }
  if (recorded.length === 0 && left === 0)
    throw new Fatal(`Nothing was recorded on ${cut.filters.join(', ')} in this range.`)
  const before = [...past.retainedAt((firstSeq ?? 1) - 1, fits).values()].flatMap(
    (entry) => playedOf(table, entry) ?? [],
  )
  for (const played of [...before, ...recorded.map((each) => each.played)]) changed(table, played, people)
  people?.learned()
  const retained = before.flatMap((played) => changed(table, played, people) ?? [])
  const found = recorded.flatMap(({ at, played }) => {
    const made = changed(table, played, people)
    if (made === undefined) left++
    return made === undefined ? [] : [{ at, played: made }]
  })
  const start = found[0]?.at ?? cut.since
  const timeline: Fixture['timeline'] = {}
  for (const { at, played } of found) {
    const when = `${(at - start) / 1000}s`
    const earlier = timeline[when]
    timeline[when] = earlier === undefined ? played : [earlier, played].flat()
  }
  const about = `${found.length} messages on ${cut.filters.join(', ')}. ${replacedBy(people)}`
  return { fixture: { about, start: new Date(start).toISOString(), retained, timeline }, left }
}

const replacedBy = (people: Anonymiser | undefined): string => {
  if (people === undefined) return 'NOT anonymised: names, badges and addresses are as they were recorded.'
  const { people: names, numbers, places, devices } = people.counts()
  return `Anonymised: ${names} people, badges and conversations (${numbers} of them numbers), ${places} addresses, places and secrets replaced, senders left out; ${devices === 0 ? 'device ids are the real ones' : `${devices} device ids replaced`}. Free text may still say more: read it before you publish it.`
}

/** Undefined for what `play` cannot take: topics without a row, payloads that do not fit, and cleared topics. */
const playedOf = (table: TopicTable, { topic, payload }: Entry): Played | undefined => {
  const match = table.match(topic)
  if (match === undefined || payload.length === 0) return undefined
  const decoded = table.decode(match.row, payload)
  return decoded.ok ? { topic: match.key, params: { ...match.params }, payload: decoded.payload } : undefined
}

/** The message without people; undefined when it no longer fits its schema, and so is none. */
const changed = (table: TopicTable, played: Played, people: Anonymiser | undefined): Played | undefined => {
  if (people === undefined) return played
  const { topic, params, payload } = played
  const made = { topic, params: people.params(params), payload: people.payload(payload) }
  return table.rows.get(topic)?.payload.safeParse(made.payload).success === true ? made : undefined
}

/** The fixture as a file: TypeScript, or JSON whose first line is what it is. */
export const fixtureText = ({ about, start, retained, timeline }: Fixture, json: boolean): string => {
  if (json) {
    const rows = Object.entries(timeline).map(([when, each]) => `    ${JSON.stringify(when)}: ${JSON.stringify(each)}`)
    return `{ "about": ${JSON.stringify(about)},\n  "start": ${JSON.stringify(start)},\n  "retained": ${JSON.stringify(retained)},\n  "timeline": {\n${rows.join(',\n')}\n  } }\n`
  }
  const rows = Object.entries(timeline).map(([when, each]) => `  ${JSON.stringify(when)}: ${JSON.stringify(each)},\n`)
  return [
    `// ${about}\n`,
    `import type { PlayOptions, Timeline } from '#hub/testing'\n\n`,
    `export const start = ${JSON.stringify(start)}\n\n`,
    `export const retained: NonNullable<PlayOptions['retained']> = ${JSON.stringify(retained)}\n\n`,
    `export const timeline: Timeline = {\n${rows.join('')}}\n`,
  ].join('')
}

/** Runs the command; resolves to its exit code. Never rejects. */
export const recordCommand = async (
  args: readonly string[],
  config: Config,
  tableOf: (config: Config) => Promise<TopicTable>,
  to: { out(text: string): void; err(text: string): void },
): Promise<number> => {
  try {
    const values = parsed(args)
    if (values.help) {
      to.out(`${USAGE}\n`)
      return 0
    }
    const filters = values.topic ?? []
    if (filters.length === 0) throw new Fatal(`Say which topics: --topic.\n\n${USAGE}`)
    for (const filter of filters)
      if (!isFilter(filter)) throw new Invalid('--topic', filter, 'must be an MQTT topic filter')
    const most = Number(values.most)
    if (!Number.isInteger(most) || most < 1 || most > 1_000_000)
      throw new Invalid('--most', values.most, 'must be a whole number from 1 to 1000000')
    const past = openPast(path.join(config.DATA_DIR, 'journal'))
    const cut = { ...rangeOf(values), filters, devices: values.devices, raw: values.raw, most }
    const { fixture, left } = cutFixture(past, await tableOf(config), cut)
    to.out(fixtureText(fixture, values.json))
    if (left > 0) to.err(`${left} messages were left out: no topic table knows them, or they do not fit.\n`)
    return 0
  } catch (error) {
    to.err(`${reasonOf(error)}\n`)
    return 2
  }
}

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values
  } catch (error) {
    throw new Fatal(`${reasonOf(error)}\n\n${USAGE}`)
  }
}

const rangeOf = ({ last, since, until }: { last?: string; since?: string; until: string }) => {
  const now = Date.now()
  const end = timeOf('--until', until, now)
  if (last !== undefined) {
    const length = lengthOf(last)
    if (length === undefined) throw new Invalid('--last', last, 'must be a length such as 90s, 10m or 2h')
    return { since: end - length, until: end }
  }
  const begin = timeOf('--since', since ?? '10m', now)
  if (begin >= end) throw new Invalid('--since', since, 'must be earlier than --until')
  return { since: begin, until: end }
}
