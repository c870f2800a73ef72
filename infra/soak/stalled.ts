// A subscriber that stops reading, beside a healthy one and an unrelated pair.
import { readFileSync } from 'node:fs'
import type { RunningBroker } from '../bench/brokers.ts'
import { load } from '../bench/load/child.ts'
import type { StalledOrder, StalledPorts, StalledResult, StalledSetup } from '../bench/load/stalled.ts'

export interface StalledFigures extends StalledResult {
  /** From the first message to the frozen client's connection being closed by the broker, s; NaN when it was not. */
  cutAfterS: number
}

const ESTABLISHED = '01'
const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')

/** Whether the broker's end of a connection is still open, from the table of the kernel: a client that does not read cannot know. */
const isOpen = (brokerPort: number, clientPort: number): boolean =>
  ['/proc/net/tcp', '/proc/net/tcp6'].some((file) =>
    readFileSync(file, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .some(
        ([, local = '', remote = '', state = '']) =>
          local.endsWith(`:${hexPort(brokerPort)}`) &&
          remote.endsWith(`:${hexPort(clientPort)}`) &&
          state === ESTABLISHED,
      ),
  )

export const stalled = async (
  broker: RunningBroker,
  { qos, ms = 15_000, perSecond = 3000, bytes = 1024 }: { qos: 0 | 1 } & Partial<StalledOrder>,
): Promise<StalledFigures> => {
  const { entrance } = broker
  const generator = await load<StalledSetup, StalledOrder | 'ports', StalledResult | StalledPorts>('stalled.ts', {
    entrance,
    qos,
  })
  let cutAfterS = Number.NaN
  const { frozenPort } = (await generator.ask('ports')) as StalledPorts
  const begun = performance.now()
  const look = setInterval(() => {
    if (Number.isNaN(cutAfterS) && !isOpen(entrance.port, frozenPort)) cutAfterS = (performance.now() - begun) / 1000
  }, 50)
  try {
    const result = (await generator.ask({ ms, perSecond, bytes }, ms + 30_000)) as StalledResult
    return { ...result, cutAfterS }
  } finally {
    clearInterval(look)
    await generator.stop()
  }
}
