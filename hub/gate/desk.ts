// The desk holds every command the gate has in hand: its turn, its record, its deadline, the executor's words and its one result.
import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import type { Envelope } from '../bus/envelope.ts'
import { GATE } from '../bus/principal.ts'
import { type Clock, iso } from '../clock.ts'
import type { Devices } from '../devices/devices.ts'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import { message } from '../streams/message.ts'
import type { Ack } from '../topics/core.ts'
import type { AuditEvent } from './audit.ts'
import { type Bounds, type Wait, within } from './bounds.ts'
import { type Command, commandFrom, type Known, type Outcome, rowOf } from './command.ts'
import type { CommandStatus } from './gate.ts'
import { openLanes } from './lanes.ts'
import type { Ledger } from './ledger.ts'
import { openRoster } from './roster.ts'
import { openTrail } from './trail.ts'

/** Answers held back until the first request under an id has its result. */
const MAX_AFTER = 16

export interface DeskParts {
  bus: Bus
  devices: Pick<Devices, 'ownerOf'>
  clock: Clock
  health: Health
  ledger: Ledger
  /** Told of each row that a step or a note leaves. */
  told?: (row: AuditEvent) => void
  bounds: Bounds
  wait: Wait
}

export type Desk = ReturnType<typeof openDesk>

/** Who asked and who said yes, under which policy: in one row with what went out, and in one with what came of it. */
const answeredFor = ({ cleared, request: { requestedBy } }: Command): Record<string, unknown> =>
  cleared?.approval === undefined
    ? {}
    : { approval: cleared.approval, requestedBy, given: cleared.given ?? [], policy: cleared.policy }

