// Opens the gate: it hears every request, judges it, sends the command, hears the executor and publishes exactly one result.
import { randomUUID } from 'node:crypto'
import type { Access } from '../access/access.ts'
import type { Bus } from '../bus/bus.ts'
import type { Envelope } from '../bus/envelope.ts'
import { originOf, type Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Forbidden, Recoverable, reasonOf } from '../errors.ts'
import type { Devices } from '../devices/devices.ts'
import type { Health, Log } from '../health/report.ts'
import type { Journal } from '../journal/entry.ts'
import type { Store } from '../store/store.ts'
import { message } from '../streams/message.ts'
import { BOUNDS, type Bounds, realWait, type Wait, within } from './bounds.ts'
import { type Command, commandOf, findCommand, listCommands, viewOf, type Wish, wishOf } from './command.ts'
import { openDesk } from './desk.ts'
import type { Answer, Gate, Interlock } from './gate.ts'
import { type HazardOf, hazardOf as defaultHazards } from './hazards.ts'
import { askInterlocks, snapshot } from './interlocks.ts'
import { type No, openJudge, refusal } from './judge.ts'
import { openLedger } from './ledger.ts'
import { type DeviceLimits, limitsInterlock } from './limits.ts'
import { restore } from './restore.ts'
import { stopAll } from './stop.ts'

const DEEP_EDGE = { dropOldest: 20_000 }
const PRUNE_EVERY_MS = 3_600_000
const MAX_LISTED = 1000

export interface GateParts {
  bus: Bus
  store: Pick<Store, 'db'>
  devices: Devices
  access: Pick<Access, 'mayRequest' | 'may'>
  clock: Clock
  log: Log
  health: Health
  /** Who an origin such as `person:ada` or `flow:x` is now, for rights; undefined when it is not known any more. */
  principalOf: (origin: string) => Principal | undefined
  /** Topic prefix without the slash at its end. */
  prefix: string
  limits: DeviceLimits
  journal?: Pick<Journal, 'read'>
  hazardOf?: HazardOf
  bounds?: Partial<Bounds>
  wait?: Wait
}

