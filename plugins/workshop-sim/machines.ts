// The machines of the workshop: a dozen, and the badge reader at the door.
import { z } from 'zod'
import { intent, intentWith, type Machine, round } from './machine.ts'
import type { Room } from './room.ts'

const AREA = 'Workshop'

const dust: Machine = {
  id: 'dust',
  about: { name: 'Dust sensor', kind: 'particle_sensor', area: AREA, maker: 'Sensirion', model: 'SPS30' },
  intents: {},
  protocol: 5,
  every: 1,
  state: (room) => ({ air: room.dust >= 80 ? 'dusty' : room.dust > 20 ? 'fair' : 'clean', unit: 'µg/m³' }),
  telemetry: (room, random) => ({ dust: round(Math.max(0, room.dust + random.noise(0.8 + room.dust * 0.02)), 1) }),
  scene: { tells: 'someone saws', seconds: 20, act: (room, seconds) => ({ ...room, sawing: seconds }) },
}

const switched = (room: Room, on: boolean): Room => ({ ...room, extractor: { ...room.extractor, on } })

const extractor: Machine = {
  id: 'extractor',
  about: { name: 'Dust extractor', kind: 'switch', area: AREA, maker: 'Festool', model: 'CTL 36' },
  // Extraction that runs harms nobody; extraction that stops does.
  safe: ['switch.turn_on'],
  intents: {
    'switch.turn_on': intent([0.4, 1.2], (room) =>
      room.extractor.jammed ? 'the motor does not turn; clear the hose' : switched(room, true),
    ),
    'switch.turn_off': intent([0.3, 0.6], (room) => switched(room, false)),
  },
  protocol: 4,
  every: 5,
  state: ({ extractor: { on, jammed } }) => ({ on, jammed }),
  telemetry: ({ extractor: { rpm } }, random) => ({
    rpm: round(Math.max(0, rpm + (rpm > 50 ? random.noise(15) : 0))),
    watts: round((rpm / 2850) ** 2 * 1150 + Math.abs(random.noise(1)), 1),
  }),
  scene: {
    tells: 'the hose is blocked',
    seconds: 60,
    act: (room) => ({ ...room, extractor: { ...room.extractor, on: false, jammed: true } }),
  },
}

const iron: Machine = {
  id: 'iron',
  about: { name: 'Soldering iron', kind: 'soldering_iron', area: AREA, maker: 'Pinecil', model: 'V2' },
  safe: ['switch.turn_off'],
  intents: {
    'switch.turn_on': intent([0.2, 0.4], (room) => ({ ...room, iron: { ...room.iron, on: true } })),
    'switch.turn_off': intent([0.2, 0.4], (room) => ({ ...room, iron: { ...room.iron, on: false } })),
    'iron.set_temperature': intentWith(
      z.strictObject({ celsius: z.number().min(150).max(450) }),
      [0.2, 0.4],
      (room, { celsius }) => ({ ...room, iron: { ...room.iron, target: celsius } }),
    ),
  },
  protocol: 5,
  every: 1,
  state: ({ iron: { on, celsius, target } }) => ({ on, celsius: round(celsius / 5) * 5, target }),
  telemetry: ({ iron: { on, celsius, target } }, random) => ({
    celsius: round(celsius + random.noise(0.6), 1),
    watts: round(on ? 8 + Math.min(80, Math.max(0, target - celsius) * 2) + random.noise(0.5) : 0, 1),
  }),
  scene: {
    tells: 'it is left on and everybody leaves',
    seconds: 900,
    act: (room, seconds) => ({
      ...room,
      iron: { ...room.iron, on: true },
      people: { ...room.people, count: 0, awayFor: seconds },
    }),
  },
}

const door: Machine = {
  id: 'door',
  about: { name: 'Yard door', kind: 'contact', area: AREA, maker: 'Aqara', model: 'MCCGQ11LM' },
  intents: {},
  protocol: 4,
  every: 30,
  state: (room) => ({ open: room.door.open }),
  event: (before, after) => (before.open === after.open ? undefined : after.open === true ? 'opened' : 'closed'),
  telemetry: (_, random) => ({ battery: 87, rssi: round(-58 + random.noise(2)) }),
  scene: {
    tells: 'it is left open',
    seconds: 300,
    act: (room, seconds) => ({ ...room, door: { open: true, heldOpen: seconds } }),
  },
}

