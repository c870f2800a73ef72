// One sentence or intent of a person, from what was meant over the gate to what is said back. Whatever moves is asked for in the person's name.
import { randomUUID } from 'node:crypto'
import { type Answer, type Device, type Principal, Recoverable } from '#hub/plugin'
import type { Change, Conversations, Reply, Stored } from './conversations.ts'
import { nearIntents } from './near.ts'
import { type Language, sayMeant, sayState, saying } from './say.ts'
import type { Synonyms } from './targets.ts'
import type { Understander, Understanding, Wish } from './understander.ts'

/** The hub's own routes about approvals, called with the person's own token. */
export interface Desk {
  /** Answers with the status and the body. */
  call(method: 'GET' | 'POST', url: string, body?: Record<string, unknown>): Promise<{ status: number; body: unknown }>
}

export interface Asked {
  who: Principal
  desk: Desk
  conversationId: string
  correlation: string
  text?: string
  wish?: { device: string; intent: string; payload: Record<string, unknown> }
  override?:
    | {
        rev?: number | undefined
        device?: string | undefined
        devices?: string[] | undefined
        zone?: string | undefined
      }
    | undefined
}

export interface Routing {
  tier: string
  understander: string
  language: Language
  confidence: number
  ms: number
  intent?: string
  devices: string[]
  matched: Understanding['matched']
  considered: Understanding['considered']
}

export interface PendingHazard {
  approval: string
  commandId: string
  device: string
  intent: string
  effect?: string
  needed?: number
  given?: number
  phrase?: string
  digest?: string
  expiresAt?: string
}

export interface Told {
  status: 200 | 202
  conversationId: string
  replies: Reply[]
  routing: Routing
  pendingHazard?: PendingHazard
}

export interface ConverseParts {
  understander: Understander
  devices: { list(): Device[]; get(id: string): Device | undefined }
  ask(
    who: Principal,
    device: string,
    request: {
      id: string
      intent: string
      payload: Record<string, unknown>
      reason?: string
      correlationId: string
      conversationId: string
    },
  ): Promise<Answer>
  /** Resolves with the result of a command, or undefined after the time there is for it. Call before asking. */
  result(commandId: string): Promise<{ status: string; reason?: string | undefined } | undefined>
  conversations: Conversations
  synonyms: Synonyms
  /** Wall-clock ms. */
  now(): number
}

const FRESH_MS = 120_000
const MOST_REASON = 200

const line = (text: string, most: number): string =>
  text
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .slice(0, most)
    .toWellFormed()
    .replace(/\ufffd/g, '')
const field = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
const textOf = (body: unknown, name: string): string | undefined => {
  const value = field(body, name)
  return typeof value === 'string' ? value : undefined
}

interface Outcome {
  wish: Wish
  commandId: string
  kind: Reply['kind']
  status: string
  reason?: string
  approval?: string
  http: number
  near?: string[]
  field?: string
}

