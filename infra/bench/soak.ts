// `npm run soak`: every attack as one command, against a hub of its own; each figure beside its goal. Exit code 1 when one is missed.
import { parseArgs } from 'node:util'
import { crowd, crowdProblem } from '../soak/crowd.ts'
import { malformed } from '../soak/malformed.ts'
import { flood, preauth, slowloris } from '../soak/memory.ts'
import { mutate } from '../soak/mutate.ts'
import { killLoop, mixedLevels, type PromiseFigures } from '../soak/promises.ts'
import { stalled } from '../soak/stalled.ts'
import { type BrokerKind, type BrokerOptions, hasMosquitto, hub, mosquitto, type RunningBroker } from './brokers.ts'
import { rounded } from './table.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    kills: { type: 'string' },
    packets: { type: 'string' },
  },
})
const { quick } = values
const say = (line: string) => void process.stderr.write(`  ${line}\n`)

let missed = 0
const verdict = (isMet: boolean, what: string, figure: string, goal: string): void => {
  if (!isMet) missed++
  console.log(`${isMet ? 'PASS' : 'FAIL'}  ${what}: ${figure} (goal: ${goal})`)
}
const beside = (what: string, figure: string): void => console.log(`      ${what}: ${figure}`)

const against = async <T>(
  kind: BrokerKind,
  work: (broker: RunningBroker) => Promise<T>,
  options?: BrokerOptions,
): Promise<T> => {
  const broker = await kind.start(options)
  try {
    return await work(broker)
  } catch (error) {
    if (!broker.isAlive()) say(`the broker has ended; its last words:\n${broker.said().slice(-4000)}`)
    throw error
  } finally {
    await broker.close()
  }
}

const told = ({ expected, lost, twiceQos1, twiceQos2, again }: PromiseFigures): string =>
  `${lost} of ${expected} acknowledged lost; twice: ${twiceQos1} of QoS 1 (allowed), ${twiceQos2} of QoS 2; ${again} sent again by the publishers`

const EACH = 26_000
const kill = async (): Promise<void> => {
  const kills = Number(values.kills ?? (quick ? 3 : 20))
  const figures = await against(hub, (broker) => killLoop(broker, { kills, each: EACH, say }))
  verdict(
    figures.lost === 0 && figures.twiceQos2 === 0 && (quick || figures.acked >= 500_000),
    `kill -9 × ${kills}, QoS 1 and 2, subscriber away`,
    told(figures),
    `0 lost, no QoS 2 twice${quick ? '' : ', of at least 500,000'}`,
  )
  if (!hasMosquitto()) return
  const theirs = await against(mosquitto, (broker) => killLoop(broker, { kills: 2, each: 2000, say }), {
    durable: true,
  })
  beside(
    'Mosquitto with its default persistence, kill -9 × 2',
    `${rounded((theirs.lost / theirs.expected) * 100)} % lost (${theirs.lost} of ${theirs.expected}), ${theirs.sessionPresent ? 'session kept' : 'session of the subscriber lost'}`,
  )
}

const mixed = async (): Promise<void> => {
  const figures = await against(hub, (broker) => mixedLevels(broker, { acked: quick ? 40_000 : 400_000, say }))
  verdict(
    figures.lost === 0 && figures.twiceQos1 === 0 && figures.twiceQos2 === 0,
    'QoS 0, 1 and 2 mixed, no crash',
    told(figures),
    '0 lost, none twice',
  )
}

const stall = async (): Promise<void> => {
  for (const qos of [0, 1] as const) {
    const { healthy, offered, otherP99, otherReceived, otherSent, cutAfterS } = await against(hub, (broker) =>
      stalled(broker, { qos, ms: quick ? 15_000 : 30_000 }),
    )
    const what = `beside a subscriber that stopped reading, QoS ${qos}`
    verdict(healthy / offered >= 0.99, what, `a healthy one got ${rounded((healthy / offered) * 100)} %`, '≥ 99 %')
    verdict(
      otherP99 < 250 && otherReceived === otherSent,
      what,
      `another topic has p99 ${rounded(otherP99)} ms, ${otherReceived} of ${otherSent}`,
      '< 250 ms',
    )
    verdict(cutAfterS <= 10, what, Number.isNaN(cutAfterS) ? 'it was not cut' : `it was cut after ${rounded(cutAfterS)} s`, '≤ 10 s') // prettier-ignore
  }
}

