// What a simulated machine is: what it says of itself, what it shows of the room, and what each intent does to the room.
import { z } from 'zod'
import type { Random } from './random.ts'
import type { Room } from './room.ts'

export type Values = Record<string, unknown>

export interface Intent {
  /** JSON Schema of the payload, `{}` for none. */
  schema: Values
  /** s it takes, from the first to the second number. */
  takes: readonly [number, number]
  /** The room afterwards, or why it cannot be done. */
  act: (room: Room, payload: Values) => Room | string
}

export interface Machine {
  id: string
  about: { name: string; kind: string; area: string; maker?: string; model?: string }
  safe?: readonly string[]
  intents: Readonly<Record<string, Intent>>
  /** 4 is MQTT 3.1.1. */
  protocol: 4 | 5
  /** s between samples. */
  every: number
  /** What is retained; published when it changes. */
  state: (room: Room) => Values
  telemetry: (room: Room, random: Random) => Values
  /** What happened between two states, as an event or just its type; undefined for nothing worth telling. */
  event?: (before: Values, after: Values) => string | (Values & { type: string }) | undefined
  /** What `simulate` without a fault brings about, and for how many s unless told. */
  scene: { tells: string; seconds: number; act: (room: Room, seconds: number) => Room }
}

const schemaOf = (payload: z.ZodObject): Values => {
  const { $schema: _, ...schema } = z.toJSONSchema(payload, { io: 'input' })
  return schema
}

/** An intent with a payload; a payload that does not fit is refused with the field named. */
export const intentWith = <P extends z.ZodObject>(
  payload: P,
  takes: Intent['takes'],
  act: (room: Room, payload: z.output<P>) => Room | string,
): Intent => ({
  schema: schemaOf(payload),
  takes,
  act: (room, raw) => {
    const checked = payload.safeParse(raw)
    if (checked.success) return act(room, checked.data)
    const { path, message } = checked.error.issues[0] ?? { path: [], message: 'does not fit' }
    return `payload.${path.join('.')}: ${message}`
  },
})

/** An intent without a payload. */
export const intent = (takes: Intent['takes'], act: (room: Room) => Room | string): Intent => ({
  schema: {},
  takes,
  act,
})

/** `n` with at most `digits` behind the point, as a device would print it. */
export const round = (n: number, digits = 0): number => Number(n.toFixed(digits))
