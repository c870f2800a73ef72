// What was found on the network, short enough for one message; routes tell the rest.
import { topics, z } from '#hub'

export const STATUSES = ['new', 'accepted', 'ignored', 'gone'] as const

const Line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u)

export const FoundShort = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  kind: Line(24),
  name: Line(64),
  /** Where it says it is reached; missing while nobody answered that. */
  address: Line(45).optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  confidence: z.number().min(0).max(1),
  status: z.enum(STATUSES),
})
export type FoundShort = z.output<typeof FoundShort>

export const FoundList = z.strictObject({
  items: z.array(FoundShort).max(512),
  /** How many more there are than fit into one message: `GET /api/network/found` has them all. */
  more: z.number().int().min(0),
  /** When the search that runs ends; missing while none runs. */
  searchingUntil: z.iso.datetime({ offset: true }).optional(),
})
export type FoundList = z.output<typeof FoundList>

export const networkTopics = topics({
  'network/found': {
    payload: FoundList,
    qos: 1,
    retain: true,
    by: 'plugin',
    about:
      'Things found on the network, the most certain first. Nothing of it is controlled; a person accepts or ignores.',
  },
})

declare module '#hub' {
  interface Topics {
    'network/found': FoundList
  }
}
