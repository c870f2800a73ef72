// Section nodered: the same rules as flows of Millrace and as core nodes of Node-RED beside Mosquitto, at 1, 50, 500 rules.
import { hasMosquitto } from '../brokers.ts'
import { contend, type Contender, type Row } from '../contender.ts'
import type { Version } from '../load/flows.ts'
import { installLine, NODE_RED, nodeRed, nodeRedEach, nodeRedOne } from '../node-red.ts'
import { millrace, millraceNone, millraceOne, type System } from '../systems.ts'
import { median, ratio, rounded, spread, type Section } from '../table.ts'

interface Entry {
  contender: Contender
  rows: Row[]
}

/** ms at full rate before anything counts: 500 rules need longer until each is compiled. */
const warmMs = (rules: number): number => Math.min(12_000, 4000 + 20 * rules)
const VERSIONS: readonly Version[] = [4, 5]
const nameOf = (version: Version): string => (version === 5 ? '5' : '3.1.1')
/** Rounds in which nothing came do not count: they are in the column `lost`. */
const of = (entry: Entry | undefined, pick: (row: Row) => number): number =>
  median((entry?.rows ?? []).map(pick).filter(Number.isFinite))

/** Starts all, warms each, and measures them in turn, round by round; ends all whatever happens. */
const measured = async (
  wanted: readonly (readonly [System, number, Version])[],
  { rounds, ms }: { rounds: number; ms: number },
): Promise<Entry[]> => {
  const entries: Entry[] = []
  try {
    for (const [system, rules, version] of wanted) {
      process.stderr.write(`starting ${system.name}, ${rules} rules, MQTT ${nameOf(version)}\n`)
      const contender = await contend(system, rules, version)
      entries.push({ contender, rows: [] })
      await contender.warm(warmMs(rules))
    }
    for (let round = 0; round < rounds; round++) {
      for (const { contender, rows } of entries) {
        rows.push(await contender.measure(ms))
        const { name, rules, version } = contender
        process.stderr.write(`round ${round + 1} of ${rounds}: ${name}, ${rules} rules, MQTT ${nameOf(version)}\n`)
      }
    }
    return entries
  } finally {
    await Promise.all(entries.map(({ contender }) => contender.stop()))
  }
}

const goalsOf = (entries: readonly Entry[], most: number, middle: number): string[][] => {
  const find = (name: string, rules: number, version: Version = 4) =>
    entries.find(({ contender: c }) => c.name === name && c.rules === rules && c.version === version)
  const rows: string[][] = []
  const goal = (what: string, figure: number, limit: number, shown: (value: number) => string, isAtMost = true) => {
    const aim = `${isAtMost ? '≤' : '≥'} ${shown(limit)}`
    if (!Number.isFinite(figure)) return void rows.push([what, 'not measured', aim, ''])
    const isMet = isAtMost ? figure <= limit : figure >= limit
    rows.push([what, shown(figure), aim, isMet ? 'met' : 'missed'])
  }
  const part = (value: number) => `1/${(1 / value).toFixed(1)}`
  const times = (value: number) => `${value.toFixed(2)} ×`
  for (const version of VERSIONS) {
    for (const rules of new Set([middle, most])) {
      const [own, peer] = [find(millrace.name, rules, version), find('Node-RED + Mosquitto', rules, version)]
      const at = `${rules} rules, MQTT ${nameOf(version)}`
      const share = rules >= 500 ? 1 / 30 : 1 / 6
      goal(`CPU per message against Node-RED, ${at}`, of(own, (r) => r.cpuUs) / of(peer, (r) => r.cpuUs), share, part)
      goal(
        `sustained against Node-RED, ${at}`,
        of(own, (r) => r.perSecond) / of(peer, (r) => r.perSecond),
        4,
        times,
        false,
      )
      goal(`p50 at 1,000/s against Node-RED, ${at}`, of(own, (r) => r.p50) / of(peer, (r) => r.p50), 1 / 4, part)
    }
  }
  const cost = (name: string, rules: number) => of(find(name, rules), (r) => r.cpuUs)
  const grown = cost(millrace.name, most) / cost(millrace.name, 1)
  goal(`Millrace: cost of ${most} flows on ${most} topics against 1 flow on 1 topic`, grown, 1.15, times)
  const alike = cost(millrace.name, most) / cost(millraceOne.name, most)
  if (Number.isFinite(alike))
    rows.push([`Millrace: cost of ${most} flows against 1 flow, both on the same ${most} topics`, times(alike), '', ''])
  const [none, one] = [find(millraceNone.name, 1), find(millrace.name, 1)]
  const hop = of(one, (r) => r.cpuUs) - of(none, (r) => r.cpuUs)
  const later = of(one, (r) => r.p50) - of(none, (r) => r.p50)
  if (Number.isFinite(hop))
    rows.push([
      'the hop through a flow, its output published and recorded',
      `${rounded(hop)} µs of CPU, ${rounded(later)} ms`,
      'published',
      '',
    ])
  return rows
}

