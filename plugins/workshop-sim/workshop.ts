// The whole workshop: one room, a device with its wire for each machine, and the beat that moves them all.
import { defer, finalize, ignoreElements, interval, map, type Observable } from 'rxjs'
import type { HealthWord } from '#hub/plugin'
import { device } from './device.ts'
import { machines } from './machines.ts'
import { seeded } from './random.ts'
import { calmRoom, step } from './room.ts'
import { type Login, wire } from './wire.ts'

export interface WorkshopOptions {
  broker: { host: string; port: number }
  /** Credential of each device by its id. */
  logins: ReadonlyMap<string, Login>
  prefix: string
  seed: number
  /** Simulated seconds per second. */
  speed: number
  /** Wall-clock ms. */
  now: () => number
  health: (word: HealthWord, what?: string) => void
  /** Takes the goodbyes that end after unsubscribing. */
  settle: (work: Promise<unknown>) => void
}

const BEAT_MS = 100
const LONGEST_STEP_S = 5
const GRACE_MS = 10_000

const open = ({ broker, logins, prefix, seed, speed, now, health, settle }: WorkshopOptions) => {
  const random = seeded(seed)
  let room = calmRoom()
  const cell = {
    get: () => room,
    set: (next: typeof room) => {
      room = next
    },
  }
  const stands = machines.flatMap((machine, n) => {
    const login = logins.get(machine.id)
    if (!login) return []
    const line = wire({ broker, login, protocol: machine.protocol, topic: `${prefix}/devices/${machine.id}` })
    return [{ id: machine.id, line, device: device(machine, line, cell, seeded(seed + n + 1)) }]
  })
  const startedAt = now()
  let before = startedAt
  let told = ''

  const tellHealth = (at: number): void => {
    const down = stands.filter(({ line }) => line.status() === 'down')
    const why = down.map(({ line }) => line.error()).find((error) => error !== undefined)
    const isStarting = told === '' && at - startedAt < GRACE_MS
    if (down.length > 0 && why === undefined && isStarting) return
    const what =
      down.length === 0
        ? `All ${stands.length} devices run.`
        : `${down.length} of ${stands.length} devices have no connection to the broker: ${down.map(({ id }) => id).join(', ')}${why === undefined ? '' : ` (${why})`}.`
    if (what === told) return
    told = what
    if (down.length === 0) health('healthy')
    else health('degraded', what)
  }

  const beat = (): void => {
    const at = now()
    room = step(room, Math.min(LONGEST_STEP_S, Math.max(0, at - before) / 1000) * speed, random)
    before = at
    for (const stand of stands) {
      if (stand.line.cameUp()) stand.device.connected(at)
      for (const command of stand.line.take()) stand.device.heard(command, at)
      stand.device.tick(at)
    }
    tellHealth(at)
  }

  return {
    beat,
    close: () => {
      settle(Promise.all(stands.map(({ line }) => line.close())))
    },
  }
}

/** Runs until unsubscribed; emits nothing, for its devices speak for themselves over the broker. */
export const workshop = (options: WorkshopOptions): Observable<never> =>
  defer(() => {
    const shop = open(options)
    return interval(BEAT_MS).pipe(map(shop.beat), ignoreElements(), finalize(shop.close))
  })
