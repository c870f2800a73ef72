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
import { openAdmission } from './admission.ts'
import { BOUNDS, type Bounds, realWait, type Wait, within } from './bounds.ts'
import { type Command, commandOf, findCommand, listCommands, readable, viewOf, type Wish, wishOf } from './command.ts'
import { openDesk } from './desk.ts'
import { behindAudit, GENESIS, storedHead } from './audit.ts'
import type { Anchored, Answer, Gate, Interlock } from './gate.ts'
import { openJudge } from './judge.ts'
import { openLedger } from './ledger.ts'
import { type DeviceLimits, limitsInterlock } from './limits.ts'
import { restore } from './restore.ts'
import { type Heads, verifyAudit } from './verify.ts'
import { openStop } from './stop.ts'
import { openTold } from './told.ts'
import { isShallow, MAX_DEPTH } from '../topics/depth.ts'
import { type Approvals, openApprovals } from './approvals/open.ts'
import { recallBadges } from './approvals/recall.ts'
import { safetyOf } from './approvals/safety.ts'
import { freshMaster, type Signature } from './approvals/signatures.ts'
import { fixedPolicy, type PolicySource } from './policy/file.ts'

const DEEP_EDGE = { dropOldest: 20_000 }
const PRUNE_EVERY_MS = 3_600_000
const MAX_LISTED = 1000
/** As the bus takes it. */
const MAX_BYTES = 64 * 1024

export interface GateParts {
  bus: Bus
  store: Pick<Store, 'db' | 'write'>
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
  /** Default: the hub's own rules. */
  policy?: PolicySource
  /** 32 bytes that HMAC keys of signed requests are made from. Default: fresh ones. */
  master?: Buffer
  /** Signed heads of the audit that are kept outside the database. */
  heads?: () => Promise<Heads>
  /** The newest of them. */
  anchored?: () => Promise<Anchored>
  /** ms on a clock that nobody can set. */
  steady?: () => number
  bounds?: Partial<Bounds>
  wait?: Wait
}

