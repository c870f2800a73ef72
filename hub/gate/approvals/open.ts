// Opens what stands between a valid request and its command when it may hurt somebody: conditions, approvals, the latch of a stop.
import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Access } from '../../access/access.ts'
import type { Bus } from '../../bus/bus.ts'
import { GATE, type Principal } from '../../bus/principal.ts'
import { type Clock, iso } from '../../clock.ts'
import type { Devices } from '../../devices/devices.ts'
import { reasonOf } from '../../errors.ts'
import type { Health } from '../../health/report.ts'
import type { Tables } from '../../store/store.ts'
import { message } from '../../streams/message.ts'
import type { Bounds, Wait } from '../bounds.ts'
import { digestOf } from '../canonical.ts'
import type { Command } from '../command.ts'
import type { Desk } from '../desk.ts'
import type { Answer } from '../gate.ts'
import { type No, refusal } from '../judge.ts'
import type { PolicySource } from '../policy/file.ts'
import { approvalDigest, effectOf, evidenceOf, type OpenApproval } from './approval.ts'
import { type Book, openBook } from './book.ts'
import { away, type Cleared, openConditions } from './conditions.ts'
import { openLatch } from './latch.ts'
import { openPresence } from './presence.ts'
import { openReleases } from './release.ts'
import { openSignatures, type Signature } from './signatures.ts'
import { openSteady } from './steady.ts'

const LOOK_MS = 5_000

export interface ApprovalsParts {
  db: Kysely<Tables>
  bus: Bus
  devices: Devices
  access: Pick<Access, 'may'>
  clock: Clock
  health: Health
  bounds: Bounds
  wait: Wait
  prefix: string
  policy: PolicySource
  principalOf: (origin: string) => Principal | undefined
  desk: Desk
  stopIntents: (device: string) => string[]
  /** What HMAC keys are made from. */
  master: Buffer
  /** ms on a clock that nobody can set; without it jumps of the wall clock are not noticed. */
  steady?: (() => number) | undefined
  /** Refuses a command as every step of the gate does. */
  refuse: (command: Command, why: No) => Answer
  /** ms by which the clock is behind the last row of the audit, when that is more than a minute; else 0. */
  behind: number
  /** Judges an approved command once more, with `last` as the last step, and sends it. */
  carryOut: (command: Command, last: () => No | undefined) => Promise<Answer>
}

