// After a restart: the badges of the last minutes, as the journal has them.
import { reasonOf } from '../../errors.ts'
import type { GateParts } from '../open.ts'
import type { PresenceBook } from './presence.ts'

const MAX_READ = 50_000
const LONGEST_MS = 240 * 60_000

/** Without a journal, or when it cannot be read, nobody is known to be anywhere. */
export const recallBadges = async (
  { journal, clock, prefix, health }: Pick<GateParts, 'journal' | 'clock' | 'prefix' | 'health'>,
  presence: Pick<PresenceBook, 'hear'>,
): Promise<void> => {
  if (journal === undefined) return
  try {
    const entries = await journal.read({
      since: clock.now() - LONGEST_MS,
      topic: `${prefix}/devices/+/event`,
      kinds: ['message'],
      limit: MAX_READ,
    })
    for (const { topic, payload, at } of entries) {
      const text = payload.toString('utf8')
      if (text.includes('"badge"')) presence.hear(topic.slice(prefix.length + 1).split('/')[1] ?? '', parsed(text), at)
    }
  } catch (error) {
    health.report({
      source: 'gate',
      type: 'BadgesUnread',
      severity: 'warning',
      category: 'system',
      message: `The badges of before the restart could not be read (${reasonOf(error)}); whoever is present has to badge again.`,
    })
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
