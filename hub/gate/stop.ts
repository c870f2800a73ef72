// The global stop: every device's safe intents, at once, past lanes, expiry and interlocks. It is no substitute for a physical emergency stop.
import { randomUUID } from 'node:crypto'
import type { Bus } from '../bus/bus.ts'
import { GATE } from '../bus/principal.ts'
import { type Clock, iso } from '../clock.ts'
import type { Devices } from '../devices/devices.ts'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import { message } from '../streams/message.ts'
import type { Bounds, Wait } from './bounds.ts'
import { openBuckets } from './buckets.ts'
import { digestOf } from './canonical.ts'
import { type Command, fresh } from './command.ts'
import type { Desk } from './desk.ts'
import type { GateRequest } from './gate.ts'
import type { openJudge } from './judge.ts'

export interface StopParts {
  bus: Bus
  devices: Pick<Devices, 'list'>
  judge: Pick<ReturnType<typeof openJudge>, 'stopIntents'>
  desk: Desk
  /** Told before anything is sent, of each stop. */
  stopped: (by: string, reason: string) => void
  clock: Clock
  health: Health
  bounds: Bounds
  wait: Wait
}

export interface Stopped {
  id: string
  devices: { device: string; intents: string[]; error?: string }[]
}

/**
 * Stops, one after the other. A stop joins the last one, and has its outcome, while that is being sent, and beyond so many
 * per second of one origin; but never when a command that is not safe was sent since.
 */
export const openStop = (parts: StopParts) => {
  const { desk, clock, bounds } = parts
  const allowed = openBuckets(clock, bounds.stopBurst, bounds.stopsPerSecond)
  let last: { outcome: Promise<Stopped>; sent: number; sending: boolean } | undefined
  return (by: string, reason: string, cause: number): Promise<Stopped> => {
    parts.stopped(by, reason)
    if (last?.sent === desk.sent && (last.sending || !allowed(by))) {
      desk.withdraw(undefined, `a stop by ${by} came first`)
      desk.note('stop.joined', '', by, { reason }, '', '', '')
      return last.outcome
    }
    const now = { outcome: stopAll(parts, by, reason, cause), sent: desk.sent, sending: true }
    const over = () => (now.sending = false)
    now.outcome.then(over, over)
    last = now
    return now.outcome
  }
}

/**
 * Withdraws what is not sent yet and sends each device all its safe intents that need no payload: those that stop first
 * (stop, halt, pause, cancel, turn_off …), then those that must stay on. Offline devices are tried too. Reports its reach on
 * `safety/events/<id>` twice: when all is sent, and when every device has answered or its time is up.
 */
const stopAll = async (parts: StopParts, by: string, reason: string, cause: number): Promise<Stopped> => {
  const { devices, desk, judge, clock, bounds } = parts
  const id = `stop-${randomUUID().slice(0, 8)}`
  const now = clock.now()
  desk.withdraw(undefined, `a stop by ${by} came first`)
  const commands: Command[] = []

  const requestOf = (device: string, intent: string, name: string): GateRequest => ({
    id: name,
    device,
    intent,
    payload: {},
    reason: `stop: ${reason === '' ? `by ${by}` : reason}`.slice(0, 500),
    requestedBy: by,
    issuedAt: iso(now),
    expiresAt: iso(now + bounds.expiryMs),
    correlationId: id,
    digest: digestOf(device, intent, {}),
  })

  const one = async (device: string): Promise<Stopped['devices'][number] | undefined> => {
    let intents: string[]
    try {
      intents = judge.stopIntents(device)
    } catch (error) {
      return { device, intents: [], error: `its safe intents could not be worked out: ${reasonOf(error)}` }
    }
    if (intents.length === 0) return undefined
    const failed: string[] = []
    // All at once: they wait for the same command on its way, if any, and go out in this order.
    const sent = await Promise.all(
      intents.map(async (intent, i) => {
        const command = fresh(requestOf(device, intent, `${id}-${device}-${i}`), by, now, cause)
        command.safe = true
        try {
          desk.take(command)
          desk.audit('stop', command, { stop: id, reason })
          await desk.record(command)
          const outcome = await desk.dispatch(command)
          commands.push(command)
          if (outcome.ok) return intent
          failed.push(`${intent}: ${outcome.reason}`)
        } catch (error) {
          desk.release(command)
          failed.push(`${intent}: ${reasonOf(error)}`)
        }
        return undefined
      }),
    )
    return {
      device,
      intents: sent.filter((intent) => intent !== undefined),
      ...(failed.length === 0 ? {} : { error: failed.join('; ') }),
    }
  }

  const reached = (await Promise.all(devices.list().map((device) => one(device.id)))).filter(
    (entry) => entry !== undefined,
  )
  const without = devices.list().length - reached.length
  desk.note('stop', id, by, { reason, devices: reached.length, commands: commands.length, without })
  announce(parts, id, {
    type: 'stop',
    by,
    reason,
    devices: reached.length,
    commands: commands.length,
    without,
    failed: reached.filter(({ error }) => error !== undefined),
  })
  void followUp(parts, id, by, commands)
  return { id, devices: reached }
}

/** Waits until every command of the stop has its result; each has a deadline, so this ends. */
const followUp = async (parts: StopParts, id: string, by: string, commands: readonly Command[]): Promise<void> => {
  await Promise.all(
    commands.map((command) => command.closing ?? new Promise<void>((resolve) => command.after.push(resolve))),
  )
  const count = (status: string) => commands.filter(({ result }) => result?.status === status).length
  const silent = commands.filter(({ result }) => result?.status !== 'done')
  announce(parts, id, {
    type: 'stop-reach',
    by,
    done: count('done'),
    failed: count('failed'),
    timeout: count('timeout'),
    unconfirmed: silent.slice(0, 200).map(({ request, result }) => ({
      device: request.device,
      intent: request.intent,
      status: result?.status ?? 'open',
      reason: result?.reason ?? '',
    })),
  })
}

const announce = (
  { bus, clock, health }: StopParts,
  id: string,
  event: { type: string; by: string } & Record<string, unknown>,
): void => {
  try {
    bus.publish(GATE, message('safety/events/{event}', { event: id }, { ...event, at: iso(clock.now()) }), {
      correlation: id,
    })
  } catch (error) {
    health.report({
      source: 'gate',
      type: 'StopUnannounced',
      severity: 'error',
      category: 'system',
      message: `The reach of stop ${id} could not be published: ${reasonOf(error)}`,
    })
  }
}
