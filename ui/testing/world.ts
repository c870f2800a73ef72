// A small workshop for the tests of the web app: a dozen devices as the API tells of them.

export interface FakeDevice {
  id: string
  name: string
  kind: string
  area?: string
  online: boolean
  state: Record<string, unknown>
  intents: Record<string, unknown>
  safe: string[]
}

const toggle = (verb: string) => ({
  intents: { [`${verb}.turn_on`]: {}, [`${verb}.turn_off`]: {} },
  safe: [`${verb}.turn_off`],
})
const nothing = { intents: {}, safe: [] }

export const workshop = (): FakeDevice[] => [
  {
    id: 'dust',
    name: 'Dust sensor',
    kind: 'dust_sensor',
    area: 'Wood shop',
    online: true,
    state: { pm25: 38.2, pm10: 61, humidity: 41 },
    intents: {
      'dust.simulate': {
        type: 'object',
        properties: {
          fault: { type: 'string', enum: ['high', 'silent', 'noise'] },
          seconds: { type: 'integer', minimum: 1, maximum: 600, default: 30 },
        },
        required: ['fault'],
      },
    },
    safe: [],
  },
  {
    id: 'extractor',
    name: 'Dust extractor',
    kind: 'extractor',
    area: 'Wood shop',
    online: true,
    state: { on: false, rpm: 0, power_w: 3 },
    ...toggle('extractor'),
  },
  {
    id: 'saw',
    name: 'Table saw',
    kind: 'machine',
    area: 'Wood shop',
    online: true,
    state: { state: 'idle', rpm: 0, power_w: 12 },
    intents: { 'saw.enable': {}, 'saw.stop': {} },
    safe: ['saw.stop'],
  },
  {
    id: 'iron',
    name: 'Soldering iron',
    kind: 'soldering_iron',
    area: 'Electronics',
    online: true,
    state: { temperature: 341.6, setpoint: 350, on: true },
    intents: {
      'iron.set_temperature': {
        type: 'object',
        properties: {
          celsius: { type: 'number', minimum: 100, maximum: 450, description: 'Tip temperature in °C' },
          standby: { type: 'boolean' },
        },
        required: ['celsius'],
      },
      'iron.turn_off': {},
    },
    safe: ['iron.turn_off'],
  },
  {
    id: 'bench_light',
    name: 'Bench light',
    kind: 'light',
    area: 'Electronics',
    online: true,
    state: { on: true, brightness: 80 },
    intents: {
      'light.turn_on': { type: 'object', properties: { brightness: { type: 'integer', minimum: 1, maximum: 100 } } },
      'light.turn_off': {},
    },
    safe: ['light.turn_off'],
  },
  {
    id: 'psu',
    name: 'Bench supply',
    kind: 'power_supply',
    area: 'Electronics',
    online: true,
    state: { voltage: 12.04, current: 0.83, on: true },
    ...toggle('psu'),
  },
  {
    id: 'press',
    name: 'Heat press',
    kind: 'press',
    area: 'Textiles',
    online: true,
    state: { status: 'ready', temperature: 181, cycles: 42 },
    intents: { 'press.start': {}, 'press.stop': {} },
    safe: ['press.stop'],
  },
  {
    id: 'door',
    name: 'Yard door',
    kind: 'door',
    area: 'Entrance',
    online: true,
    state: { open: false, locked: true },
    intents: { 'door.unlock': {}, 'door.lock': {} },
    safe: ['door.lock'],
  },
  {
    id: 'climate',
    name: 'Hall climate',
    kind: 'climate_sensor',
    area: 'Entrance',
    online: true,
    state: { temperature: 20.7, humidity: 46, co2: 612 },
    ...nothing,
  },
  {
    id: 'compressor',
    name: 'Compressor',
    kind: 'compressor',
    area: 'Plant room',
    online: true,
    state: { pressure: 7.8, running: false, hours: 1284 },
    intents: { 'compressor.start': {}, 'compressor.stop': {} },
    safe: ['compressor.stop'],
  },
  {
    id: 'voron',
    name: 'Voron 2.4',
    kind: 'printer',
    area: 'Print farm',
    online: true,
    state: { progress: 64, state: 'printing', nozzle: 247, bed: 104 },
    intents: { 'printer.pause': {}, 'printer.resume': {}, 'printer.cancel': {} },
    safe: ['printer.pause'],
  },
  {
    id: 'prusa',
    name: 'Prusa MK4',
    kind: 'printer',
    area: 'Print farm',
    online: false,
    state: { progress: 0, state: 'idle', nozzle: 24 },
    intents: { 'printer.pause': {} },
    safe: ['printer.pause'],
  },
]

export interface FakeClient {
  clientId: string
  principal: string
  online: boolean
  address?: string
  protocol?: 3 | 4 | 5
  connectedAt?: string
  subscriptions: number
  queued: number
  queuedBytes: number
  dropped: number
  bufferedBytes: number
  lastError?: { at: string; what: string }
  expiresAt?: string
}

const HOUR = 3_600_000
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()
const idle = { subscriptions: 1, queued: 0, queuedBytes: 0, dropped: 0, bufferedBytes: 0 }

export const clients = (): FakeClient[] => [
  {
    ...idle,
    clientId: 'wall-tablet',
    principal: 'person:grace',
    online: true,
    address: '192.168.1.61',
    protocol: 5,
    connectedAt: ago(2 * HOUR),
    subscriptions: 6,
    dropped: 1204,
    bufferedBytes: 731_000,
    lastError: { at: ago(240_000), what: 'Cut, because it did not read: 16777900 bytes were waiting for it' },
  },
  {
    ...idle,
    clientId: 'compressor',
    principal: 'device:compressor',
    online: true,
    address: '192.168.1.44',
    protocol: 4,
    connectedAt: ago(26 * HOUR),
    lastError: {
      at: ago(HOUR),
      what: 'Publishing to jarvis/devices/saw/state refused: nothing gives the right to jarvis/devices/saw/state',
    },
  },
  {
    ...idle,
    clientId: 'dust',
    principal: 'device:dust',
    online: true,
    address: '192.168.1.40',
    protocol: 4,
    connectedAt: ago(26 * HOUR),
    subscriptions: 2,
  },
  {
    ...idle,
    clientId: 'saw',
    principal: 'device:saw',
    online: true,
    address: '192.168.1.42',
    protocol: 5,
    connectedAt: ago(90_000),
  },
  {
    ...idle,
    clientId: 'prusa',
    principal: 'device:prusa',
    online: false,
    queued: 14,
    queuedBytes: 5320,
    expiresAt: new Date(Date.now() + 6.5 * 24 * HOUR).toISOString(),
  },
]

export const health = () => ({
  status: 'degraded',
  parts: [
    { part: 'broker', status: 'healthy', since: Date.now() - 4 * 3_600_000 },
    { part: 'journal', status: 'healthy', since: Date.now() - 4 * 3_600_000 },
    {
      part: 'runner',
      status: 'degraded',
      what: '1 flow is quarantined: hot-iron-left-on. Mend it and save.',
      since: Date.now() - 240_000,
    },
    { part: 'gate', status: 'healthy', since: Date.now() - 4 * 3_600_000 },
    { part: 'store', status: 'healthy', since: Date.now() - 4 * 3_600_000 },
  ],
})
