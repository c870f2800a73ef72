// The inbox of the hub: what people should know of, the newest first.
import { topics, z } from '#hub'

export const LEVELS = ['info', 'warning', 'error', 'critical'] as const

const Line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u)

export const Notification = z.strictObject({
  id: Line(64),
  /** What it is about: a repeat with the same key is the same incident. */
  key: Line(200),
  source: z.enum(['error', 'approval', 'flow', 'stop']),
  severity: z.enum(LEVELS),
  title: Line(120),
  text: Line(1000),
  /** A path of the app that shows more, such as `/approvals?id=…`. */
  link: Line(300).optional(),
  at: z.iso.datetime({ offset: true }),
  updatedAt: z.iso.datetime({ offset: true }),
  /** How often it happened within the incident. */
  count: z.number().int().min(1),
  status: z.enum(['open', 'ended']),
  /** When it ends by itself, such as an approval nobody answers. */
  endsAt: z.iso.datetime({ offset: true }).optional(),
  /** Who has seen it, as `person:ada`. */
  seenBy: z.array(Line(200)).max(20),
})
export type Notification = z.output<typeof Notification>

export const notifyTopics = topics({
  'notify/inbox': {
    payload: z.strictObject({ items: z.array(Notification).max(100) }),
    qos: 1,
    retain: true,
    by: 'plugin',
    about: 'Notifications of the last days, the newest first: errors, approvals, quarantined flows, stops.',
  },
})

declare module '#hub' {
  interface Topics {
    'notify/inbox': { items: Notification[] }
  }
}
