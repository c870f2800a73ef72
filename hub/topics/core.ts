// The core topics: what the hub itself speaks. A plugin brings its own in plugins/<id>/topics.ts.
import { z } from 'zod'
import { type PayloadsOf, topics } from './row.ts'

/** Device ids, also those of printers, cameras and robots. Foreign names are slugged to this form once. */
export const DeviceId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_]{0,62}$/, 'must start with a-z or 0-9 and hold at most 63 of a-z, 0-9 and _')

/** A verb of the device's kind, such as `light.turn_on`. */
export const Intent = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$/, "must look like 'light.turn_on'")

/** Visible ASCII: databases store it, and hashes and comparisons mean the same by it, whatever the encoding. */
const RequestId = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters, without spaces')

/** A line of text: no control characters (PostgreSQL stores no NUL) and no half characters (UTF-8 has none). */
export const Line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters or halves of a character')

const Instant = z.iso.datetime({ offset: true })

const About = z.looseObject({
  name: Line(120).min(1),
  kind: Line(64).min(1),
  area: Line(120).optional(),
  /** Each intent with the JSON Schema of its payload, `{}` for none. */
  intents: z.record(Intent, z.record(z.string(), z.unknown())),
  /** The intents that lead to the device's safe state. */
  safe: z.array(Intent).max(64).optional(),
  maker: Line(120).optional(),
  model: Line(120).optional(),
  via: Line(120).optional(),
})

/** A wish. All but `intent` may be left out; the hub fills in the rest and overwrites `requestedBy`. */
export const Request = z.strictObject({
  id: RequestId.optional(),
  intent: Intent,
  payload: z.record(z.string(), z.unknown()).optional(),
  reason: Line(500).optional(),
  requestedBy: Line(200).optional(),
  issuedAt: Instant.optional(),
  expiresAt: Instant.optional(),
  correlationId: Line(128).optional(),
  conversationId: Line(128).optional(),
})

/** An accepted request, to be tried: the same shape, nothing left out that the hub fills in. */
export const Command = Request.required({ id: true, requestedBy: true, issuedAt: true, expiresAt: true })

/** The executor's word. `within`, in ms, extends the deadline of an `accepted` command. */
export const Ack = z.strictObject({
  id: RequestId,
  status: z.enum(['accepted', 'done', 'failed']),
  reason: Line(500).optional(),
  within: z.number().int().min(1).max(86_400_000).optional(),
})

export const OUTCOMES = ['done', 'failed', 'refused', 'denied', 'expired', 'timeout', 'duplicate'] as const

/** The one outcome of a request. */
export const Result = z.strictObject({
  id: RequestId,
  status: z.enum(OUTCOMES),
  intent: Intent,
  reason: z.string().max(1000).optional(),
  correlationId: z.string().max(128).optional(),
})

export const APPROVAL_STATES = ['pending', 'approved', 'denied', 'expired', 'cancelled'] as const

/** A question to people: may this exact command go out? Bound to its digest, answered once, silence is no. */
export const Approval = z.strictObject({
  id: RequestId,
  commandId: RequestId,
  device: DeviceId,
  intent: Intent,
  payload: z.record(z.string(), z.unknown()),
  /** What happens when they say yes, in plain words. */
  effect: Line(500),
  hazard: z.enum(['none', 'low', 'medium', 'high']),
  zone: Line(120).optional(),
  requestedBy: Line(200),
  reason: Line(500).optional(),
  /** How many people have to say yes. */
  needed: z.number().int().min(1).max(9),
  given: z.array(z.strictObject({ by: Line(200), at: Instant })).max(9),
  /** What the first of them has to type or say. */
  phrase: Line(120).optional(),
  requestedAt: Instant,
  expiresAt: Instant,
  status: z.enum(APPROVAL_STATES),
  digest: Line(128),
  /** What the hub knew when it asked: presence, state of the device, the policy's version. */
  evidence: z.record(z.string(), z.unknown()).optional(),
})