export const openDesk = ({ bus, devices, clock, health, ledger, told, bounds, wait }: DeskParts) => {
  const roster = openRoster(bounds)
  const trail = openTrail({ clock, wait, ledger, told })
  const { audit, tell, auditOnce, note } = trail
  const last = new Map<string, number>()
  const lanes = openLanes()
  let ended = false
  /** Commands sent so far that were not safe. */
  let sent = 0

  const record = (command: Command): void =>
    void ledger.put(rowOf(command)).catch((error: unknown) => {
      health.report({
        source: 'gate',
        type: 'CommandUnrecorded',
        severity: 'error',
        category: 'database',
        message: `The state of command ${command.request.id} could not be recorded: ${reasonOf(error)}`,
      })
    })

  const became = (command: Command, status: CommandStatus, detail?: string): void => {
    command.status = status
    if (command.history.length >= bounds.history && command.result === undefined) return
    command.history.push({ at: iso(clock.now()), status, ...(detail === undefined ? {} : { detail }) })
  }

  const publishResult = ({ request, requestSeq }: Command, result: Outcome, cause = requestSeq): number => {
    try {
      const payload = { ...result, correlationId: request.correlationId }
      const { seq } = bus.publish(GATE, message('devices/{device}/result', { device: request.device }, payload), {
        cause,
        correlation: request.correlationId,
      })
      health.metrics.count('gate_results_total', 'Results published by the gate', { status: result.status })
      return seq
    } catch (error) {
      health.report({
        source: 'gate',
        type: 'ResultUnpublished',
        severity: 'critical',
        category: 'system',
        message: `The result of ${request.id} (${result.status}) could not be published: ${reasonOf(error)}`,
      })
      return 0
    }
  }

  const conclude = async (command: Command, result: Outcome, cause: number): Promise<void> => {
    // Recorded first: after a crash in between it is published from the record, not decided again.
    await within(bounds.recordMs, ledger.put(rowOf(command)), wait).catch(() => 'late')
    if (ended) return
    command.resultSeq = publishResult(command, result, cause)
    record(command)
    for (const tell of command.after.splice(0)) tell()
  }

  /** Gives a command its one result. Later calls do nothing. */
  const close = (
    command: Command,
    status: Outcome['status'],
    reason: string | undefined,
    cause = command.requestSeq,
    who = 'gate',
  ): Promise<void> => {
    if (command.closing !== undefined) return command.closing
    // What is undecided when the hub stops is decided after its start.
    if (ended) return Promise.resolve()
    const { id, intent, correlationId } = command.request
    const result: Outcome = {
      id,
      status,
      intent,
      ...(reason === undefined ? {} : { reason: reason.slice(0, 1000) }),
      correlationId,
    }
    command.result = result
    // Marked as going out, but it did not.
    if (command.status === 'pending') command.dispatchedAt = 0
    became(command, status, reason)
    roster.release(command)
    audit('result', command, { status, reason: reason ?? '', ...answeredFor(command) }, who)
    command.closing = conclude(command, result, cause)
    roster.remember(command)
    return command.closing
  }

  const arm = (command: Command, silent: string): void => {
    command.calm()
    command.calm = wait(Math.max(0, command.deadline - clock.now()), () => {
      // A clock that was set back, or a wait longer than a timer can be.
      if (clock.now() < command.deadline) arm(command, silent)
      else void close(command, 'timeout', silent)
    })
  }

  const silence = (command: Command): string =>
    command.status === 'accepted'
      ? `'${command.request.device}' accepted the command but did not say how it ended by ${iso(command.deadline)}. Look at the device.`
      : `'${command.request.device}' did not answer within ${Math.round(bounds.ackMs / 100) / 10} s. It may or may not have acted: look at the device.`

  /** Publishes the `cmd`. Resolves when it is out, or with why it is not. */
  const dispatch = async (command: Command): Promise<{ ok: true } | { ok: false; reason: string }> => {
    const { request, safe } = command
    let overtook: Promise<unknown> | undefined
    if (safe) {
      const ahead = lanes.sending(request.device)
      if (ahead !== undefined && (await within(bounds.overtakeMs, ahead, wait)) === 'late') overtook = ahead
    }
    became(command, 'dispatched')
    arm(command, silence(command))
    last.set(`${request.device} ${request.intent}`, command.dispatchedAt)
    if (!safe) sent++
    const { digest: _, payload, requestedBy, device, ...rest } = request
    const cmd = { ...rest, requestedBy, ...(Object.keys(payload).length === 0 ? {} : { payload }) }
    const { approval, policy, evidence } = command.cleared ?? {}
    const by = safe ? 'safe' : approval === undefined ? 'interlocks' : 'approval'
    audit('cmd', command, { by, policy, ...answeredFor(command), evidence }, 'gate')
    const gone = Promise.withResolvers<string | undefined>()
    try {
      const envelope = bus.publish(GATE, message('devices/{device}/cmd', { device }, cmd), {
        cause: command.requestSeq,
        correlation: request.correlationId,
        after: safe ? 'accept' : 'commit',
        // A record that took longer than the executor's time: the command has its result and must not come after it.
        still: () => command.result === undefined,
        committed: (error) => gone.resolve(error === undefined ? undefined : reasonOf(error)),
      })
      command.cmdSeq = envelope.seq
    } catch (error) {
      const reason = `The command could not be published: ${reasonOf(error)}`
      void close(command, 'failed', reason)
      return { ok: false, reason }
    }
    health.metrics.count('gate_commands_total', 'Commands sent by the gate', { safe: String(safe) })
    record(command)
    if (safe) {
      if (overtook !== undefined) void overtook.then(() => repeatSafe(command))
      return { ok: true }
    }
    lanes.sends(device, gone.promise)
    const failed = await within(bounds.recordMs, gone.promise, wait)
    if (failed === undefined || failed === 'late') return { ok: true }
    const reason = `The command was not sent because the journal could not record it: ${failed}`
    void close(command, 'failed', reason)
    return { ok: false, reason }
  }

  /** A command that hung in the journal came out after a safe intent: the safe intent is sent once more, under an id of its own. */
  const repeatSafe = (command: Command): void => {
    if (ended) return
    const again: Command = {
      ...command,
      // Nobody can have taken this id before.
      request: { ...command.request, id: `${command.request.id.slice(0, 85)}-again-${randomUUID()}` },
      history: [
        { at: iso(clock.now()), status: 'pending', detail: `repeats ${command.request.id}, which was overtaken` },
      ],
      status: 'pending',
      dispatchedAt: clock.now(),
      deadline: clock.now() + bounds.ackMs,
      cmdSeq: 0,
      resultSeq: 0,
      after: [],
      calm: () => {},
    }
    delete again.result
    delete again.closing
    roster.take(again)
    void dispatch(again)
  }

  const stray = (event: string, device: string, id: string, origin: string, detail: Record<string, unknown>): void => {
    health.metrics.count('gate_stray_acks_total', 'Words of executors that changed nothing', { why: event })
    const known = roster.find(id)
    if (known === undefined) return
    note(event, id, origin, detail, device, known.request.intent, id)
  }

  /** The executor's word. Only the owner of the device is believed, and only about a command that is out and open. */
  const hearAck = (
    device: string,
    ack: z.output<typeof Ack>,
    { origin, seq }: Pick<Envelope, 'origin' | 'seq'>,
  ): void => {
    const command = roster.get(ack.id)
    const detail = { status: ack.status, reason: ack.reason ?? '', seq }
    if (command === undefined) return stray('ack.late', device, ack.id, origin, detail)
    if (command.request.device !== device || devices.ownerOf(device) !== origin) {
      return stray('ack.foreign', device, ack.id, origin, detail)
    }
    if (command.status === 'pending') return stray('ack.early', device, ack.id, origin, detail)
    if (ack.status !== 'accepted') {
      audit('ack', command, detail, origin)
      return void close(command, ack.status, ack.reason, seq, origin)
    }
    const longest = command.dispatchedAt + bounds.longestMs
    command.deadline = Math.min(clock.now() + (ack.within ?? bounds.acceptedMs), longest)
    if (command.history.length < bounds.history)
      audit('ack', command, { ...detail, until: iso(command.deadline) }, origin)
    became(command, 'accepted', ack.reason)
    arm(command, silence(command))
    record(command)
  }

  return {
    audit,
    auditOnce,
    tell,
    note,
    close,
    dispatch,
    hearAck,
    find: roster.find,
    take: roster.take,
    release: roster.release,
    room: roster.room,
    remember: roster.remember,
    publishResult,
    /** Keeps the command as it now is, without waiting. */
    keep: record,
    /** Runs `work` in the device's turn: one request after the other, in the order they came. */
    inTurn: <T>(command: Command, work: () => Promise<T>): Promise<T> => lanes.inTurn(command, work),
    /** Requests not yet sent are not sent any more: all of a device's, or everybody's. */
    withdraw: (device: string | undefined, why: string): void => lanes.withdraw(device, why),
    /** Marks it as dispatched in the table before it is: from then on no restart sends it again. False when that cannot be written in time; a safe intent does not wait. */
    async record(command: Command): Promise<boolean> {
      if (ended) return false
      command.dispatchedAt = clock.now()
      command.deadline = command.dispatchedAt + bounds.ackMs
      const row = { ...rowOf(command), status: 'dispatched' }
      const written = ledger.put(row)
      if (command.safe) {
        written.catch(() => {})
        return true
      }
      const done = await within(
        bounds.recordMs,
        written.then(() => true),
        wait,
      ).catch(() => false)
      const now = clock.now()
      command.deadline += now - command.dispatchedAt
      command.dispatchedAt = now
      return done === true && !ended
    },
    /** Writes down that it waits for people. False when that cannot be done in time. */
    async hold(command: Command): Promise<boolean> {
      if (ended) return false
      const written = ledger.put(rowOf(command)).then(() => true)
      return (await within(bounds.recordMs, written, wait).catch(() => false)) === true && !ended
    },
    /** Looks for an id in the table; a safe intent waits a moment only and goes on without. */
    async lookUp(find: () => Promise<Command | undefined>, safe: boolean): Promise<Command | undefined | 'unknown'> {
      const found = await within(safe ? bounds.overtakeMs : bounds.recordMs, find(), wait).catch(() => 'late' as const)
      return found === 'late' ? (safe ? undefined : 'unknown') : found
    },
    /** After the result of `first` is published; at once when it is. Beyond sixteen waiting ones nothing is published. */
    afterResult(first: Known, tell: () => void): void {
      if (first.result !== undefined) tell()
      else if (first.after.length < MAX_AFTER) first.after.push(tell)
    },
    /** Takes up a command that an earlier run sent: at least the ack window from now. */
    resume(command: Command): void {
      command.deadline = Math.max(command.deadline, clock.now() + bounds.ackMs)
      roster.take(command)
      arm(command, silence(command))
    },
    /** A result decided by an earlier run that died before publishing it. */
    republish(command: Command): void {
      if (command.result === undefined) return
      command.resultSeq = publishResult(command, command.result)
      record(command)
    },
    /** The command as it now is, when it is open or not in the table yet. */
    now(id: string): Command | undefined {
      const row = roster.get(id) !== undefined ? undefined : ledger.waitingRow(id)
      return row === undefined ? roster.get(id) : commandFrom(row)
    },
    lastSent: (device: string, intent: string): number => last.get(`${device} ${intent}`) ?? 0,
    sentAt: (device: string, intent: string, at: number): void => void last.set(`${device} ${intent}`, at),
    get open() {
      return roster.size
    },
    get sent() {
      return sent
    },
    /** Calls off all deadlines; open commands stay open in the table. */
    end(): void {
      ended = true
      trail.close()
      for (const command of roster.all()) command.calm()
    },
  }
}