/** Takes up what an earlier run left open, then listens. */
export const openGate = async (parts: GateParts): Promise<Gate> => {
  const { bus, store, devices, access, clock, health, prefix, principalOf } = parts
  const bounds = { ...BOUNDS, ...parts.bounds }
  const wait = parts.wait ?? realWait
  const ledger = await openLedger({ store, health, wait, now: clock.now() })
  const policy = parts.policy ?? fixedPolicy()
  const judge = openJudge({ devices, access, hazardOf: (device, intent) => policy.now.takes(device, intent).hazard })
  const desk = openDesk({ bus, devices, clock, health, ledger, told: openTold({ bus, health }), bounds, wait })
  const interlocks: Interlock[] = [limitsInterlock(parts.limits, desk.lastSent)]
  const asks = new Map<
    number,
    { who: Principal; signature: Signature | undefined; named: boolean; answer: (answer: Answer) => void }
  >()
  const stopping = new Set<number>()

  const admission = openAdmission({
    db: store.db,
    clock,
    health,
    devices,
    ledger,
    judge,
    desk,
    interlocks,
    whoIs: principalOf,
    policyVersion: () => policy.now.version,
    heldBy(id, intent) {
      const device = devices.get(id)
      return device && policy.now.heldBy(device, intent, devices)
    },
    approvals: () => approvals,
    bounds,
    wait,
  })
  const approvals: Approvals = await openApprovals({
    db: store.db,
    bus,
    devices,
    access,
    clock,
    health,
    bounds,
    wait,
    prefix,
    policy,
    principalOf,
    desk,
    stopIntents: judge.stopIntents,
    master: parts.master ?? freshMaster(),
    steady: parts.steady,
    behind: await behindAudit(store.db, clock.now()),
    refuse: admission.refuse,
    carryOut: admission.carryOut,
  })
  const again = (command: Command): void =>
    void admission.judge({ command, metered: false, who: principalOf(command.origin), named: false })

  const hear = (wish: Wish, metered: boolean): void => {
    const command = commandOf(wish, bounds)
    // A caller of ask() puts itself down for the seq right after publishing, in the same turn.
    queueMicrotask(() => {
      const ask = asks.get(wish.seq)
      asks.delete(wish.seq)
      const who = ask?.who ?? principalOf(wish.origin)
      void admission
        .judge({ command, metered, who, named: ask?.named ?? wish.body.id !== undefined, signature: ask?.signature })
        .then((answer) => ask?.answer(answer))
    })
  }

  const stop = openStop({ bus, devices, judge, desk, clock, health, bounds, wait, stopped: approvals.stopped })

  /** What arrives before the open commands of an earlier run are back waits for them. */
  let early: (() => void)[] | undefined = []
  const whenReady = (work: () => void): void => {
    if (early === undefined) work()
    else early.push(work)
  }
  await recallBadges(parts, approvals.presence)
  const heard = [
    bus
      .from('devices/{device}/event', { name: 'gate', overload: DEEP_EDGE })
      .subscribe(({ params, payload, envelope }) => {
        if (payload.type === 'badge') approvals.presence.hear(params.device, payload, envelope.at)
      }),
    bus
      .from('devices/{device}/request', { name: 'gate', overload: DEEP_EDGE })
      .subscribe(({ params, payload, envelope }) => {
        const wish = wishOf(params.device, payload, envelope)
        whenReady(() => hear(wish, true))
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
  await restore({
    db: store.db,
    clock,
    bounds,
    desk,
    health,
    prefix,
    journal: parts.journal,
    held: approvals.restore,
    again,
    hear: (wish) => hear(wish, false),
  })
  await approvals.restored()
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
          error.message,
        )
      throw error
    }
  }

  /** What the bus would not carry is refused before it is put there. */
  const unfit = (who: Principal, device: string, request: Wish['body'], commandId: string): Answer | undefined => {
    const wrong = !isShallow(request)
      ? `nests deeper than ${MAX_DEPTH} levels`
      : Buffer.byteLength(JSON.stringify(request)) > MAX_BYTES
        ? `makes the request larger than ${MAX_BYTES} bytes`
        : undefined
    if (wrong === undefined) return undefined
    const reason = `payload: ${wrong}`
    desk.note('refused.payload', commandId, originOf(who), { reason, http: 400 }, device, request.intent, reason)
    return { commandId, status: 'refused', http: 400, reason, field: 'payload' }
  }

  const prune = async (): Promise<void> => {
    try {
      await store.db
        .deleteFrom('commands')
        .where('result', 'is not', null)
        .where((eb) =>
          eb.or([
            eb('received_at', '<', clock.now() - bounds.keepMs),
            eb('received_at', '<', clock.now() - bounds.keepRefusedMs).and('dispatched_at', '=', 0),
          ]),
        )
        .execute()
      await Promise.all([approvals.book.prune(), approvals.signatures.prune()])
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

  return {
    async ask(who, device, request, signature) {
      const id = request.id ?? randomUUID()
      const correlation = request.correlationId ?? id
      const refused = unfit(who, device, { ...request, id }, id)
      if (refused !== undefined) return refused
      const envelope = publishRequest(who, device, { ...request, id }, correlation)
      const answered = new Promise<Answer>((answer) =>
        asks.set(envelope.seq, { who, signature, named: request.id !== undefined, answer }),
      )
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
      return stop(originOf(who), reason.slice(0, 500), cause)
    },

    async command(id) {
      const command = desk.now(id) ?? (await findCommand(store.db, id))
      return command && viewOf(command)
    },

    async commands({ device, limit = 100 }) {
      await within(bounds.recordMs, ledger.flush(), wait)
      const found = await listCommands(store.db, {
        ...(device === undefined ? {} : { device }),
        limit: Math.max(1, Math.min(limit, MAX_LISTED)),
      })
      // What is not as the gate writes it was reported at the start.
      return readable(found, () => {}).map((command) => viewOf(desk.now(command.request.id) ?? command))
    },

    addInterlock(interlock) {
      if (interlocks.some(({ name }) => name === interlock.name))
        throw new Recoverable('CONFLICT', `There is an interlock '${interlock.name}' already: give each its own name.`)
      interlocks.push(interlock)
    },

    verify: async () => verifyAudit(store.db, await parts.heads?.()),

    async head() {
      await within(bounds.recordMs, ledger.flush(), wait)
      const anchored = await parts.anchored?.()
      return { ...((await storedHead(store.db)) ?? GENESIS), ...(anchored === undefined ? {} : { anchored }) }
    },

    note: (event, { who, subject, detail }) => desk.note(event, subject, who, detail),

    safety: safetyOf({ devices, approvals, policy, access, desk }),

    get open() {
      return desk.open
    },

    async close() {
      clearInterval(pruning)
      for (const one of heard) one.unsubscribe()
      policy.close()
      await approvals.close()
      desk.end()
      await ledger.close()
    },
  }
}
