// The room: one workshop's physics as a plain value, moved on by steps of time. Knows no topic, no device and no clock.
import type { Random } from './random.ts'

export interface Room {
  /** Fine dust in the air, µg/m³. */
  dust: number
  /** s of sawing left. */
  sawing: number
  extractor: { on: boolean; jammed: boolean; rpm: number }
  iron: { on: boolean; celsius: number; target: number }
  door: { open: boolean; heldOpen: number }
  light: { on: boolean; level: number; blinking: number }
  press: { running: boolean; bar: number; strokes: number }
  laser: { running: boolean; lidOpen: boolean; progress: number; watts: number }
  compressor: { on: boolean; motor: boolean; bar: number }
  /** `power`: the contactor that feeds it. */
  welder: { power: boolean; on: boolean; amps: number; celsius: number }
  /** The last badge that was held to the reader, and how many there were. */
  badge: { person: string; direction: 'in' | 'out'; count: number }
  printer: { status: 'idle' | 'printing' | 'paused'; progress: number; nozzle: number; layer: number }
  /** `awayFor`: s for which nobody comes in, whatever happens. */
  people: { count: number; awayFor: number; nextMove: number }
  climate: { celsius: number; humidity: number }
}

/** An ordinary afternoon: two people, clean air, everything off but the compressor. */
export const calmRoom = (): Room => ({
  dust: 12,
  sawing: 0,
  extractor: { on: false, jammed: false, rpm: 0 },
  iron: { on: false, celsius: 21, target: 350 },
  door: { open: false, heldOpen: 0 },
  light: { on: true, level: 80, blinking: 0 },
  press: { running: false, bar: 0, strokes: 0 },
  laser: { running: false, lidOpen: false, progress: 0, watts: 0 },
  compressor: { on: true, motor: false, bar: 7.4 },
  welder: { power: false, on: false, amps: 0, celsius: 22 },
  badge: { person: '', direction: 'in', count: 0 },
  printer: { status: 'idle', progress: 0, nozzle: 24, layer: 0 },
  people: { count: 2, awayFor: 0, nextMove: 180 },
  climate: { celsius: 20.5, humidity: 45 },
})

const CLEAN = 12
const SAWING_PER_S = 28
/** s until two thirds of the dust have settled, without and with the extractor at full speed. */
const SETTLES = 240
const EXTRACTED = 14
const FULL_RPM = 2850
const LAYERS = 240

const clamp = (n: number, low: number, high: number): number => Math.min(high, Math.max(low, n))

/** `from` on its way to `to`, after `dt` of time constant `tau`, all in s. */
const towards = (from: number, to: number, dt: number, tau: number): number => to + (from - to) * Math.exp(-dt / tau)

const less = (left: number, dt: number): number => Math.max(0, left - dt)

const dustAfter = ({ dust, sawing, extractor }: Room, dt: number): number => {
  const share = extractor.rpm / FULL_RPM
  const tau = 1 / ((1 - share) / SETTLES + share / EXTRACTED)
  const added = Math.min(sawing, dt) * SAWING_PER_S
  return clamp(towards(dust, CLEAN, dt, tau) + added, 0, 5000)
}

const extractorAfter = ({ extractor }: Room, dt: number): Room['extractor'] => {
  const turning = extractor.on && !extractor.jammed
  return { ...extractor, rpm: towards(extractor.rpm, turning ? FULL_RPM : 0, dt, turning ? 1.5 : 4) }
}

const ironAfter = ({ iron, climate }: Room, dt: number): Room['iron'] => ({
  ...iron,
  celsius: towards(iron.celsius, iron.on ? iron.target : climate.celsius, dt, iron.on ? 12 : 140),
})

/** Held open it stays open; otherwise it falls shut six seconds after somebody went through. */
const doorAfter = ({ door }: Room, dt: number): Room['door'] => {
  const heldOpen = less(door.heldOpen, dt)
  return { open: door.open && heldOpen > 0, heldOpen }
}

const laserAfter = ({ laser }: Room, dt: number): Room['laser'] => {
  if (!laser.running) return { ...laser, watts: 0 }
  const progress = clamp(laser.progress + (100 * dt) / 180, 0, 100)
  const running = progress < 100 && !laser.lidOpen
  return { ...laser, progress, running, watts: running ? 40 : 0 }
}

/** A two-point controller: the motor fills to 8 bar and starts again below 6; the hoses leak a little. */
const compressorAfter = ({ compressor, press }: Room, dt: number): Room['compressor'] => {
  const motor = compressor.on && (compressor.bar < 6 || (compressor.motor && compressor.bar < 8))
  const use = 0.004 + (press.running ? 0.05 : 0)
  return { ...compressor, motor, bar: clamp(compressor.bar + dt * ((motor ? 0.12 : 0) - use), 0, 8.2) }
}

const printerAfter = ({ printer }: Room, dt: number): Room['printer'] => {
  const hot = printer.status === 'idle' ? 24 : 215
  const nozzle = towards(printer.nozzle, hot, dt, 20)
  if (printer.status !== 'printing' || nozzle < 205) return { ...printer, nozzle }
  const progress = clamp(printer.progress + (100 * dt) / 1800, 0, 100)
  return {
    nozzle,
    progress,
    layer: Math.floor((progress / 100) * LAYERS),
    status: progress === 100 ? 'idle' : 'printing',
  }
}

/** Somebody comes or goes every few minutes, and goes through the door for it. */
const moved = (room: Room, dt: number, random: Random): Pick<Room, 'people' | 'door'> => {
  const awayFor = less(room.people.awayFor, dt)
  const nextMove = room.people.nextMove - dt
  const door = doorAfter(room, dt)
  if (awayFor > 0) return { people: { ...room.people, count: 0, awayFor }, door }
  if (nextMove > 0) return { people: { ...room.people, awayFor, nextMove }, door }
  const count = clamp(room.people.count + (random.chance(0.5) ? 1 : -1), 1, 5)
  const people = { count, awayFor, nextMove: random.between(60, 300) }
  return { people, door: { open: true, heldOpen: Math.max(door.heldOpen, 6) } }
}

/** The room `dt` seconds later. */
export const step = (room: Room, dt: number, random: Random): Room => {
  const { light, press, welder, climate } = room
  const heat = room.people.count * 0.4 + (room.iron.on ? 0.3 : 0) + (room.laser.running ? 0.6 : 0)
  const outside = room.door.open ? 12 : 19.5
  return {
    ...moved(room, dt, random),
    dust: dustAfter(room, dt),
    sawing: less(room.sawing, dt),
    extractor: extractorAfter(room, dt),
    iron: ironAfter(room, dt),
    light: { ...light, blinking: less(light.blinking, dt) },
    press: {
      ...press,
      bar: towards(press.bar, press.running ? 95 : 0, dt, 1.5),
      strokes: press.strokes + (press.running ? dt / 4 : 0),
    },
    laser: laserAfter(room, dt),
    compressor: compressorAfter(room, dt),
    welder: { ...welder, celsius: towards(welder.celsius, welder.on ? 22 + welder.amps / 2 : climate.celsius, dt, 90) },
    badge: room.badge,
    printer: printerAfter(room, dt),
    climate: {
      celsius: towards(climate.celsius, outside + heat, dt, 600),
      humidity: clamp(towards(climate.humidity, room.door.open ? 65 : 45, dt, 900) + random.noise(0.02), 5, 95),
    },
  }
}