const benchLight: Machine = {
  id: 'bench_light',
  about: { name: 'Bench light', kind: 'light', area: AREA, maker: 'Shelly', model: 'Plus RGBW' },
  intents: {
    'light.turn_on': intentWith(
      z.strictObject({
        level: z.number().min(1).max(100).optional().describe('Brightness in percent.'),
        blink: z.number().min(1).max(600).optional().describe('Seconds to blink before it shines steadily.'),
      }),
      [0.1, 0.3],
      (room, { level, blink }) => ({
        ...room,
        light: { on: true, level: level ?? room.light.level, blinking: blink ?? 0 },
      }),
    ),
    'light.turn_off': intent([0.1, 0.3], (room) => ({ ...room, light: { ...room.light, on: false, blinking: 0 } })),
  },
  protocol: 5,
  every: 10,
  state: ({ light: { on, level, blinking } }) => ({ on, level, blinking: on && blinking > 0 }),
  telemetry: ({ light: { on, level } }, random) => ({ watts: round(on ? level * 0.24 + random.noise(0.1) : 0.3, 1) }),
  scene: { tells: 'the bulb goes out', seconds: 1, act: (room) => ({ ...room, light: { ...room.light, on: false } }) },
}

const press: Machine = {
  id: 'press',
  about: { name: 'Hydraulic press', kind: 'press', area: AREA, maker: 'Metallkraft', model: 'WPP 50' },
  safe: ['press.stop'],
  intents: {
    'press.start': intent([0.8, 1.6], (room) => ({ ...room, press: { ...room.press, running: true } })),
    'press.stop': intent([0.1, 0.2], (room) => ({ ...room, press: { ...room.press, running: false } })),
  },
  protocol: 5,
  every: 1,
  state: ({ press: { running, strokes } }) => ({ running, strokes: Math.floor(strokes) }),
  telemetry: ({ press: { bar } }, random) => ({ bar: round(Math.max(0, bar + (bar > 1 ? random.noise(0.8) : 0)), 1) }),
  scene: {
    tells: 'someone starts it at its own panel',
    seconds: 1,
    act: (room) => ({ ...room, press: { ...room.press, running: true } }),
  },
}

const laser: Machine = {
  id: 'laser',
  about: { name: 'Laser cutter', kind: 'laser', area: AREA, maker: 'Thunder', model: 'Nova 24' },
  safe: ['laser.stop'],
  intents: {
    'laser.start': intent([2, 3], (room) =>
      room.laser.lidOpen ? 'the lid is open' : { ...room, laser: { ...room.laser, running: true, progress: 0 } },
    ),
    'laser.stop': intent([0.1, 0.2], (room) => ({ ...room, laser: { ...room.laser, running: false } })),
  },
  protocol: 4,
  every: 2,
  state: ({ laser: { running, lidOpen, progress } }) => ({ running, lid_open: lidOpen, progress: round(progress) }),
  telemetry: ({ laser: { watts } }, random) => ({
    watts: round(watts > 0 ? watts + random.noise(0.7) : 0, 1),
    water_celsius: round(18 + (watts > 0 ? 3 : 0) + random.noise(0.1), 1),
  }),
  scene: {
    tells: 'someone starts a cut at its own panel',
    seconds: 1,
    act: (room) => ({ ...room, laser: { ...room.laser, running: true, progress: 0 } }),
  },
}

const compressor: Machine = {
  id: 'compressor',
  about: { name: 'Compressor', kind: 'compressor', area: 'Yard', maker: 'Aircraft', model: 'Airprofi 703' },
  safe: ['switch.turn_off'],
  intents: {
    'switch.turn_on': intent([0.5, 1], (room) => ({ ...room, compressor: { ...room.compressor, on: true } })),
    'switch.turn_off': intent([0.3, 0.6], (room) => ({
      ...room,
      compressor: { ...room.compressor, on: false, motor: false },
    })),
  },
  protocol: 4,
  every: 5,
  state: ({ compressor: { on, motor } }) => ({ on, motor }),
  telemetry: ({ compressor: { bar, motor } }, random) => ({
    bar: round(bar + random.noise(0.02), 2),
    watts: round(motor ? 3000 + random.noise(40) : 0),
  }),
  scene: {
    tells: 'a hose bursts',
    seconds: 1,
    act: (room) => ({ ...room, compressor: { ...room.compressor, bar: 1.5 } }),
  },
}

const welder: Machine = {
  id: 'welder',
  about: { name: 'MIG welder', kind: 'welder', area: AREA, maker: 'Stahlwerk', model: 'MIG 200' },
  safe: ['welder.stop', 'welder.power_off'],
  intents: {
    'welder.power_on': intent([0.3, 0.6], (room) => ({ ...room, welder: { ...room.welder, power: true } })),
    'welder.power_off': intent([0.1, 0.2], (room) => ({
      ...room,
      welder: { ...room.welder, power: false, on: false, amps: 0 },
    })),
    'welder.start': intentWith(
      z.strictObject({ amps: z.number().min(30).max(200).default(90) }),
      [0.5, 1],
      (room, { amps }) =>
        room.welder.power
          ? { ...room, welder: { ...room.welder, on: true, amps } }
          : 'it has no power; ask for welder.power_on first',
    ),
    'welder.stop': intent([0.1, 0.2], (room) => ({ ...room, welder: { ...room.welder, on: false, amps: 0 } })),
  },
  protocol: 5,
  every: 2,
  state: ({ welder: { power, on, amps } }) => ({ power, on, amps }),
  telemetry: ({ welder: { on, amps, celsius } }, random) => ({
    amps: round(on ? amps + random.noise(3) : 0, 1),
    celsius: round(celsius + random.noise(0.3), 1),
  }),
  scene: {
    tells: 'someone strikes an arc',
    seconds: 1,
    act: (room) => ({ ...room, welder: { ...room.welder, power: true, on: true, amps: 90 } }),
  },
}