export const SEVERITIES = ['debug', 'info', 'warning', 'error', 'critical', 'fatal'] as const

/** An error event (EB-1). */
export const ErrorEvent = z.strictObject({
  id: z.string(),
  timestamp: Instant,
  source: z.string(),
  type: z.string(),
  severity: z.enum(SEVERITIES),
  category: z.enum([
    'system',
    'network',
    'database',
    'authentication',
    'validation',
    'resource',
    'configuration',
    'external_api',
    'user_input',
    'business_logic',
    'planning',
    'execution',
  ]),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
  stack: z.string().optional(),
  correlation_id: z.string().optional(),
  retry_count: z.number().int().min(0),
})

const Readings = z.record(z.string(), z.unknown())

export const core = topics({
  'devices/{device}/about': {
    payload: About,
    qos: 1,
    retain: true,
    by: 'owner',
    about: 'Name, kind, area and intents of a device.',
  },
  'devices/{device}/state': {
    payload: Readings,
    qos: 1,
    retain: true,
    by: 'owner',
    about: 'The whole document of its entities and values.',
  },
  'devices/{device}/online': {
    payload: z.boolean(),
    qos: 1,
    retain: true,
    by: 'owner',
    about: 'Presence: true, and false by last will.',
  },
  'devices/{device}/telemetry': {
    payload: Readings,
    qos: 0,
    retain: false,
    by: 'owner',
    about: 'Samples, as often as they come.',
  },
  'devices/{device}/event': {
    payload: z.looseObject({ type: z.string().min(1).max(64) }),
    qos: 1,
    retain: false,
    by: 'owner',
    about: 'Something that happened.',
  },
  'devices/{device}/request': {
    payload: Request,
    qos: 1,
    retain: false,
    by: 'requester',
    about: 'A wish, which may be refused.',
  },
  'devices/{device}/cmd': {
    payload: Command,
    qos: 1,
    retain: false,
    by: 'gate',
    about: 'Accepted, to be tried. Never retained.',
  },
  'devices/{device}/ack': {
    payload: Ack,
    qos: 1,
    retain: false,
    by: 'owner',
    about: "The executor's word on a command.",
  },
  'devices/{device}/result': {
    payload: Result,
    qos: 1,
    retain: false,
    by: 'gate',
    about: 'Exactly one per request.',
  },
  'safety/stop': {
    payload: z.looseObject({ reason: Line(500).optional() }),
    qos: 1,
    retain: false,
    by: 'requester',
    about: 'Stop everything that moves: sends each device the safe intents it declared for a stop.',
  },
  'safety/events/{event}': {
    payload: z.looseObject({ type: z.string(), at: Instant, by: z.string() }),
    qos: 1,
    retain: false,
    by: 'gate',
    about: 'What happened at the gate that people should know of: a stop, its reach, its failures.',
  },
  'approvals/{approval}': {
    payload: Approval,
    qos: 1,
    retain: true,
    by: 'gate',
    about: 'A question to people about one command, retained until it is answered or expires.',
  },
  'flows/{flow}/{value}': {
    payload: Readings,
    qos: 0,
    retain: false,
    by: 'flow',
    about: 'What a flow works out for others to read: averages, counts, warnings.',
  },
  'errors/{severity}/{source}': {
    payload: ErrorEvent,
    qos: 1,
    retain: false,
    by: 'hub',
    about: 'The error bus.',
  },
  'hub/health': {
    payload: z.looseObject({ status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']) }),
    qos: 1,
    retain: true,
    by: 'hub',
    about: "The hub's own health, with its parts.",
  },
  'hub/flows': {
    payload: z.looseObject({ items: z.array(z.looseObject({ id: z.string(), status: z.string() })) }),
    qos: 1,
    retain: true,
    by: 'hub',
    about: 'The flows with their state and counters, at most once a second.',
  },
})

declare module '#hub' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- declaration merging
  interface Topics extends PayloadsOf<typeof core> {}
}