export const openConverse = (parts: ConverseParts) => {
  const { understander, devices, conversations, synonyms, now } = parts

  const askOne = async (asked: Asked, wish: Wish): Promise<Outcome> => {
    const id = randomUUID()
    const result = parts.result(id)
    const answer = await parts.ask(asked.who, wish.device, {
      id,
      intent: wish.intent,
      payload: wish.payload,
      correlationId: asked.correlation.slice(0, 128),
      conversationId: asked.conversationId,
      ...(asked.text === undefined ? {} : { reason: line(`said: ${asked.text}`, MOST_REASON) }),
    })
    const told = {
      wish,
      commandId: answer.commandId,
      http: answer.http,
      ...(answer.reason === undefined ? {} : { reason: answer.reason }),
    }
    if (answer.status === 'awaiting_confirmation')
      return {
        ...told,
        kind: 'approval',
        status: answer.status,
        ...(answer.approval === undefined ? {} : { approval: answer.approval }),
      }
    if (answer.status === 'refused')
      return {
        ...told,
        kind: 'refused',
        status: 'refused',
        ...(answer.near === undefined ? {} : { near: answer.near }),
        ...(answer.field === undefined ? {} : { field: answer.field }),
      }
    const ended = await result
    if (ended === undefined) return { ...told, kind: 'dispatched', status: answer.status }
    return {
      ...told,
      kind: ended.status === 'done' ? 'done' : 'failed',
      status: ended.status,
      ...(ended.reason === undefined ? {} : { reason: ended.reason }),
    }
  }

  /** The open approval as it is now, seen with the person's rights. */
  const approvalOf = async (desk: Desk, id: string): Promise<Record<string, unknown> | undefined> => {
    const { body } = await desk.call('GET', '/api/approvals?limit=500')
    const items = field(body, 'items')
    const found: unknown = Array.isArray(items) ? items.find((item: unknown) => field(item, 'id') === id) : undefined
    return typeof found === 'object' && found !== null ? { ...found } : undefined
  }

  const hazardOf = async (
    desk: Desk,
    { wish, commandId, approval }: Pick<Outcome, 'wish' | 'commandId' | 'approval'>,
  ): Promise<PendingHazard | undefined> => {
    if (approval === undefined) return undefined
    const view = await approvalOf(desk, approval)
    const of = (name: string): string | undefined => textOf(view, name)
    const needed = field(view, 'needed')
    const given = field(view, 'given')
    const [effect, phrase, digest, expiresAt] = [of('effect'), of('phrase'), of('digest'), of('expiresAt')]
    return {
      approval,
      commandId,
      device: wish.device,
      intent: wish.intent,
      ...(effect === undefined ? {} : { effect }),
      ...(typeof needed === 'number' ? { needed } : {}),
      ...(Array.isArray(given) ? { given: given.length } : {}),
      ...(phrase === undefined ? {} : { phrase }),
      ...(digest === undefined ? {} : { digest }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }
  }

  const replyTo = (outcomes: readonly Outcome[], hazard: PendingHazard | undefined, language: Language): Reply[] => {
    const replies: Reply[] = []
    for (const kind of ['done', 'dispatched'] as const) {
      const groups = new Map<string, Outcome[]>()
      for (const outcome of outcomes.filter((one) => one.kind === kind)) {
        const key = `${outcome.wish.intent} ${JSON.stringify(outcome.wish.payload)}`
        groups.set(key, [...(groups.get(key) ?? []), outcome])
      }
      for (const group of groups.values()) {
        const [first] = group
        if (first === undefined) continue
        replies.push({
          kind,
          language,
          text: saying[kind](
            group.map(({ wish }) => devices.get(wish.device)),
            first.wish.intent,
            first.wish.payload,
            language,
          ),
          commands: group.map(commandOf),
        })
      }
    }
    for (const outcome of outcomes) {
      const device = devices.get(outcome.wish.device)
      if (outcome.kind === 'refused')
        replies.push({
          kind: 'refused',
          language,
          text: saying.refused(device, outcome.reason ?? '', language),
          commands: [commandOf(outcome)],
        })
      if (outcome.kind === 'failed')
        replies.push({
          kind: 'failed',
          language,
          text: saying.failed(device, outcome.status, outcome.reason ?? '', language),
          commands: [commandOf(outcome)],
        })
      if (outcome.kind === 'approval') {
        const mine = hazard?.approval === outcome.approval ? hazard : undefined
        replies.push({
          kind: 'approval',
          language,
          text: saying.approval(device, mine?.effect ?? outcome.wish.intent, mine?.needed ?? 1, language),
          commands: [commandOf(outcome)],
          ...(outcome.approval === undefined ? {} : { approval: outcome.approval }),
        })
      }
    }
    return replies
  }

  const commandOf = ({ commandId, wish, status, reason }: Outcome) => ({
    commandId,
    device: wish.device,
    intent: wish.intent,
    status,
    ...(reason === undefined ? {} : { reason: line(reason, 500) }),
  })

  const pendingOf = (stored: Stored | undefined): { approval: string; commandId: string } | undefined =>
    stored?.approval !== undefined && stored.context.pending !== undefined
      ? { approval: stored.approval, commandId: stored.context.pending }
      : undefined

  interface Said {
    replies: Reply[]
    change: Change
    hazard?: PendingHazard | undefined
  }

  const cancel = async ({ desk }: Asked, stored: Stored | undefined, language: Language): Promise<Said> => {
    const de = language === 'de'
    const pending = pendingOf(stored)
    if (pending === undefined) {
      const text =
        stored?.asked !== undefined
          ? de
            ? 'Gut, es geschieht nichts.'
            : 'All right, nothing is done.'
          : de
            ? 'Es wartet nichts.'
            : 'Nothing is waiting.'
      return { replies: [{ kind: 'cancelled', text, language }], change: { asked: undefined } }
    }
    const own = await desk.call('POST', '/api/safety/hazards/cancel', { id: pending.approval })
    const answer = own.status === 403 ? await cancelAsApprover(desk, pending.approval) : own
    const isOver = answer.status < 300 || answer.status === 404 || answer.status === 410
    const why = textOf(field(answer.body, 'error'), 'message') ?? ''
    return {
      replies: [
        answer.status < 300
          ? {
              kind: 'cancelled',
              text: de ? 'Zurückgenommen; es geschieht nichts.' : 'Taken back; nothing is done.',
              language,
              approval: pending.approval,
            }
          : {
              kind: 'refused',
              text: de ? `Nicht zurückgenommen. ${line(why, 300)}` : `Not taken back. ${line(why, 300)}`,
              language,
              approval: pending.approval,
            },
      ],
      change: isOver ? { context: { pending: undefined }, approval: undefined, asked: undefined } : {},
    }
  }

  /** Whoever may approve may also end a question of somebody else. */
  const cancelAsApprover = async (desk: Desk, id: string): Promise<{ status: number; body: unknown }> => {
    const view = await approvalOf(desk, id)
    return desk.call('POST', '/api/safety/hazards/approve', {
      id,
      decision: 'cancel',
      digest: textOf(view, 'digest') ?? 'unknown',
    })
  }

  const confirm = async (
    { desk }: Asked,
    stored: Stored | undefined,
    phrase: string,
    language: Language,
  ): Promise<Said> => {
    const de = language === 'de'
    const pending = pendingOf(stored)
    const nothing = (text: string, kind: Reply['kind'] = 'nothing'): Said => ({
      replies: [{ kind, text, language, ...(pending === undefined ? {} : { approval: pending.approval }) }],
      change: {},
    })
    if (pending === undefined)
      return nothing(
        de
          ? 'In diesem Gespräch wartet nichts auf eine Freigabe. Offenes steht auf der Seite Freigaben.'
          : 'Nothing in this conversation waits for a yes. What is open stands on the page Approvals.',
      )
    const view = await approvalOf(desk, pending.approval)
    if (view === undefined)
      return {
        ...nothing(
          de
            ? 'Die Frage ist schon beantwortet oder abgelaufen.'
            : 'That question has been answered already, or has expired.',
        ),
        change: { context: { pending: undefined }, approval: undefined },
      }
    const wanted = textOf(view, 'phrase')
    // A yes that counts is the exact phrase: "ok" in passing approves nothing.
    if (wanted === undefined || phrase.trim().toLowerCase() !== wanted.trim().toLowerCase())
      return nothing(
        wanted === undefined
          ? de
            ? 'Diese Freigabe wird auf der Seite Freigaben beantwortet.'
            : 'This approval is answered on the page Approvals.'
          : de
            ? `Bitte genau so sagen: „${wanted}“. Oder auf der Seite Freigaben antworten.`
            : `Say exactly: "${wanted}". Or answer on the page Approvals.`,
        'question',
      )
    const answer = await desk.call('POST', '/api/safety/hazards/approve', {
      id: pending.approval,
      decision: 'approve',
      phrase,
      digest: textOf(view, 'digest') ?? '',
    })
    const why = textOf(field(answer.body, 'error'), 'message') ?? ''
    if (answer.status >= 300)
      return nothing(
        de ? `Das Ja zählt nicht. ${line(why, 300)}` : `That yes does not count. ${line(why, 300)}`,
        'refused',
      )
    const status = textOf(field(answer.body, 'approval'), 'status')
    if (status === 'pending')
      return nothing(
        de
          ? 'Gezählt; es fehlt noch das Ja einer zweiten Person.'
          : 'Counted; the yes of a second person is still missing.',
        'approval',
      )
    return {
      ...nothing(de ? 'Freigegeben.' : 'Approved.', 'done'),
      change: { context: { pending: undefined }, approval: undefined },
    }
  }

  const stopAll = async ({ desk, text }: Asked, language: Language): Promise<Said> => {
    const { status, body } = await desk.call('POST', '/api/safety/stop', {
      reason: line(`said: ${text ?? ''}`, MOST_REASON),
    })
    const reached = field(body, 'devices')
    const count = Array.isArray(reached) ? reached.length : 0
    const de = language === 'de'
    return {
      replies: [
        status < 300
          ? {
              kind: 'stopped',
              language,
              text: de
                ? `Halt ist an ${count} Geräte gesendet. Das ersetzt keinen Not-Aus-Schalter.`
                : `Stop was sent to ${count} devices. This is no substitute for an emergency stop.`,
            }
          : {
              kind: 'refused',
              language,
              text: de
                ? `Der Halt wurde nicht angenommen: ${line(textOf(field(body, 'error'), 'message') ?? '', 300)}`
                : `The stop was not taken: ${line(textOf(field(body, 'error'), 'message') ?? '', 300)}`,
            },
      ],
      change: {},
    }
  }

  const carryOut = async (
    asked: Asked,
    wishes: readonly Wish[],
    language: Language,
  ): Promise<Said & { outcomes: Outcome[] }> => {
    const outcomes = await Promise.all(wishes.map((wish) => askOne(asked, wish)))
    const waiting = outcomes.find(({ kind }) => kind === 'approval')
    const hazard = waiting === undefined ? undefined : await hazardOf(asked.desk, waiting)
    const ids = [...new Set(wishes.map(({ device }) => device))]
    const areas = new Set(ids.map((id) => devices.get(id)?.area))
    const [zone] = areas
    const [only] = ids
    return {
      outcomes,
      hazard,
      replies: replyTo(outcomes, hazard, language),
      change: {
        context: {
          lastIntent: wishes.at(-1)?.intent,
          device: ids.length === 1 ? only : undefined,
          devices: ids.slice(0, 64),
          zone: areas.size === 1 ? zone : undefined,
          ...(waiting === undefined ? {} : { pending: waiting.commandId }),
        },
        ...(waiting === undefined ? {} : { approval: waiting.approval }),
        asked: undefined,
      },
    }
  }

  const meantBy = async (asked: Asked, stored: Stored | undefined): Promise<Understanding> => {
    if (asked.wish !== undefined)
      return {
        meant: { kind: 'wishes', wishes: [asked.wish] },
        language: stored?.language ?? 'en',
        confidence: 1,
        matched: [{ words: asked.wish.intent, as: 'intent' }],
        considered: [],
      }
    const before = {
      devices: stored?.context.devices ?? [],
      lastIntent: stored?.context.lastIntent,
      zone: stored?.context.zone,
      language: stored?.language,
      asked: stored?.asked,
      isStale: stored !== undefined && now() - Date.parse(stored.context.updatedAt) > FRESH_MS,
    }
    const world = { devices: devices.list(), synonyms, before }
    const heard = await understander.understand(asked.text ?? '', world)
    // "Stop!" with nothing to cancel means what moves, not the question.
    const stopsOnly =
      heard.meant.kind === 'cancel' &&
      stored?.asked === undefined &&
      pendingOf(stored) === undefined &&
      /^(?:please |bitte )?(?:stop|stopp|halt)\b/i.test((asked.text ?? '').trim())
    return stopsOnly && before.devices.length > 0 ? understander.understand('stop it', world) : heard
  }

  const speak = async (asked: Asked): Promise<Told> => {
    const began = performance.now()
    const overridden = await override(asked)
    const stored = overridden ?? conversations.get(asked.conversationId)
    const heard = await meantBy(asked, stored)
    const { meant, language } = heard
    const routing = (ids: readonly string[], intent?: string): Routing => ({
      tier: understander.tier,
      understander: understander.id,
      language,
      confidence: heard.confidence,
      ms: Math.round((performance.now() - began) * 100) / 100,
      ...(intent === undefined ? {} : { intent }),
      devices: [...ids].slice(0, 64),
      matched: heard.matched.slice(0, 40),
      considered: heard.considered.slice(0, 20),
    })
    if (meant.kind === 'unknown') {
      throw new Recoverable(
        'UNKNOWN_INTENT',
        language === 'de' ? 'Das habe ich nicht verstanden.' : 'I did not understand that.',
        { near: meant.near, routing: routing([]) },
      )
    }
    const understoodMs = routing([])
    const said = await answerTo(asked, stored, heard)
    const change: Change = {
      ...said.change,
      language,
      turn: {
        at: new Date(now()).toISOString(),
        who: `${asked.who.kind}:${asked.who.id}`,
        text: asked.text ?? `${asked.wish?.device ?? ''} ${asked.wish?.intent ?? ''}`,
        replies: said.replies,
      },
    }
    const after = await conversations.change(asked.conversationId, change)
    const pending = pendingOf(after)
    const hazard =
      said.hazard ??
      (pending !== undefined && said.change.approval === undefined ? await openHazard(asked.desk, pending) : undefined)
    const ids =
      meant.kind === 'wishes' ? meant.wishes.map(({ device }) => device) : meant.kind === 'state' ? meant.devices : []
    const intent = meant.kind === 'wishes' ? meant.wishes[0]?.intent : meant.kind === 'state' ? 'state' : meant.kind
    return {
      status: said.replies.some(({ kind }) => kind === 'approval') ? 202 : 200,
      conversationId: asked.conversationId,
      replies: said.replies,
      routing: { ...routing(ids, intent), ms: understoodMs.ms },
      ...(hazard === undefined ? {} : { pendingHazard: hazard }),
    }
  }

  const openHazard = async (
    desk: Desk,
    { approval, commandId }: { approval: string; commandId: string },
  ): Promise<PendingHazard | undefined> => {
    const view = await approvalOf(desk, approval)
    return view === undefined
      ? undefined
      : hazardOf(desk, {
          approval,
          commandId,
          wish: { device: textOf(view, 'device') ?? '', intent: textOf(view, 'intent') ?? '', payload: {} },
        })
  }

  const answerTo = async (
    asked: Asked,
    stored: Stored | undefined,
    { meant, language }: Understanding,
  ): Promise<Said> => {
    const plainly = (kind: Reply['kind'], change: Change = {}): Said => ({
      replies: [{ kind, text: sayMeant(meant, devices.get, language), language }],
      change,
    })
    switch (meant.kind) {
      case 'wishes': {
        const said = await carryOut(asked, meant.wishes, language)
        if (asked.wish !== undefined) failPlainly(said.outcomes[0], asked.wish.intent)
        return said
      }
      case 'state': {
        const found = meant.devices.flatMap((id) => devices.get(id) ?? [])
        return {
          replies: found.map((device) => ({ kind: 'state', text: sayState(device, meant.aspect, language), language })),
          change: {
            context: {
              device: found.length === 1 ? found[0]?.id : undefined,
              devices: found.map(({ id }) => id),
              zone: new Set(found.map(({ area }) => area)).size === 1 ? found[0]?.area : stored?.context.zone,
            },
            asked: undefined,
          },
        }
      }
      case 'question': {
        const options = meant.options.flatMap((id) => {
          const device = devices.get(id)
          return device === undefined
            ? []
            : [{ device: id, name: device.name, ...(device.area === undefined ? {} : { area: device.area }) }]
        })
        return {
          replies: [{ kind: 'question', text: sayMeant(meant, devices.get, language), language, options }],
          change: {
            asked:
              meant.family === undefined && meant.intent === undefined
                ? undefined
                : {
                    devices: meant.options,
                    payload: meant.payload ?? {},
                    ...(meant.family === undefined ? {} : { family: meant.family }),
                    ...(meant.intent === undefined ? {} : { intent: meant.intent }),
                  },
          },
        }
      }
      case 'cancel':
        return cancel(asked, stored, language)
      case 'confirm':
        return confirm(asked, stored, meant.phrase, language)
      case 'stop':
        return stopAll(asked, language)
      case 'no':
        return plainly('nothing')
      case 'thanks':
      case 'help':
      case 'unknown':
        return plainly('talk')
    }
  }

  /** A caller that names intent and device itself hears of its mistakes as errors. */
  const failPlainly = (outcome: Outcome | undefined, intent: string): void => {
    if (outcome?.kind !== 'refused') return
    const { http, reason = 'The gate refused it.', commandId, near, field: wrong } = outcome
    if (http === 400)
      throw new Recoverable('VALIDATION_ERROR', reason, { commandId, ...(wrong === undefined ? {} : { field: wrong }) })
    if (http === 404 && devices.get(outcome.wish.device) === undefined)
      throw new Recoverable('NOT_FOUND', reason, { commandId })
    if (http === 422)
      throw new Recoverable('UNKNOWN_INTENT', reason, { commandId, near: near ?? nearIntents(intent, devices.list()) })
  }

  const override = async ({ override: wanted, conversationId }: Asked): Promise<Stored | undefined> => {
    if (wanted === undefined) return undefined
    const ids = wanted.devices ?? (wanted.device === undefined ? undefined : [wanted.device])
    const stray = ids?.find((id) => devices.get(id) === undefined)
    if (stray !== undefined)
      throw new Recoverable('VALIDATION_ERROR', 'contextOverride.devices: must name devices that exist', {
        field: 'contextOverride.devices',
        value: stray,
        constraint: 'must name devices that exist',
      })
    const context = {
      ...(ids === undefined ? {} : { devices: ids, device: ids.length === 1 ? ids[0] : undefined }),
      ...('zone' in wanted ? { zone: wanted.zone } : {}),
    }
    return conversations.change(conversationId, { context, asked: undefined }, wanted.rev)
  }

  return {
    /** Takes a sentence or an intent. Throws UNKNOWN_INTENT (with near matches), VALIDATION_ERROR, NOT_FOUND, CONFLICT for a stale revision. */
    converse: (asked: Asked): Promise<Told> => conversations.inTurn(asked.conversationId, () => speak(asked)),
    /** What waits for a yes in a conversation, as it is now. */
    pending: async (desk: Desk, id: string): Promise<PendingHazard | undefined> => {
      const pending = pendingOf(conversations.get(id))
      return pending === undefined ? undefined : openHazard(desk, pending)
    },
  }
}
export type Converse = ReturnType<typeof openConverse>
