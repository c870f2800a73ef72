// Section replay: a generated day of workshop traffic in a journal, run through a flow again by the command line.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Entry } from '../../../hub/journal/entry.ts'
import { openJournal } from '../../../hub/journal/journal.ts'
import { readFlow } from '../../../hub/runner/find-flows.ts'
import { dataFolder } from '../brokers.ts'
import { median, rounded, spread, type Section } from '../table.ts'
import { flowText, writeTopics } from '../workshop.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SENSORS = 100
/** Ten a second, all sensors together. */
const EVERY_MS = 100
const UNDER_WAY = 4096
const REPLAY_MS = 180_000

/** What a warning needs in a workshop: averages over a minute, silence noticed, one key per sensor. */
const flowsOf = {
  one: flowText(
    'Says when sensor 7 has been calm for a minute.',
    ['debounceTime', 'filter', 'map'],
    "where: { n: '7' }, ",
    `filter(({ payload }) => payload.value > 23),
    debounceTime(60_000),
    map(({ payload }) => message('flows/{flow}/{value}', { flow: 'one', value: 'calm' }, { t: payload.t }))`,
  ),
  all: flowText(
    'The mean of each sensor over a minute.',
    ['bufferTime', 'filter', 'groupBy', 'map', 'mergeMap'],
    '',
    `groupBy(({ params }) => params.n),
    mergeMap((sensor) =>
      sensor.pipe(
        map(({ payload }) => payload.value),
        bufferTime(60_000),
        filter((values) => values.length > 0),
        map((values) =>
          message('flows/{flow}/{value}', { flow: 'all', value: \`mean-\${sensor.key}\` }, { mean: values.reduce((a, b) => a + b, 0) / values.length }),
        ),
      ),
    )`,
  ),
}

/** A day that ended an hour ago: a slow wave with steps on it, the same every time. */
const generate = async (
  dir: string,
  files: readonly string[],
): Promise<{ since: number; until: number; count: number }> => {
  const until = Math.floor((Date.now() - HOUR_MS) / 1000) * 1000
  const since = until - DAY_MS
  let at = since
  const journal = await openJournal(dir, { durability: 'process', clock: { stamp: () => at } })
  let [entered, done] = [0, 0]
  let more = () => {}
  const finished = () => {
    done++
    more()
  }
  const room = (most: number) =>
    entered - done <= most
      ? Promise.resolve()
      : new Promise<void>((go) => (more = () => void (entered - done <= most && go())))
  journal.note('hub-start', {})
  for (const file of files) {
    const { id, version } = await readFlow(file)
    journal.note('flow-start', { flow: id, version, params: {}, seq: journal.lastSeq, at, kept: {} })
  }
  for (let i = 0; at < until; i++, at += EVERY_MS) {
    const n = i % SENSORS
    const value = 20 + 5 * Math.sin((i + n * 997) / 40_000) + ((i * 7919) % 100) / 100
    const entry: Entry = {
      kind: 'message',
      seq: journal.reserve(),
      at,
      topic: `bench/${n}/in`,
      payload: Buffer.from(`{"t":${at},"sensor":"bench ${n}","unit":"ug/m3","value":${value.toFixed(2)},"battery":87}`),
      qos: 0,
      retain: false,
      origin: 'device:bench',
      cause: 0,
      correlation: '',
      n: 0,
    }
    entered++
    journal.append(entry, finished)
    if (entered - done > UNDER_WAY) await room(UNDER_WAY / 2)
  }
  await room(0)
  await journal.close()
  return { since, until, count: entered }
}

interface Told {
  messages: number
  tookMs: number
  nowCount: number
  exact: boolean
}

/** The command as a person types it, with how long all of it took. */
const run = async (words: readonly string[], env: NodeJS.ProcessEnv): Promise<{ told: Told; wallMs: number }> => {
  const begun = performance.now()
  const out = await new Promise<string>((done, failed) => {
    const options = { cwd: ROOT, env, timeout: REPLAY_MS, maxBuffer: 256 * 2 ** 20 }
    execFile(process.execPath, ['hub/start.js', 'replay', ...words], options, (error, stdout, stderr) => {
      // 1: what it says now differs from what was recorded, and here nothing was.
      if (error !== null && error.code !== 1) failed(new Error(`replay: ${error.message}\n${stderr}`))
      else done(stdout)
    })
  })
  return { told: JSON.parse(out) as Told, wallMs: performance.now() - begun }
}

/** Generates the day once, then replays it `rounds` times for each flow. */
export const replay = async (rounds: number): Promise<Section> => {
  const dir = dataFolder()
  try {
    const [flowsDir, plugins] = [join(dir, 'flows'), join(dir, 'plugins')]
    mkdirSync(flowsDir)
    mkdirSync(join(dir, 'hub'))
    writeTopics(plugins)
    const files = Object.entries(flowsOf).map(([name, text]) => {
      writeFileSync(join(flowsDir, `${name}.ts`), text)
      return join(flowsDir, `${name}.ts`)
    })
    process.stderr.write('writing a day of traffic\n')
    const { since, until, count } = await generate(join(dir, 'hub/journal'), files)
    const env = {
      PATH: process.env['PATH'],
      DATA_DIR: join(dir, 'hub'),
      FLOWS_DIR: flowsDir,
      PLUGINS_DIR: plugins,
      LOG_LEVEL: 'warn',
    }
    const range = ['--since', new Date(since).toISOString(), '--until', new Date(until).toISOString(), '--json']
    const rows: string[][] = []
    for (const name of Object.keys(flowsOf)) {
      const found: { told: Told; wallMs: number }[] = []
      for (let round = 0; round < rounds; round++) {
        found.push(await run([name, ...range], env))
        process.stderr.write(
          `round ${round + 1} of ${rounds}: flow ${name}, ${rounded((found.at(-1)?.wallMs ?? 0) / 1000)} s\n`,
        )
      }
      const walls = found.map(({ wallMs }) => wallMs / 1000)
      const times = DAY_MS / 1000 / median(walls)
      const told = found[0]?.told
      rows.push([
        name === 'one' ? 'hears 1 of 100 sensors, debounceTime' : 'hears all, groupBy and bufferTime',
        String(told?.messages),
        String(told?.nowCount),
        `${rounded(median(walls))} (${spread(walls)})`,
        rounded(median(found.map((each) => each.told.tookMs)) / 1000),
        rounded((told?.messages ?? 0) / median(walls)),
        `${Math.round(times)} ×`,
        '≥ 200 ×',
        times >= 200 ? 'met' : 'missed',
      ])
    }
    return {
      title: 'Replay',
      notes: `24 hours, ${count} messages of ${SENSORS} sensors, ten a second, in a journal of their own; \`node hub/start.js replay\` from its start to its end, the process included. Nothing was said then, so everything is said only now.`,
      head: [
        'the flow',
        'messages heard',
        'outputs',
        's in all',
        's by its own word',
        'messages/s',
        'real time',
        'goal',
        '',
      ],
      rows,
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
