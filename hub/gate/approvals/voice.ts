// How an approval is told of: retained on its topic until it ends, and each step as a safety event under its id.
import type { Bus } from '../../bus/bus.ts'
import { GATE } from '../../bus/principal.ts'
import { type Clock, iso } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Health } from '../../health/report.ts'
import { message } from '../../streams/message.ts'
import type { OpenApproval } from './approval.ts'

export interface VoiceParts {
  bus: Pick<Bus, 'publish' | 'publishBytes' | 'retained'>
  clock: Pick<Clock, 'now'>
  health: Pick<Health, 'report'>
  /** Topic prefix without the slash at its end. */
  prefix: string
}

/** None of it throws: what could not be published is on the error bus, and in the table all the same. */
export const openVoice = ({ bus, clock, health, prefix }: VoiceParts) => {
  const trouble = (type: string, text: string): void =>
    health.report({ source: 'gate', type, severity: 'error', category: 'system', message: text })

  const clear = (id: string): void => {
    try {
      bus.publishBytes(GATE, `${prefix}/approvals/${id}`, Buffer.alloc(0))
    } catch (error) {
      trouble('ApprovalUncleared', `The topic of approval ${id} could not be cleared: ${reasonOf(error)}`)
    }
  }

  return {
    clear,
    publish({ view }: OpenApproval): void {
      try {
        bus.publish(GATE, message('approvals/{approval}', { approval: view.id }, view), { correlation: view.commandId })
      } catch (error) {
        trouble(
          'ApprovalUnpublished',
          `Approval ${view.id} could not be published: ${reasonOf(error)}. GET /api/approvals lists it.`,
        )
      }
    },
    announce(type: string, { view }: OpenApproval, by: string, more: Record<string, unknown> = {}): void {
      const { id, commandId, device, intent, hazard, effect, needed, given, expiresAt } = view
      const about = { approval: id, commandId, device, intent, hazard, effect, needed, given: given.length, expiresAt }
      try {
        const event = { type, at: iso(clock.now()), by, ...about, ...more }
        bus.publish(GATE, message('safety/events/{event}', { event: id }, event), { correlation: commandId })
      } catch (error) {
        trouble('ApprovalUnannounced', `${type} of ${id} could not be published: ${reasonOf(error)}`)
      }
    },
    /** Clears retained topics of approvals that are not open any more. */
    tidy(isOpen: (id: string) => boolean): void {
      for (const { topic } of bus.retained(`${prefix}/approvals/+`)) {
        const id = topic.slice(topic.lastIndexOf('/') + 1)
        if (!isOpen(id)) clear(id)
      }
    },
  }
}
