// The limits interlock: payload values outside what is configured for a device or its kind are refused before anything is sent (FB-7).
import { z } from 'zod'
import { no, YES } from '../broker/broker.ts'
import { Fatal } from '../errors.ts'
import type { GateRequest, Interlock } from './gate.ts'

const Bound = z
  .strictObject({
    min: z.number().optional(),
    max: z.number().optional(),
    oneOf: z
      .array(z.union([z.string(), z.number(), z.boolean()]))
      .min(1)
      .optional(),
  })
  .refine(
    ({ min, max, oneOf }) => min !== undefined || max !== undefined || oneOf !== undefined,
    'needs min, max or oneOf',
  )
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, 'has a min above its max')

const Interval = z.number().int().min(1).max(86_400_000)

/** What is configured for one intent: bounds of fields beside `minIntervalMs`. */
const IntentLimits = z.record(z.string(), z.unknown()).transform((raw, context) => {
  const { minIntervalMs, ...rest } = raw
  const parsed = z
    .object({ minIntervalMs: Interval.optional(), fields: z.record(z.string(), Bound) })
    .safeParse({ minIntervalMs, fields: rest })
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) {
    const path = issue.path[0] === 'fields' ? issue.path.slice(1) : issue.path
    context.addIssue({ code: 'custom', path, message: issue.message })
  }
  return z.NEVER
})

/** Limits by device or kind, then by intent: bounds of payload fields (`a.b` for nested ones) and `minIntervalMs`. */
export const DeviceLimits = z.record(z.string(), z.record(z.string(), IntentLimits))
export type DeviceLimits = z.output<typeof DeviceLimits>

/** Reads the `limits` of the config file. Throws Fatal naming what is wrong. */
export const deviceLimits = (raw: unknown): DeviceLimits => {
  const parsed = DeviceLimits.safeParse(raw)
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map(({ path, message }) => `limits.${path.map(String).join('.')}: ${message}`)
  throw new Fatal(`The limits in the config file are not valid:\n  ${lines.join('\n  ')}`)
}

/** The interlock. `lastSent` tells when the intent was last dispatched to the device (ms since 1970, 0 for never). */
export const limitsInterlock = (
  limits: DeviceLimits,
  lastSent: (device: string, intent: string) => number,
): Interlock => ({
  name: 'limits',
  explains: 'Values and intervals stay within what is configured for the device.',
  check(request, world) {
    const kind = world.device(request.device)?.kind
    for (const subject of kind === undefined ? [request.device] : [request.device, kind]) {
      const rule = Object.hasOwn(limits, subject) ? limits[subject] : undefined
      const intent = rule !== undefined && Object.hasOwn(rule, request.intent) ? rule[request.intent] : undefined
      if (intent === undefined) continue
      const wrong =
        outside(request, intent) ??
        early(request, intent.minIntervalMs, lastSent(request.device, request.intent), world.at)
      if (wrong !== undefined) return no(`${wrong} (limit of '${subject}')`)
    }
    return YES
  },
})

const outside = (request: GateRequest, { fields }: z.output<typeof IntentLimits>): string | undefined => {
  for (const [field, bound] of Object.entries(fields)) {
    for (const value of valuesAt(request.payload, field.split('.'))) {
      const wrong = beyond(field, value, bound)
      if (wrong !== undefined) return wrong
    }
  }
  return undefined
}

const beyond = (field: string, value: unknown, { min, max, oneOf }: z.output<typeof Bound>): string | undefined => {
  if (oneOf !== undefined && !oneOf.some((allowed) => allowed === value))
    return `${field} is ${shown(value)}, allowed: ${oneOf.join(', ')}`
  if (min === undefined && max === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value))
    return `${field} is ${shown(value)}, which is no number to hold against its limit`
  if (min !== undefined && value < min) return `${field} is ${value}, the least allowed is ${min}`
  if (max !== undefined && value > max) return `${field} is ${value}, the most allowed is ${max}`
  return undefined
}

const early = (request: GateRequest, interval: number | undefined, last: number, now: number): string | undefined =>
  interval !== undefined && last > 0 && now - last < interval
    ? `'${request.intent}' was sent ${now - last} ms ago; wait ${interval - (now - last)} ms more`
    : undefined

/** Every value a device may read as the field: `a.b` is a key of that name, and `b` in `a`. */
const valuesAt = (at: unknown, keys: readonly string[]): unknown[] => {
  if (keys.length === 0) return at === undefined ? [] : [at]
  if (typeof at !== 'object' || at === null) return []
  return keys.flatMap((_, i) => {
    const key = keys.slice(0, i + 1).join('.')
    return Object.hasOwn(at, key) ? valuesAt(Reflect.get(at, key), keys.slice(i + 1)) : []
  })
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60)
