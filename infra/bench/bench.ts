// `npm run bench`: the hub beside its peers, measured in turn on this machine. Ratios count; absolute figures belong to the machine.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { hasMosquitto } from './brokers.ts'
import { attacks, idle, stalls } from './sections/attacks.ts'
import { buildingSections } from './sections/building.ts'
import { durable, fanin, fanout } from './sections/fan.ts'
import { flows } from './sections/flows.ts'
import { neighbours } from './sections/neighbours.ts'
import { nodered } from './sections/nodered.ts'
import { reload } from './sections/reload.ts'
import { replay } from './sections/replay.ts'
import { journal, starts } from './sections/start.ts'
import { print, type Section } from './table.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '2' },
    rules: { type: 'string' },
    reloads: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '1.5' },
  },
})
const rulesOr = (usual: readonly number[]): readonly number[] => values.rules?.split(',').map(Number) ?? usual
const size = {
  rounds: Number(values.rounds),
  ms: Number(values.seconds) * 1000,
}

const sections: Record<string, () => Promise<Section | string | (Section | string)[]>> = {
  flows: () => flows({ ...size, rules: rulesOr([1, 50]) }),
  nodered: () => nodered({ ...size, rules: rulesOr([1, 50, 500]) }),
  neighbours: () => neighbours(size.rounds),
  reload: () => reload(Number(values.reloads)),
  replay: () => replay(size.rounds),
  fanin: () => fanin(size),
  fanout: () => fanout(size),
  durable: () => durable(size),
  idle: () => idle([5000, 10_000]),
  start: () => starts(size.rounds),
  stalled: () => stalls(),
  attack: () => attacks(10_000),
  journal: async () => `\n## The journal alone\n\n${journal()}`,
  ...buildingSections,
}

const chosen = positionals.length > 0 ? positionals : Object.keys(sections)
const unknown = chosen.filter((name) => sections[name] === undefined)
if (unknown.length > 0 || !(size.rounds >= 1) || !(size.ms > 0)) {
  console.error(`npm run bench -- [${Object.keys(sections).join('|')} …] [--rounds 2] [--seconds 1.5] [--rules 1,50]`)
  process.exit(2)
}

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}. ${size.rounds} rounds of ${values.seconds} s, systems in turn; medians, with the lowest and the highest.`,
)
if (!hasMosquitto()) console.log('Mosquitto is not installed, so the tables lack it: apt-get install mosquitto')
for (const name of chosen) {
  for (const section of [(await sections[name]?.()) ?? []].flat()) {
    if (typeof section === 'string') console.log(section)
    else print(section)
  }
}
process.exit(0)
