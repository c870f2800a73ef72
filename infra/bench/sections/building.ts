// Sections gate, query, discovery, home and series: each part's own measurement, in a process of its own, with the whole hub in it.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../../..')
const LONGEST_MS = 300_000

interface Measurement {
  title: string
  goal: string
  file: string
  args?: readonly string[]
}

const MEASUREMENTS = {
  gate: {
    title: 'Request → cmd, a stop, the audit',
    goal: 'p99 ≤ 2 ms with ten interlocks; a stop reaches 100 devices in ≤ 1 s; 1,000,000 rows verified in < 30 s',
    file: 'hub/gate/gate.bench.ts',
  },
  home: {
    title: 'Home Assistant: 2,000 entities, 200 changes a second',
    goal: 'lag p99 < 50 ms',
    file: 'plugins/home-assistant/home-assistant.bench.ts',
    args: ['hub', '20'],
  },
  query: {
    title: 'POST /api/query → cmd, by rules',
    goal: 'p95 ≤ 50 ms',
    file: 'plugins/assistant/assistant.bench.ts',
  },
  discovery: {
    title: '500 devices announce themselves',
    goal: 'all there in ≤ 2 s',
    file: 'plugins/discovery/discovery.bench.ts',
  },
  series: { title: 'Roll-ups for charts', goal: 'nothing on the main thread', file: 'hub/journal/series.bench.ts' },
} as const satisfies Record<string, Measurement>

export type BuildingSection = keyof typeof MEASUREMENTS

const NAMES: readonly BuildingSection[] = ['gate', 'home', 'query', 'discovery', 'series']

const linesOf = ({ file, args = [] }: Measurement): Promise<string> =>
  new Promise((done, fail) => {
    const child = spawn(process.execPath, [file, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
    const late = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS)
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    child.once('error', fail)
    child.once('close', (code, signal) => {
      clearTimeout(late)
      if (code === 0) done(text.trim())
      else fail(new Error(`${file} ended with ${signal ?? code}; it said: ${text.slice(-500)}`))
    })
  })

const building = async (name: BuildingSection): Promise<string> => {
  const one = MEASUREMENTS[name]
  const lines = (await linesOf(one)).split('\n')
  return `\n## ${one.title}\n\nGoal: ${one.goal}.\n\n${lines.map((line) => `- ${line}`).join('\n')}`
}

/** One section each; no peer does the same, so each is held against its goal. */
export const buildingSections: Readonly<Record<string, () => Promise<string>>> = Object.fromEntries(
  NAMES.map((name) => [name, () => building(name)]),
)