const printer: Machine = {
  id: 'printer_1',
  about: { name: 'Printer 1', kind: 'printer', area: AREA, maker: 'Prusa', model: 'MK4' },
  safe: ['printer.pause'],
  intents: {
    'printer.start': intent([1, 2], (room) =>
      room.printer.status === 'idle'
        ? { ...room, printer: { ...room.printer, status: 'printing', progress: 0, layer: 0 } }
        : 'a print is under way; cancel it first',
    ),
    'printer.pause': intent([1, 3], (room) =>
      room.printer.status === 'printing' ? { ...room, printer: { ...room.printer, status: 'paused' } } : room,
    ),
    'printer.resume': intent([1, 2], (room) =>
      room.printer.status === 'paused'
        ? { ...room, printer: { ...room.printer, status: 'printing' } }
        : 'nothing is paused',
    ),
    'printer.cancel': intent([5, 8], (room) => ({
      ...room,
      printer: { ...room.printer, status: 'idle', progress: 0, layer: 0 },
    })),
  },
  protocol: 4,
  every: 2,
  state: ({ printer: { status, progress, layer } }) => ({ status, progress: round(progress), layer }),
  telemetry: ({ printer: { nozzle, progress } }, random) => ({
    nozzle: round(nozzle + random.noise(0.4), 1),
    bed: round(nozzle > 100 ? 60 + random.noise(0.2) : 23 + random.noise(0.1), 1),
    progress: round(progress, 1),
  }),
  scene: {
    tells: 'someone starts a print at its own panel',
    seconds: 1,
    act: (room) => ({ ...room, printer: { ...room.printer, status: 'printing', progress: 0, layer: 0 } }),
  },
}

const presence: Machine = {
  id: 'presence',
  about: { name: 'Presence sensor', kind: 'presence', area: AREA, maker: 'Everything Presence', model: 'One' },
  intents: {},
  protocol: 5,
  every: 10,
  state: ({ people: { count } }) => ({ occupied: count > 0, people: count }),
  telemetry: ({ people: { count } }, random) => ({
    energy: round(count > 0 ? 40 + random.noise(8) : random.between(0, 3)),
  }),
  scene: {
    tells: 'everybody leaves',
    seconds: 900,
    act: (room, seconds) => ({ ...room, people: { ...room.people, count: 0, awayFor: seconds } }),
  },
}

const shown = (room: Room, person: string, direction: 'in' | 'out'): Room => ({
  ...room,
  badge: { person, direction, count: room.badge.count + 1 },
})

const badgeReader: Machine = {
  id: 'badge_reader',
  about: { name: 'Badge reader', kind: 'badge_reader', area: AREA, maker: 'Elatec', model: 'TWN4' },
  intents: {
    'badge.show': intentWith(
      z.strictObject({
        person: z.string().min(1).max(120).describe('User name on the badge.'),
        direction: z.enum(['in', 'out']).default('in'),
      }),
      [0.1, 0.2],
      (room, { person, direction }) => shown(room, person, direction),
    ),
  },
  protocol: 5,
  every: 30,
  state: ({ badge: { person, direction, count } }) => ({ last: person, direction, count }),
  event: (before, after) =>
    before.count === after.count ? undefined : { type: 'badge', person: after.last, direction: after.direction },
  telemetry: (_, random) => ({ rssi: round(-52 + random.noise(2)) }),
  scene: { tells: 'a guest comes in', seconds: 1, act: (room) => shown(room, 'guest', 'in') },
}

const thermo: Machine = {
  id: 'thermo',
  about: { name: 'Room climate', kind: 'climate_sensor', area: AREA, maker: 'Shelly', model: 'H&T' },
  intents: {},
  protocol: 5,
  every: 10,
  state: ({ climate: { celsius } }) => ({ celsius: round(celsius * 2) / 2 }),
  telemetry: ({ climate: { celsius, humidity } }, random) => ({
    celsius: round(celsius + random.noise(0.05), 2),
    humidity: round(humidity + random.noise(0.2), 1),
  }),
  scene: {
    tells: 'the heating failed overnight',
    seconds: 1,
    act: (room) => ({ ...room, climate: { ...room.climate, celsius: 8 } }),
  },
}

/** In the order they connect. */
export const machines: readonly Machine[] = [
  dust,
  extractor,
  iron,
  door,
  benchLight,
  press,
  laser,
  compressor,
  welder,
  printer,
  presence,
  badgeReader,
  thermo,
]