/** Takes up what an earlier run left open, then listens. */
export const openGate = async (parts: GateParts): Promise<Gate> => {
  const { bus, store, devices, access, clock, health, prefix, principalOf } = parts
  const bounds = { ...BOUNDS, ...parts.bounds }
  const wait = parts.wait ?? realWait
  const ledger = await openLedger({ db: store.db, health, wait, now: clock.now() })
  const judge = openJudge({ devices, access, hazardOf: parts.hazardOf ?? defaultHazards })
  const desk = openDesk({ bus, devices, clock, health, ledger, bounds, wait })
  const interlocks: Interlock[] = [limitsInterlock(parts.limits, desk.lastSent)]
  const asks = new Map<number, { who: Principal; answer: (answer: Answer) => void }>()
  const stopping = new Set<number>()

  const refuse = (command: Command, why: No): Answer => {
    desk.audit(`refused.${why.step}`, command, { reason: why.reason, http: why.http })
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

  /** Same id again: the earlier result stands. Another wish under a used id is refused, after the first has its result. */
  const repeated = async (command: Command, first: Command): Promise<Answer> => {
    const { id, digest } = command.request
    const same = first.request.digest === digest && first.origin === command.origin
    desk.audit(same ? 'duplicate' : 'refused.duplicate', command, { first: first.status, seq: command.requestSeq })
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
  const admit = async (
    command: Command,
    deep: boolean,
    who: Principal | undefined,
    named: boolean,
  ): Promise<Answer> => {
    const { request } = command
    const first = desk.find(request.id)
    if (first !== undefined) return repeated(command, first)
    command.safe = judge.isSafe(request.device, request.intent)
    const room = desk.room(command)
    if (!room) {
      const reason = `'${request.device}' or the hub has too many open commands. Wait for their results, then ask again.`
      desk.audit('refused.busy', command, { reason })
      desk.publishResult(command, { id: request.id, status: 'refused', intent: request.intent, reason })
      return { commandId: request.id, status: 'refused', http: 409, reason }
    }
    desk.take(command)
    const denied = judge.rights(who, request)
    if (command.safe && denied === undefined)
      desk.withdraw(request.device, `overtaken by '${request.intent}', which leads to the safe state`)
    return command.safe
      ? proceed(command, deep, denied, named)
      : desk.inTurn(command, () => proceed(command, deep, denied, named))
  }

  const proceed = async (command: Command, deep: boolean, denied: No | undefined, named: boolean): Promise<Answer> => {
    const { request, safe } = command
    if (named) {
      const earlier = await desk.lookUp(() => findCommand(store.db, request.id), safe)
      if (earlier === 'unknown') return refuse(command, unrecorded())
      if (earlier !== undefined) {
        desk.release(command)
        return repeated(command, earlier)
      }
    }
    desk.audit('request', command, {
      payload: request.payload,
      reason: request.reason ?? '',
      expiresAt: request.expiresAt,
      seq: command.requestSeq,
    })
    desk.keep(command)
    if (denied !== undefined) return refuse(command, denied)
    desk.audit('rights', command, {})
    const wrong = judge.known(request) ?? judge.payload(request, deep) ?? judge.fresh(request, clock.now())
    if (wrong !== undefined) return refuse(command, wrong)
    desk.audit('valid', command, { safe })
    if (!safe) {
      const blocked =
        judge.there(request) ??
        (ledger.ok ? undefined : unrecorded()) ??
        (await guarded(command)) ??
        judge.hazard(request)
      if (blocked !== undefined) return refuse(command, blocked)
    }
    return send(command)
  }

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
    const recorded = await desk.record(command)
    if (!recorded) return refuse(command, unrecorded())
    // Time passed while interlocks and disk were asked.
    const late = judge.fresh(command.request, clock.now()) ?? (command.safe ? undefined : judge.there(command.request))
    if (late !== undefined) return refuse(command, late)
    if (command.withdrawn !== undefined)
      return refuse(command, refusal('withdrawn', 409, `Not sent: ${command.withdrawn}.`))
    const sent = await desk.dispatch(command)
    if (sent.ok) return { commandId: command.request.id, status: 'dispatched', http: 202 }
    return { commandId: command.request.id, status: 'refused', http: 503, reason: sent.reason }
  }

  const unrecorded = (): No =>
    refusal(
      'record',
      503,
      'The hub cannot record commands just now, so it sends only safe intents. See its health page; ask again when the database answers.',
    )

  /** Never rejects: what goes wrong inside is a refusal. */
  const judged = async (
    command: Command,
    deep: boolean,
    who: Principal | undefined,
    named: boolean,
  ): Promise<Answer> => {
    try {
      return await admit(command, deep, who, named)
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

  const again = (command: Command): void => void judged(command, false, principalOf(command.origin), false)

  const hear = (wish: Wish): void => {
    const { command, deep } = commandOf(wish, bounds)
    // A caller of ask() puts itself down for the seq right after publishing, in the same turn.
    queueMicrotask(() => {
      const ask = asks.get(wish.seq)
      asks.delete(wish.seq)
      const who = ask?.who ?? principalOf(wish.origin)
      void judged(command, deep, who, wish.body.id !== undefined).then((answer) => ask?.answer(answer))
    })
  }

  const stop = (by: string, reason: string, cause: number) =>
    stopAll({ bus, devices, judge, desk, clock, health, bounds, wait }, by, reason, cause)

  /** What arrives before the open commands of an earlier run are back waits for them. */
  let early: (() => void)[] | undefined = []
  const whenReady = (work: () => void): void => {
    if (early === undefined) work()
    else early.push(work)
  }
  const heard = [
    bus
      .from('devices/{device}/request', { name: 'gate', overload: DEEP_EDGE })
      .subscribe(({ params, payload, envelope }) => {
        const wish = wishOf(params.device, payload, envelope)
        whenReady(() => hear(wish))
      }),
    bus
      .from('devices/{device}/ack', { name: 'gate', overload: DEEP_EDGE })
      .subscribe(({ params, payload, envelope }) => {
        whenReady(() => desk.hearAck(params.device, payload, envelope))
      }),
    bus.from('safety/stop', { name: 'gate', overload: DEEP_EDGE }).subscribe(({ payload, envelope }) => {
      if (stopping.delete(envelope.seq)) return
      void stop(envelope.origin, payload.reason ?? '', envelope.seq)
    }),
  ]
  await restore({ db: store.db, clock, bounds, desk, health, prefix, journal: parts.journal, again, hear })
  for (const work of early.splice(0)) work()
  early = undefined

  const publishRequest = (who: Principal, device: string, request: Wish['body'], correlation: string): Envelope => {
    try {
      return bus.publish(who, message('devices/{device}/request', { device }, request), { correlation })
    } catch (error) {
      if (error instanceof Forbidden)
        desk.note(
          'refused.rights',
          request.id ?? '',
          originOf(who),
          { reason: error.message, http: 403 },
          device,
          request.intent,
        )
      throw error
    }
  }

  const prune = async (): Promise<void> => {
    try {
      await store.db
        .deleteFrom('commands')
        .where('received_at', '<', clock.now() - bounds.keepMs)
        .where('result', 'is not', null)
        .execute()
    } catch (error) {
      health.report({
        source: 'gate',
        type: 'PruneFailed',
        severity: 'warning',
        category: 'database',
        message: `Old commands could not be deleted: ${reasonOf(error)}`,
      })
    }
  }
  void prune()
  const pruning = setInterval(() => void prune(), PRUNE_EVERY_MS)
  pruning.unref()
  health.metrics.gauge('gate_open_commands', 'Commands without a result', () => desk.open)

  return {
    async ask(who, device, request) {
      const id = request.id ?? randomUUID()
      const correlation = request.correlationId ?? id
      const envelope = publishRequest(who, device, { ...request, id }, correlation)
      const answered = new Promise<Answer>((answer) => asks.set(envelope.seq, { who, answer }))
      const answer = await within(bounds.answerMs, answered, wait)
      asks.delete(envelope.seq)
      if (answer === 'late') {
        throw new Recoverable(
          'UNAVAILABLE',
          `The gate did not judge the request in time. Look at GET /api/commands/${id} before asking again.`,
          { commandId: id },
        )
      }
      return answer
    },

    async stop(who, reason) {
      if (who.kind === 'person') {
        const verdict = access.may(who, 'safety.stop')
        if (!verdict.ok) throw new Forbidden(verdict.reason)
      }
      let cause = 0
      try {
        cause = bus.publish(who, message('safety/stop', {}, { reason: reason.slice(0, 500) })).seq
        stopping.add(cause)
      } catch (error) {
        if (error instanceof Forbidden) throw error
        health.report({
          source: 'gate',
          type: 'StopUnrecorded',
          severity: 'error',
          category: 'system',
          message: `A stop was carried out but its message could not be published: ${reasonOf(error)}`,
        })
      }
      return stop(originOf(who), reason, cause)
    },

    async command(id) {
      const command = desk.find(id) ?? (await findCommand(store.db, id))
      return command && viewOf(command)
    },

    async commands({ device, limit = 100 }) {
      await within(bounds.recordMs, ledger.flush(), wait)
      const found = await listCommands(store.db, {
        ...(device === undefined ? {} : { device }),
        limit: Math.max(1, Math.min(limit, MAX_LISTED)),
      })
      return found.map((command) => viewOf(desk.find(command.request.id) ?? command))
    },

    addInterlock(interlock) {
      if (interlocks.some(({ name }) => name === interlock.name))
        throw new Recoverable('CONFLICT', `There is an interlock '${interlock.name}' already: give each its own name.`)
      interlocks.push(interlock)
    },

    get open() {
      return desk.open
    },

    async close() {
      clearInterval(pruning)
      for (const one of heard) one.unsubscribe()
      desk.end()
      await ledger.close()
    },
  }
}
