// The steps a request passes before it becomes a command. Each says yes, or why not and what to do about it.
import type { Access } from '../access/access.ts'
import type { Principal } from '../bus/principal.ts'
import type { Device, Devices } from '../devices/devices.ts'
import type { Answer, GateRequest } from './gate.ts'
import { type Hazard, needsApproval } from './hazards.ts'
import { nearest } from './near.ts'
import { payloadCheck } from './payload-schema.ts'

/** A no: the step that said it, the HTTP status of it, the outcome published, and the reason. */
export interface No {
  step: string
  http: Exclude<Answer['http'], 202>
  outcome: 'refused' | 'expired'
  reason: string
  near?: string[]
  field?: string
}

const MAX_REASON = 900

export const refusal = (step: string, http: No['http'], reason: string, more: Pick<No, 'near' | 'field'> = {}): No => ({
  step,
  http,
  outcome: 'refused',
  // Both may quote names that the asker chose.
  reason: reason.slice(0, MAX_REASON),
  ...more,
  ...(more.field === undefined ? {} : { field: more.field.slice(0, 200) }),
})

export interface JudgeParts {
  devices: Pick<Devices, 'get' | 'list'>
  access: Pick<Access, 'mayRequest'>
  /** The class of an intent on a device, by the policy that counts now. */
  hazardOf: (device: Pick<Device, 'id' | 'kind' | 'area'>, intent: string) => Hazard
}

type CheckedSchema = ReturnType<typeof payloadCheck>

/** Judges by what is known at once: rights, device, intent, payload. Compiled schemas are kept as long as the device's `about`. */
export const openJudge = ({ devices, access, hazardOf }: JudgeParts) => {
  const checks = new WeakMap<object, CheckedSchema>()
  const checkOf = (schema: Record<string, unknown>): CheckedSchema => {
    const known = checks.get(schema)
    if (known !== undefined) return known
    const check = payloadCheck(schema)
    checks.set(schema, check)
    return check
  }

  const rights = (who: Principal | undefined, request: GateRequest): No | undefined => {
    if (who === undefined)
      return refusal('rights', 403, `${request.requestedBy} is not known any more, so nothing is done in its name.`)
    const verdict = access.mayRequest(who, request.device, request.intent)
    return verdict.ok ? undefined : refusal('rights', 403, verdict.reason)
  }

  const known = (request: GateRequest): No | undefined => {
    const device = devices.get(request.device)
    if (device === undefined) {
      const near = nearest(
        request.device,
        devices.list().map(({ id }) => id),
      )
      return refusal(
        'device',
        404,
        `There is no device '${request.device}'.${meant(near)} GET /api/devices lists them.`,
        { near, field: 'device' },
      )
    }
    const names = Object.keys(device.intents)
    if (Object.hasOwn(device.intents, request.intent)) return undefined
    const near = nearest(request.intent, names)
    return refusal(
      'intent',
      422,
      `'${request.device}' does not know '${request.intent}'.${meant(near)} It knows: ${names.join(', ').slice(0, 400) || 'nothing'}.`,
      { near, field: 'intent' },
    )
  }

  const payload = (request: GateRequest): No | undefined => {
    const schema = devices.get(request.device)?.intents[request.intent]
    if (schema === undefined)
      return refusal('intent', 422, `'${request.device}' does not know '${request.intent}' any more.`)
    const wrong = checkOf(schema)(request.payload)
    if (wrong === undefined) return undefined
    if (wrong.unusable) {
      return refusal(
        'payload',
        409,
        `The hub cannot check the payload of '${request.intent}', so it does not send it: ${wrong.constraint}. Correct the device's 'about'.`,
      )
    }
    const field = wrong.field === '' ? 'payload' : `payload.${wrong.field}`
    return refusal('payload', 400, `${field}: ${wrong.constraint}`, { field })
  }

  const fresh = (request: GateRequest, now: number): No | undefined =>
    now <= Date.parse(request.expiresAt)
      ? undefined
      : {
          step: 'expiry',
          http: 410,
          outcome: 'expired',
          reason: `The request expired at ${request.expiresAt} by the hub's clock. Ask again.`,
        }

  const there = (request: GateRequest): No | undefined =>
    devices.get(request.device)?.online === true
      ? undefined
      : refusal(
          'online',
          404,
          `'${request.device}' is offline. Only its safe intents are sent while it is; ask again when it is back.`,
        )

  /** What the device declares as safe, unless it is of a class that needs a person's yes: what a device says of itself is no approval. */
  const isSafe = (device: string, intent: string): boolean => {
    const found = devices.get(device)
    return found !== undefined && found.safe.includes(intent) && !needsApproval(hazardOf(found, intent))
  }

  /** The safe intents a stop sends: all that need no payload, stop-like verbs first, so that what must stay on is said last. */
  const stopIntents = (device: string): string[] => {
    const found = devices.get(device)
    if (found === undefined) return []
    return [...new Set(found.safe)]
      .filter((intent) => {
        const schema = Object.hasOwn(found.intents, intent) ? found.intents[intent] : undefined
        return schema !== undefined && !needsApproval(hazardOf(found, intent)) && checkOf(schema)({}) === undefined
      })
      .map((intent) => ({ intent, rank: STOP_VERBS.findIndex((verb) => verb.test(intent)) }))
      .sort((a, b) => (a.rank < 0 ? STOP_VERBS.length : a.rank) - (b.rank < 0 ? STOP_VERBS.length : b.rank))
      .map(({ intent }) => intent)
  }

  return { rights, known, payload, fresh, there, isSafe, stopIntents }
}

/** Verbs that end a motion, most urgent first. */
const STOP_VERBS = [
  /(^|\.)(emergency_stop|estop|halt|stop)/,
  /(^|\.)(pause|hold|cancel|abort)/,
  /(^|\.)(turn_off|power_off|disable|close|lock)/,
]

const meant = (near: readonly string[]): string =>
  near.length === 0 ? '' : ` Did you mean ${near.map((name) => `'${name}'`).join(' or ')}?`
