// The hub's stop, when somebody says "stop everything".
import { type Desk, field, whyOf } from './desk.ts'
import type { Said } from './pending.ts'
import type { Language } from './say.ts'

/** Stops everything that has a safe intent, and says how many were told. */
export const stopAll = async (desk: Desk, reason: string, language: Language): Promise<Said> => {
  const { status, body } = await desk.call('POST', '/api/safety/stop', { reason })
  const reached = field(body, 'devices')
  const count = Array.isArray(reached) ? reached.length : 0
  const de = language === 'de'
  return {
    replies: [
      status < 300
        ? {
            kind: 'stopped',
            language,
            text: de
              ? `Halt ist an ${count} Geräte gesendet. Das ersetzt keinen Not-Aus-Schalter.`
              : `Stop was sent to ${count} devices. This is no substitute for an emergency stop.`,
          }
        : {
            kind: 'refused',
            language,
            text: de ? `Der Halt wurde nicht angenommen: ${whyOf(body)}` : `The stop was not taken: ${whyOf(body)}`,
          },
    ],
    change: {},
  }
}