const offlineFlood = async (): Promise<void> => {
  const { mib, acked, problem } = await against(hub, (broker) => flood(broker, 10_000))
  verdict(mib < 50, 'offline flood of 10 s', `+${rounded(mib)} MiB with ${acked} messages queued`, '< +50 MiB')
  verdict(problem === undefined, 'a clean session after the flood', problem ?? 'let in', 'let in')
}

const early = async (): Promise<void> => {
  const { mib, takenMb } = await against(hub, preauth)
  verdict(mib < 5, 'pre-auth 4 × 200 MB', `+${rounded(mib)} MiB, ${rounded(takenMb)} MB taken`, '< +5 MiB')
}

const slow = async (): Promise<void> => {
  const s = await against(hub, (broker) => slowloris(broker))
  verdict(s <= 5, 'slowloris', `the last of four kinds closed after ${rounded(s)} s`, '≤ 5 s')
}

const many = async (which: 'storm' | 'idle'): Promise<void> => {
  const clients = quick ? 2000 : 10_000
  const problem = crowdProblem(clients)
  if (problem !== undefined) return verdict(false, which, problem, 'a machine that can')
  const restart = which === 'storm'
  const figures = await against(hub, (broker) => crowd(broker, { clients, restart }))
  if (which === 'idle') {
    const figure = `${rounded(figures.idle)} MiB (${rounded(figures.before)} without them)`
    verdict(figures.idle <= 350, `${clients} idle clients`, figure, '≤ 350 MiB')
    return
  }
  verdict(
    figures.stormMs <= 6000,
    `storm of ${clients}`,
    `all back after ${rounded(figures.stormMs / 1000)} s, ${figures.failures} refused attempts`,
    '≤ 6 s',
  )
  beside('all back after kill -9 and restart, from ready', `${rounded(figures.restartMs / 1000)} s`)
}

const malformedPackets = async (): Promise<void> => {
  const { accepted, tried, ignored, alive } = await against(hub, malformed)
  verdict(
    accepted.length === 0 && alive,
    'illegal packets',
    `${accepted.length} of ${tried} accepted${accepted.map((each) => `\n        ${each}`).join('')}; ${ignored} passed over as they may; the hub is ${alive ? 'alive' : 'dead'}`,
    '0 accepted',
  )
  if (!hasMosquitto()) return
  const theirs = await against(mosquitto, malformed)
  beside('Mosquitto', `${theirs.accepted.length} of ${theirs.tried} accepted${theirs.alive ? '' : ', and it ended'}`)
}

const mutations = async (): Promise<void> => {
  const packets = Number(values.packets ?? (quick ? 20_000 : 1_000_000))
  const figures = await against(hub, (broker) => mutate(broker, { packets, seed: Number(values.seed), say }))
  verdict(
    // Most have to get as far as their login, or nothing behind it was tried.
    figures.crashes + figures.deaf + figures.hanging === 0 && figures.answered > figures.connections / 2,
    `${figures.packets} mutated packets on ${figures.connections} connections`,
    `${figures.crashes} crashes, ${figures.deaf} rounds after which it did not do its work, ${figures.hanging} connections left hanging, ${figures.answered} answered${figures.seed === undefined ? '' : `; seed ${figures.seed}`}`,
    '0',
  )
}

const attacks: Record<string, () => Promise<void>> = {
  kill,
  mixed,
  stalled: stall,
  flood: offlineFlood,
  preauth: early,
  slowloris: slow,
  storm: () => many('storm'),
  idle: () => many('idle'),
  malformed: malformedPackets,
  mutate: mutations,
}

const chosen = positionals.length === 0 || positionals.includes('all') ? Object.keys(attacks) : positionals
if (chosen.some((name) => attacks[name] === undefined)) {
  console.error(`npm run soak -- [${Object.keys(attacks).join('|')}|all …] [--quick] [--seed 1] [--kills 20] [--packets 1000000]`) // prettier-ignore
  process.exit(2)
}
for (const name of chosen) {
  try {
    await attacks[name]?.()
  } catch (error) {
    verdict(false, name, error instanceof Error ? error.message : String(error), 'that it can be tried')
  }
}
process.exit(missed === 0 ? 0 : 1)
