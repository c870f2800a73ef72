// One sentence or intent of a person, from what was meant over the gate to what is said back. Whatever moves is asked for in the person's name.
import { type Device, Recoverable } from '#hub/plugin'
import { begunBy, mustContinue } from './belonging.ts'
import { askFor, type AskingParts, type Outcome, reasonFor, repliesTo, type Voice } from './asking.ts'
import type { Change, Conversations, Reply, Stored } from './conversations.ts'
import type { Desk } from './desk.ts'
import { nearIntents } from './near.ts'
import { cancel, confirm, hazardOf, openHazard, type PendingHazard, pendingOf, type Said } from './pending.ts'
import { type Language, sayMeant, sayState } from './say.ts'
import { stopAll } from './stop-all.ts'
import type { Understander, Understanding, Wish } from './understander.ts'
import type { Synonyms } from './vocabulary.ts'

export interface Asked extends Voice {
  desk: Desk
  wish?: { device: string; intent: string; payload: Record<string, unknown> }
  /** Where it was said. */
  channel?: string | undefined
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

export interface Told {
  status: 200 | 202
  conversationId: string
  replies: Reply[]
  routing: Routing
  pendingHazard?: PendingHazard
}

export interface ConverseParts extends AskingParts {
  understander: Understander
  devices: { list(): Device[]; get(id: string): Device | undefined }
  conversations: Conversations
  synonyms: Synonyms
  /** Wall-clock ms. */
  now(): number
}

const FRESH_MS = 120_000
export const openConverse = (parts: ConverseParts) => {
  const { understander, devices, conversations, synonyms, now } = parts

  const carryOut = async (
    asked: Asked,
    wishes: readonly Wish[],
    language: Language,
  ): Promise<Said & { outcomes: Outcome[] }> => {
    const outcomes = await Promise.all(wishes.map((wish) => askFor(parts, asked, wish)))
    const waiting = outcomes.find(({ kind }) => kind === 'approval')
    const hazard = waiting === undefined ? undefined : await hazardOf(asked.desk, waiting)
    const ids = [...new Set(wishes.map(({ device }) => device))]
    const areas = new Set(ids.map((id) => devices.get(id)?.area))
    const [zone] = areas
    const [only] = ids
    return {
      outcomes,
      hazard,
      replies: repliesTo(devices, outcomes, hazard, language),
      change: {
        context: {
          lastIntent: wishes.at(-1)?.intent,
          device: ids.length === 1 ? only : undefined,
          devices: ids.slice(0, 64),
          zone: areas.size === 1 ? zone : undefined,
          ...(waiting === undefined ? {} : { pending: waiting.commandId }),
        },
        ...(waiting === undefined ? {} : { approval: waiting.approval }),
        payload: wishes.at(-1)?.payload ?? {},
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
      lastPayload: stored?.payload,
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
    const there = conversations.get(asked.conversationId)
    if (there !== undefined) mustContinue(there.context, asked.who)
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
    const after = await conversations.change(asked.conversationId, change, begunBy(asked.who, asked.channel))
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
        return cancel(asked.desk, stored, language)
      case 'confirm':
        return confirm(asked.desk, stored, meant.phrase, language)
      case 'stop':
        return stopAll(asked.desk, reasonFor(asked.text ?? ''), language)
      case 'no':
        return plainly('nothing')
      case 'thanks':
      case 'greeting':
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

  const override = async ({ override: wanted, conversationId, who, channel }: Asked): Promise<Stored | undefined> => {
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
    return conversations.change(conversationId, { context, asked: undefined }, begunBy(who, channel), wanted.rev)
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