/** Rounds of `ms` with each number of `rules`; the last but one and the last are those of the goals. */
export const nodered = async (size: {
  rounds: number
  ms: number
  rules: readonly number[]
}): Promise<(Section | string)[]> => {
  const program = hasMosquitto() ? await nodeRed() : undefined
  const { rules } = size
  const most = Math.max(...rules)
  const middle = Math.max(...rules.filter((n) => n < most), 1)
  const wanted: (readonly [System, number, Version])[] = [
    [millraceNone, 1, 4],
    ...rules.flatMap((n) =>
      VERSIONS.flatMap((version) => [
        [millrace, n, version] as const,
        ...(program === undefined ? [] : [[nodeRedEach(program), n, version] as const]),
      ]),
    ),
    ...(most > 1 ? [[millraceOne, most, 4] as const] : []),
    ...(most > 1 && program !== undefined ? [[nodeRedOne(program), most, 4] as const] : []),
  ]
  const entries = await measured(wanted, size)
  const missing = `Node-RED is not in the table: it could not be installed. It needs Mosquitto (apt-get install mosquitto) and \`${installLine}\`.`
  const table: Section = {
    title: 'Flows against Node-RED',
    notes: [
      `QoS 0, 120-byte JSON, one output for each input, one topic for each rule, 1,000 messages under way. A message counts when its output has arrived; CPU is that of the hub with its flows' process, or of Node-RED and Mosquitto together, from the first message to the last output. Warm-up at full rate before: ${[...new Set(rules)].map((n) => `${warmMs(n) / 1000} s at ${n}`).join(', ')}.`,
      `Millrace: journal on, flows isolated, each a file of its own, every right checked.`,
      program === undefined
        ? missing
        : `Node-RED ${NODE_RED} on Node ${process.version}: for each rule mqtt in (parses JSON), function (decides, computes), mqtt out (writes JSON), one tab, one broker node; no editor, no admin API, log off, no debug node, context in memory. "One rule for all topics": one mqtt in with a wildcard. Mosquitto with its defaults and TCP_NODELAY.`,
    ].join(' '),
    head: ['rules', 'MQTT', 'system', 'CPU µs/message', 'spread', 'Millrace is', 'messages/s sustained', 'p50 ms at 1,000/s', 'p99 ms', 'lost', 'MiB'], // prettier-ignore
    rows: [...entries]
      .sort((a, b) => a.contender.rules - b.contender.rules || a.contender.version - b.contender.version)
      .map((entry) => {
        const { name, rules: n, version } = entry.contender
        const own = entries.find(
          ({ contender: c }) => c.name === millrace.name && c.rules === n && c.version === version,
        )
        return [
          String(n),
          nameOf(version),
          name,
          rounded(of(entry, (r) => r.cpuUs)),
          spread(entry.rows.map((r) => r.cpuUs)),
          entry === own ? '1' : ratio(of(own, (r) => r.cpuUs), of(entry, (r) => r.cpuUs), true),
          rounded(of(entry, (r) => r.perSecond)),
          rounded(of(entry, (r) => r.p50)),
          rounded(of(entry, (r) => r.p99)),
          String(entry.rows.reduce((sum, row) => sum + row.lost, 0)),
          rounded(of(entry, (r) => r.mib)),
        ] // prettier-ignore
      }),
  }
  const goals: Section = {
    title: 'Goals of flows',
    notes: 'From the same rounds.',
    head: ['what', 'figure', 'goal', ''],
    rows: goalsOf(entries, most, middle),
  }
  return [table, goals]
}
