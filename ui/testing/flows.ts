// The flows of the fake workshop, as GET /api/flows tells of them.

const MINUTE = 60_000
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()

export interface FakeFlow {
  id: string
  status: string
  about: string
  inputs: string[]
  outputs: string[]
  in: number
  out: number
  dropped: number
  restarts: number
  version: string
  startedAt: string
  edges: object[]
  rateIn: number
  rateOut: number
  delayMs?: { p50: number; p99: number }
  approximate?: { why: string; since: string }
  slow?: boolean
  error?: { message: string; stack?: string; at: string; place?: string }
  params?: { schema: object; values: Record<string, unknown> }
  newer?: { version: string; state: string; error?: { message: string; place?: string } }
}

const edge = (filter: string, more: object = {}): object => ({
  topic: filter.replace(/\/(?:dust|iron|presence|door|saw|press|climate)\//, '/{device}/'),
  filter,
  latest: false,
  overload: { dropOldest: 1000 },
  in: 1200,
  dropped: 0,
  depth: 0,
  rate: 0.5,
  ...more,
})

const flow = (id: string, more: Partial<FakeFlow>): FakeFlow => ({
  id,
  status: 'running',
  about: '',
  inputs: [],
  outputs: [],
  in: 1200,
  out: 3,
  dropped: 0,
  restarts: 0,
  version: '4f1c9a2e',
  startedAt: ago(26 * 60 * MINUTE),
  edges: [],
  rateIn: 0.5,
  rateOut: 0.001,
  delayMs: { p50: 0.8, p99: 4.1 },
  ...more,
})

export const flows = (): FakeFlow[] => [
  flow('dust-starts-extractor', {
    about: 'Dust above 80 µg/m³ starts the extractor; two quiet minutes below 20 stop it.',
    inputs: ['devices/dust/telemetry'],
    outputs: ['devices/extractor/request'],
    in: 18_422,
    out: 12,
    edges: [edge('devices/dust/telemetry', { in: 18_422, rate: 2.1 })],
    rateIn: 2.1,
    rateOut: 0.004,
    params: {
      schema: {
        type: 'object',
        properties: {
          above: { type: 'number', minimum: 0, maximum: 1000, default: 80, description: 'Dust that starts it, µg/m³' },
          below: {
            type: 'number',
            minimum: 0,
            maximum: 1000,
            default: 20,
            description: 'Dust that counts as clean, µg/m³',
          },
          quiet: {
            type: 'integer',
            minimum: 1000,
            maximum: 3_600_000,
            default: 120_000,
            description: 'How long it must be clean, ms',
          },
          speed: { type: 'string', enum: ['low', 'high'], default: 'high', description: 'Of the extractor' },
          weekend: { type: 'boolean', default: true, description: 'Also on Saturday and Sunday' },
        },
        additionalProperties: false,
      },
      values: { above: 80, below: 20, quiet: 120_000, speed: 'high', weekend: true },
    },
  }),
  flow('door-open-too-long', {
    about: 'A door open for five minutes is told to everyone.',
    inputs: ['devices/door/state'],
    outputs: ['safety/events/door-open'],
    in: 2904,
    edges: [edge('devices/door/state', { in: 2904, rate: 0.02, latest: true })],
    rateIn: 0.02,
    approximate: {
      why: 'its run began before the journal does, so it was warmed from the last ten minutes.',
      since: ago(90 * MINUTE),
    },
    newer: {
      version: '99b1',
      state: 'rejected',
      error: {
        message: "Type 'string' is not assignable to type 'number'.",
        place: 'door-open-too-long.ts:9',
      },
    },
  }),
  flow('hot-iron-left-on', {
    status: 'quarantined',
    about:
      'A soldering iron that is on and hot while nobody has been in the room for ten minutes is asked to switch off.',
    inputs: ['devices/iron/state', 'devices/presence/state', 'devices/presence/online'],
    outputs: ['devices/iron/request'],
    in: 311,
    out: 0,
    dropped: 4,
    restarts: 5,
    edges: [
      edge('devices/iron/state', { latest: true, in: 300, dropped: 4, rate: 0 }),
      edge('devices/presence/state', { latest: true, in: 11, rate: 0 }),
      edge('devices/presence/online', { latest: true, in: 1, rate: 0 }),
    ],
    rateIn: 0,
    rateOut: 0,
    error: {
      message: "Cannot read properties of undefined (reading 'tip')",
      place: 'hot-iron-left-on.ts:10',
      stack:
        "TypeError: Cannot read properties of undefined (reading 'tip')\n    at project (hot-iron-left-on.ts:10:41)\n    at operator (rxjs/map.ts:58:33)",
      at: ago(4 * MINUTE),
    },
  }),
  flow('saw-needs-air', {
    about: 'The saw is asked to stop when the extractor does not run ten seconds after it started.',
    inputs: ['devices/saw/state', 'devices/extractor/state'],
    outputs: ['devices/saw/request', 'safety/events/saw-without-air'],
    in: 88_210,
    out: 2,
    dropped: 131,
    slow: true,
    edges: [
      edge('devices/saw/state', { in: 88_000, rate: 41, depth: 212, dropped: 131, overload: { dropOldest: 1000 } }),
      edge('devices/extractor/state', { in: 210, rate: 0.5, overload: 'latest', latest: true }),
    ],
    rateIn: 41.5,
    delayMs: { p50: 220, p99: 5200 },
  }),
  flow('safety-events-light-the-hall', {
    about: 'Any safety event turns the hall light on.',
    inputs: ['safety/events/+'],
    outputs: ['devices/bench_light/request'],
    in: 5,
    out: 5,
    edges: [edge('safety/events/+', { in: 5, rate: 0 })],
    rateIn: 0,
  }),
]

const AREAS = ['dust', 'iron', 'press', 'door', 'compressor', 'voron'] as const

/** As many flows as asked for, spread over the areas; some are in trouble. */
export const manyFlows = (count: number): FakeFlow[] =>
  Array.from({ length: count }, (_, n) => {
    const device = AREAS[n % AREAS.length] ?? 'dust'
    const kind = ['state', 'telemetry', 'online'][n % 3] ?? 'state'
    return flow(`${device}-rule-${n + 1}`, {
      about: `Rule ${n + 1} of the ${device}.`,
      status: n === 17 ? 'quarantined' : n === 31 ? 'restarting' : 'running',
      inputs: [`devices/${device}/${kind}`],
      outputs: [n % 4 === 0 ? `safety/events/${device}-${n}` : `devices/${device}/request`],
      edges: [edge(`devices/${device}/${kind}`, { rate: (n % 7) / 2 })],
      ...(n === 17
        ? { error: { message: 'It did not end its turn within 2 s', at: ago(MINUTE), place: `${device}-rule-18.ts:7` } }
        : {}),
    })
  })