export const openApprovals = async (parts: ApprovalsParts) => {
  const { db, bus, devices, access, clock, health, bounds, wait, policy, desk, principalOf } = parts
  const presence = openPresence(devices)
  const signatures = openSignatures({ db, clock, wait, master: parts.master, recordMs: bounds.recordMs })
  const latch = await openLatch({ db, clock, health, wait })
  const conditions = openConditions({
    clock,
    devices,
    policy,
    presence,
    signatures,
    latch,
    stopIntents: parts.stopIntents,
  })
  const waiting = new Map<string, Command>()
  const departed = parts.steady === undefined ? () => 0 : openSteady(() => clock.now(), parts.steady)

  const mayApprove = (who: Principal) => access.may(who, 'hazards.approve')

  const announce = (type: string, by: string, more: Record<string, unknown>): void => {
    try {
      bus.publish(
        GATE,
        message('safety/events/{event}', { event: randomUUID() }, { type, by, at: iso(clock.now()), ...more }),
      )
    } catch (error) {
      health.report({
        source: 'gate',
        type: 'EventUnpublished',
        severity: 'error',
        category: 'system',
        message: `${type} could not be published: ${reasonOf(error)}`,
      })
    }
  }

  const carryOut = async (command: Command, approval: OpenApproval): Promise<Record<string, unknown>> => {
    const answer = await parts.carryOut(command, () => {
      const approvers = approval.view.given.map(({ by }) => {
        const who = principalOf(by)
        return { by, who, may: who !== undefined && mayApprove(who).ok }
      })
      const found = conditions.again(command, principalOf(command.origin), approval, approvers)
      if (!found.ok) return found.no
      const { id, given, evidence } = approval.view
      const signature = evidence?.['signature']
      command.cleared = {
        policy: found.cleared.policy,
        approval: id,
        given,
        evidence: { ...found.cleared.evidence, ...(signature === undefined ? {} : { signature }) },
      }
      return undefined
    })
    const { commandId, status, http, reason } = answer
    return { commandId, status, http, ...(reason === undefined ? {} : { reason }) }
  }

  const releases = openReleases({
    clock,
    policy,
    latch,
    desk,
    principalOf,
    mayApprove,
    announce,
    book: () => book,
  })
  const book: Book = openBook({
    db,
    bus,
    clock,
    health,
    wait,
    recordMs: bounds.recordMs,
    prefix: parts.prefix,
    mayApprove,
    away: (who) => away(policy, who),
    note: (event, view, who, detail, same) =>
      desk.note(event, view.commandId, who, detail, view.device, view.intent, same),
    ended(approval, status, why, by) {
      if (approval.about === 'resume') return status === 'approved' ? releases.carryOut(approval, by) : undefined
      const command = waiting.get(approval.view.commandId)
      waiting.delete(approval.view.commandId)
      if (command === undefined) return undefined
      if (status === 'approved') return carryOut(command, approval)
      void desk.close(command, status === 'expired' ? 'expired' : 'denied', `Not approved: ${why}.`, undefined, by)
      return undefined
    },
  })

  /** After a jump of the clock nobody knows how old anything is. */
  const lookAtClock = (by = departed()): void => {
    if (by === 0) return
    presence.forget()
    const cancelled = book.cancel(
      () => true,
      `the hub's clock jumped by ${Math.round(by / 1000)} s, so nobody knows what has expired`,
      'gate',
    )
    desk.note('clock.jumped', '', 'gate', { by, cancelled })
    announce('clock.jumped', 'gate', { ms: by, cancelled })
  }
  let offLook = (): void => {}
  const look = (): void => {
    lookAtClock()
    offLook = wait(LOOK_MS, look)
  }
  if (parts.steady !== undefined) offLook = wait(LOOK_MS, look)

  /** Asks people. The command stays as it is, pending, until they have decided. */
  const hold = async (command: Command, { takes, policy: version, evidence, signed }: Cleared): Promise<Answer> => {
    const { request } = command
    const end = clock.now() + policy.now.settings.approvalSeconds * 1000
    const expiresAt = command.ownExpiry ? Math.min(end, Date.parse(request.expiresAt)) : end
    if (!command.ownExpiry) request.expiresAt = iso(end + bounds.expiryMs)
    desk.tell(command)
    waiting.set(request.id, command)
    const no = (why: No): Answer => {
      waiting.delete(request.id)
      return parts.refuse(command, why)
    }
    if (!(await desk.hold(command)))
      return no(
        refusal(
          'record',
          503,
          'The hub cannot record commands just now, so nobody is asked. Ask again when the database answers.',
        ),
      )
    if (command.withdrawn !== undefined) return no(refusal('withdrawn', 409, `Nobody is asked: ${command.withdrawn}.`))
    const asked = await book.ask({
      about: 'command',
      request,
      effect: effectOf(request, devices.get(request.device), takes.ppe),
      takes,
      policy: version,
      evidence: evidenceOf(evidence),
      signed,
      expiresAt,
    })
    if (!asked.ok) return no(refusal('approval', asked.http, asked.why))
    return { commandId: request.id, status: 'awaiting_confirmation', http: 202, approval: asked.view.id }
  }

  return {
    book,
    presence,
    signatures,
    latch,
    hold,
    resume: releases.ask,
    /** What the policy says of it before anybody is asked. */
    async check(command: Command, who: Principal | undefined, signature: Signature | undefined) {
      lookAtClock()
      return conditions.first(command, who, signature)
    },
    answer: (who: Principal, decision: Parameters<typeof book.answer>[1]) => {
      lookAtClock()
      return book.answer(who, decision)
    },
    /** A stop: what waits is cancelled, what was stopped stays so. */
    stopped(by: string, reason: string): void {
      latch.set(by, reason)
      book.cancel(() => true, `a stop by ${by} came first`, by)
    },
    /** A safe intent of a device ends what waits for it. */
    overtaken(device: string, why: string, by: string): void {
      if (waiting.size > 0) book.cancel(({ view, about }) => about === 'command' && view.device === device, why, by)
    },
    /** Takes up a command of an earlier run that people were asked about. False when nobody was. */
    async restore(command: Command, isAnswered: boolean): Promise<boolean> {
      const approval = await book.of(command.request.id)
      if (approval === undefined) return false
      desk.take(command)
      if (approval === 'unreadable' || !isSame(approval, command)) {
        const why = 'the record of the approval or of the command was changed'
        const view = approval === 'unreadable' ? { id: '' } : approval.view
        desk.note(
          'approval.refused',
          command.request.id,
          'gate',
          { approval: view.id, why },
          command.request.device,
          command.request.intent,
        )
        void desk.close(command, 'denied', `Not approved: ${why}.`)
        return true
      }
      const { status, expiresAt } = approval.view
      if (status === 'pending') {
        waiting.set(command.request.id, command)
        book.resume(approval)
      } else if (status === 'approved' && !isAnswered && parts.behind === 0) {
        void carryOut(command, approval)
      } else {
        void desk.close(
          command,
          status === 'expired' ? 'expired' : 'denied',
          status === 'approved' && parts.behind > 0
            ? 'Approved, but not sent: the clock was set back while the hub was off, so nobody knows how old the yes is. Ask again.'
            : `Not approved: ${status === 'expired' ? `nobody said yes until ${expiresAt}` : status}.`,
        )
      }
      return true
    },
    /** After all commands are taken up. */
    async restored(): Promise<void> {
      await book.settle()
      lookAtClock(-parts.behind)
    },
    announce,
    async close(): Promise<void> {
      offLook()
      await Promise.all([book.close(), latch.close()])
    },
  }
}

/** Whether it was asked for this very command: both were read from tables that somebody may have written to. */
const isSame = ({ view, asked }: OpenApproval, { request }: Command): boolean =>
  digestOf(request.device, request.intent, request.payload) === request.digest &&
  digestOf(view.device, view.intent, view.payload) === request.digest &&
  view.requestedBy === request.requestedBy &&
  approvalDigest(view, request.digest, asked.policy) === view.digest

export type Approvals = Awaited<ReturnType<typeof openApprovals>>
