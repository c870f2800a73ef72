// Admission: one request from its arrival through every step to its command, or to the refusal that says why not.
import type { Kysely } from 'kysely'
import type { Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import type { Devices } from '../devices/devices.ts'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import type { Tables } from '../store/store.ts'
import { type Bounds, type Wait } from './bounds.ts'
import { openBuckets } from './buckets.ts'
import { shortened } from './canonical.ts'
import { type Command, findCommand, type Known } from './command.ts'
import type { Desk } from './desk.ts'
import type { Answer, Interlock } from './gate.ts'
import { askInterlocks, snapshot } from './interlocks.ts'
import { needsApproval } from './hazards.ts'
import { type No, type openJudge, refusal } from './judge.ts'
import type { Approvals } from './approvals/open.ts'
import type { Signature } from './approvals/signatures.ts'
import type { Ledger } from './ledger.ts'

export interface AdmissionParts {
  db: Kysely<Tables>
  clock: Clock
  health: Pick<Health, 'report'>
  devices: Pick<Devices, 'get'>
  ledger: Pick<Ledger, 'ok'>
  judge: ReturnType<typeof openJudge>
  desk: Desk
  whoIs: (origin: string) => Principal | undefined
  /** Read at each request: more may be added. */
  interlocks: readonly Interlock[]
  /** Of the policy that counts now. */
  policyVersion: () => string
  /** The interlock of policy.yaml that blocks an intent of a device just now. */
  heldBy: (device: string, intent: string) => { name: string; why: string } | undefined
  /** Given when it is open: it carries out through here. */
  approvals: () => Pick<Approvals, 'check' | 'hold' | 'overtaken'>
  bounds: Bounds
  wait: Wait
}

/** A request at the door. */
export interface Applicant {
  command: Command
  /** It came just now, and counts against what its origin may ask per second. */
  metered: boolean
  /** Who asks; undefined when nobody of that origin is known any more. */
  who: Principal | undefined
  /** The asker chose the id, so it may have been used before. */
  named: boolean
  /** Sent with it, over HTTP. */
  signature?: Signature | undefined
}

export const openAdmission = ({
  db,
  clock,
  health,
  devices,
  ledger,
  judge,
  desk,
  whoIs,
  interlocks,
  policyVersion,
  heldBy,
  approvals,
  bounds,
  wait,
}: AdmissionParts) => {
  const usual = openBuckets(clock, bounds.requestBurst, bounds.requestsPerSecond)
  const urgent = openBuckets(clock, bounds.safeBurst, bounds.safePerSecond)

  const refuse = (command: Command, why: No): Answer => {
    desk.auditOnce(
      `refused.${why.step}`,
      command,
      { reason: why.reason, http: why.http, policy: policyVersion() },
      why.reason,
    )
    void desk.close(command, why.outcome, why.reason)
    return {
      commandId: command.request.id,
      status: 'refused',
      http: why.http,
      reason: why.reason,
      ...(why.near === undefined || why.near.length === 0 ? {} : { near: why.near }),
      ...(why.field === undefined ? {} : { field: why.field }),
    }
  }

  /** A refusal that leaves no row, because the id may have one of an earlier command, or there is no room for it. */
  const turnAway = (command: Command, { step, http, reason }: No): Answer => {
    const { id, intent } = command.request
    desk.auditOnce(`refused.${step}`, command, { reason, http }, reason)
    // An id in use gets the result of the request that has it.
    if (desk.find(id) === undefined) desk.publishResult(command, { id, status: 'refused', intent, reason })
    return { commandId: id, status: 'refused', http, reason }
  }

  /** Same id again: the earlier result stands. Another wish under a used id is refused, after the first has its result. */
  const repeated = async (command: Command, first: Known): Promise<Answer> => {
    const { id, digest } = command.request
    const same = first.request.digest === digest && first.origin === command.origin
    desk.auditOnce(
      same ? 'duplicate' : 'refused.duplicate',
      command,
      { first: first.status, seq: command.requestSeq },
      same ? id : '',
    )
    await first.closing
    if (same && first.result === undefined) {
      return {
        commandId: id,
        status: 'duplicate',
        http: 202,
        reason: `Asked before and still open (${first.status}); its result follows.`,
      }
    }
    const reason = same
      ? `Asked before: ${first.result?.status ?? 'closed'}${first.result?.reason === undefined ? '' : `, ${first.result.reason}`}`
      : `The id '${id}' was used before for another request. Use a new id for each request.`
    desk.afterResult(first, () =>
      desk.publishResult(command, {
        id,
        status: same ? 'duplicate' : 'refused',
        intent: command.request.intent,
        reason: reason.slice(0, 1000),
      }),
    )
    return same
      ? { commandId: id, status: 'duplicate', http: 202, reason }
      : { commandId: id, status: 'refused', http: 409, reason }
  }

  /** Judges one request from its arrival to its `cmd` or its result. */
  const admit = async (applicant: Applicant): Promise<Answer> => {
    const { command, who, metered } = applicant
    const { request } = command
    command.trail = []
    command.safe = judge.isSafe(request.device, request.intent) && heldBy(request.device, request.intent) === undefined
    if (metered && !(command.safe ? urgent : usual)(command.origin)) return turnAway(command, tooOften)
    const first = desk.find(request.id)
    if (first !== undefined) return repeated(command, first)
    if (!desk.room(command)) {
      return turnAway(
        command,
        refusal(
          'busy',
          409,
          `'${request.device}' or the hub has too many open commands. Wait for their results, then ask again.`,
        ),
      )
    }
    desk.take(command)
    const denied = judge.rights(who, request)
    if (command.safe && denied === undefined) {
      const why = `overtaken by '${request.intent}', which leads to the safe state`
      desk.withdraw(request.device, why)
      approvals().overtaken(request.device, why, command.origin)
    }
    return command.safe ? proceed(applicant, denied) : desk.inTurn(command, () => proceed(applicant, denied))
  }

  const proceed = async ({ command, named, who, signature }: Applicant, denied: No | undefined): Promise<Answer> => {
    const { request, safe } = command
    if (named) {
      const earlier = await desk.lookUp(() => findCommand(db, request.id), safe)
      if (earlier === 'unknown') {
        desk.release(command)
        return turnAway(command, unrecorded())
      }
      if (earlier !== undefined) {
        desk.release(command)
        return repeated(command, earlier)
      }
    }
    desk.audit('request', command, {
      digest: request.digest,
      payload: shortened(request.payload),
      reason: request.reason ?? '',
      expiresAt: request.expiresAt,
      seq: command.requestSeq,
    })
    desk.keep(command)
    if (denied !== undefined) return refuse(command, denied)
    desk.audit('rights', command, {})
    const wrong = judge.known(request) ?? judge.payload(request) ?? judge.fresh(request, clock.now())
    if (wrong !== undefined) return refuse(command, wrong)
    desk.audit('valid', command, { safe, policy: policyVersion() })
    if (safe) return send(command)
    const blocked = await blockedBy(command)
    if (blocked !== undefined) return refuse(command, blocked)
    if (command.withdrawn !== undefined) return refuse(command, withdrawn(command.withdrawn))
    const found = await approvals().check(command, who, signature)
    if (!found.ok) return refuse(command, found.no)
    const { cleared } = found
    if (cleared.takes.people > 0 || needsApproval(cleared.takes.hazard)) return approvals().hold(command, cleared)
    const isEvident = cleared.signed || cleared.takes.presence !== 'none'
    command.cleared = { policy: cleared.policy, ...(isEvident ? { evidence: cleared.evidence } : {}) }
    return send(command)
  }

  const blockedBy = async (command: Command): Promise<No | undefined> =>
    held(command) ?? judge.there(command.request) ?? (ledger.ok ? undefined : unrecorded()) ?? (await guarded(command))

  const held = ({ request }: Command): No | undefined => {
    const found = heldBy(request.device, request.intent)
    return found && refusal('interlock', 409, `'${request.intent}' is refused by '${found.name}': ${found.why}.`)
  }

  /** Judges an approved command once more by everything that may have changed since it was asked for, and sends it. Never rejects. */
  const carryOut = (command: Command, last: () => No | undefined): Promise<Answer> =>
    desk.inTurn(command, () =>
      safely(command, async () => {
        const { request } = command
        const wrong =
          judge.rights(whoIs(command.origin), request) ??
          judge.known(request) ??
          judge.payload(request) ??
          judge.fresh(request, clock.now()) ??
          (await blockedBy(command)) ??
          last()
        return wrong === undefined ? send(command) : refuse(command, wrong)
      }),
    )

  const guarded = async (command: Command): Promise<No | undefined> => {
    const said = await askInterlocks(
      interlocks,
      command.request,
      snapshot(devices, clock.now()),
      bounds.interlockMs,
      wait,
    )
    const against = said.flatMap(({ name, verdict }) => (verdict.ok ? [] : [{ name, reason: verdict.reason }]))
    desk.audit('interlocks', command, { asked: said.map(({ name }) => name), against: against.map(({ name }) => name) })
    return against.length === 0
      ? undefined
      : refusal(
          'interlock',
          403,
          against
            .map(({ reason }) => reason)
            .join('; ')
            .slice(0, 900),
        )
  }

  /** Records that it is about to go out, looks once more, and sends it. */
  const send = async (command: Command): Promise<Answer> => {
    desk.tell(command)
    const recorded = await desk.record(command)
    if (!recorded) return refuse(command, unrecorded())
    // Time passed while interlocks and disk were asked.
    const late = judge.fresh(command.request, clock.now()) ?? (command.safe ? undefined : judge.there(command.request))
    if (late !== undefined) return refuse(command, late)
    if (command.withdrawn !== undefined) return refuse(command, withdrawn(command.withdrawn))
    const sent = await desk.dispatch(command)
    if (sent.ok) return { commandId: command.request.id, status: 'dispatched', http: 202 }
    return { commandId: command.request.id, status: 'refused', http: 503, reason: sent.reason }
  }

  const withdrawn = (why: string): No => refusal('withdrawn', 409, `Not sent: ${why}.`)

  const tooOften = refusal(
    'busy',
    409,
    `You ask more often than ${bounds.requestsPerSecond} times a second. Wait a moment, then ask again.`,
  )

  const unrecorded = (): No =>
    refusal(
      'record',
      503,
      'The hub cannot record commands just now, so it sends only safe intents. See its health page; ask again when the database answers.',
    )

  /** Never rejects: what goes wrong inside is a refusal. */
  const safely = async (command: Command, work: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await work()
    } catch (error) {
      health.report({
        source: 'gate',
        type: 'JudgementFailed',
        severity: 'error',
        category: 'execution',
        message: `${command.request.intent} on ${command.request.device} was refused because judging it failed: ${reasonOf(error)}`,
      })
      if (command.status !== 'pending') return { commandId: command.request.id, status: 'dispatched', http: 202 }
      return refuse(
        command,
        refusal('failure', 503, `Judging the request failed, so it is refused: ${reasonOf(error)}`.slice(0, 900)),
      )
    }
  }

  const judged = (applicant: Applicant): Promise<Answer> => safely(applicant.command, () => admit(applicant))

  return { judge: judged, carryOut, refuse }
}
