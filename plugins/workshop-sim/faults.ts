// The faults that `simulate` can provoke in any machine, and its payload.
import { z } from 'zod'

export const FAULTS = {
  spike: 'Samples twenty times too high.',
  stuck: 'Samples and state stay as they are.',
  silence: 'No samples and no state.',
  garbage: 'Samples and state that are no JSON or of the wrong form.',
  offline: 'The connection is cut without a word; the last will speaks.',
  refuse: 'Commands are accepted and then fail.',
  deaf: 'Commands are not heard.',
  slow: 'Commands take 20 s longer.',
  none: 'Ends the fault that is in place.',
} as const satisfies Record<string, string>

export type Fault = keyof typeof FAULTS

const isFault = (value: unknown): value is Fault => typeof value === 'string' && Object.hasOwn(FAULTS, value)

export const Simulate = z.strictObject({
  fault: z.custom<Fault>(isFault, `must be one of ${Object.keys(FAULTS).join(', ')}`).optional(),
  seconds: z.number().min(1).max(3600).optional(),
})

/** JSON Schema of the same, for `about`; `tells` is what happens without a fault. */
export const simulateSchema = (tells: string, seconds: number): Record<string, unknown> => ({
  type: 'object',
  description: `Demo only. Without a fault: ${tells}.`,
  properties: {
    fault: { type: 'string', enum: Object.keys(FAULTS) },
    seconds: {
      type: 'number',
      minimum: 1,
      maximum: 3600,
      description: `How long; ${seconds} unless told, 30 for a fault.`,
    },
  },
  additionalProperties: false,
})
