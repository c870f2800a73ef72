// Which rows of the audit people should know of: they are listed as safety events, and those nobody else tells are told on the bus.
import { randomUUID } from 'node:crypto'
import type { Bus } from '../bus/bus.ts'
import { GATE } from '../bus/principal.ts'
import { iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import { message } from '../streams/message.ts'
import type { AuditEvent } from './audit.ts'
import { shortened } from './canonical.ts'

/** Beginnings of their names. */
export const SAFETY_EVENTS: readonly string[] = [
  'approval.',
  'stop',
  'latch.',
  'policy.',
  'signing-key.',
  'clock.',
  'audit.',
]
/** Refusals of what may hurt somebody. */
export const REFUSALS: readonly string[] = [
  'approval',
  'presence',
  'signature',
  'role',
  'hours',
  'latch',
  'policy',
  'resume',
  'withdrawn',
  'remote',
  'interlock',
  'publish',
  'right',
].map((step) => `refused.${step}`)

/** Told with the row, because nothing else tells of them; the others have their own word on the bus. */
const UNTOLD = new Set([...REFUSALS, 'approval.refused', 'latch.kept'])
const isUntold = (event: string): boolean =>
  UNTOLD.has(event) || event.startsWith('policy.') || event.startsWith('signing-key.')

/** Tells of a row on `safety/events/{event}`: under the approval's id where it belongs to one. Never throws. */
export const openTold =
  ({ bus, health }: { bus: Pick<Bus, 'publish'>; health: Pick<Health, 'report'> }) =>
  ({ event: type, at, who: by, subject, device, intent, detail }: AuditEvent): void => {
    if (!isUntold(type)) return
    const { approval } = detail
    const known = typeof approval === 'string' && ID.test(approval) ? approval : undefined
    const id = known ?? randomUUID()
    const about = {
      device,
      intent,
      subject,
      ...(known === undefined ? {} : { approval: known }),
      detail: shortened(detail, 1024),
    }
    try {
      bus.publish(GATE, message('safety/events/{event}', { event: id }, { type, by, at: iso(at), ...about }))
    } catch (error) {
      health.report({
        source: 'gate',
        type: 'EventUnpublished',
        severity: 'error',
        category: 'system',
        message: `${type} could not be published: ${reasonOf(error)}`,
      })
    }
  }

/** As the gate makes them: what somebody sent in place of one is no part of a topic. */
const ID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/
