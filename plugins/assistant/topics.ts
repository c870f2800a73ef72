// The context of a conversation: what was spoken of last, the same for every client of it.
import { topics, z } from '#hub'

const Line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u)

/** One level of a topic. */
export const ConversationId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/, 'must be 1 to 64 letters, digits, _ . : or -')

export const ConversationContext = z.strictObject({
  conversationId: ConversationId,
  /** Grows by one with every change; a write with a revision that is there already is refused. */
  rev: z.number().int().min(1),
  updatedAt: z.iso.datetime({ offset: true }),
  expiresAt: z.iso.datetime({ offset: true }),
  lastIntent: Line(65).optional(),
  device: Line(63).optional(),
  devices: z.array(Line(63)).max(64).optional(),
  zone: Line(120).optional(),
  /** The command that waits for people's yes. */
  pending: Line(128).optional(),
  /** Who began it, such as `person:ada`: only they read and continue it, unless it is shared. */
  owner: Line(200),
  /** It belongs to a place, such as a wall terminal: everybody who may ask devices reads and continues it. */
  shared: z.literal(true).optional(),
})
export type ConversationContext = z.output<typeof ConversationContext>

export const assistantTopics = topics({
  'ctx/{conversation}': {
    payload: ConversationContext,
    qos: 1,
    retain: true,
    by: 'plugin',
    about:
      'What a conversation spoke of last: devices, place, what waits for a yes. Cleared after a day without a word.',
  },
})

declare module '#hub' {
  interface Topics {
    'ctx/{conversation}': ConversationContext
  }
}
