// Asks the gate for what was meant, in the name of the person who said it, and says how it went.
import { randomUUID } from 'node:crypto'
import type { Answer, Device, Principal } from '#hub/plugin'
import type { Reply } from './conversations.ts'
import { line } from './desk.ts'
import type { PendingHazard } from './pending.ts'
import { type Language, saying } from './say.ts'
import type { Wish } from './understander.ts'

export interface Outcome {
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

const MOST_REASON = 200

/** What was said, as the reason of a request. */
export const reasonFor = (text: string): string => line(`said: ${text}`, MOST_REASON)

export interface AskingParts {
  devices: { get(id: string): Device | undefined }
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
}

/** Who asks, where and in what words. */
export interface Voice {
  who: Principal
  conversationId: string
  correlation: string
  text?: string
}

/** Asks the gate for one thing, and waits a moment for its result. */
export const askFor = async (
  parts: AskingParts,
  { who, conversationId, correlation, text }: Voice,
  wish: Wish,
): Promise<Outcome> => {
  const id = randomUUID()
  const result = parts.result(id)
  const answer = await parts.ask(who, wish.device, {
    id,
    intent: wish.intent,
    payload: wish.payload,
    correlationId: correlation.slice(0, 128),
    conversationId,
    ...(text === undefined ? {} : { reason: reasonFor(text) }),
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

const commandOf = ({ commandId, wish, status, reason }: Outcome) => ({
  commandId,
  device: wish.device,
  intent: wish.intent,
  status,
  ...(reason === undefined ? {} : { reason: line(reason, 500) }),
})

/** How it went: what was done together in one line, what went wrong in one each. */
export const repliesTo = (
  devices: AskingParts['devices'],
  outcomes: readonly Outcome[],
  hazard: PendingHazard | undefined,
  language: Language,
): Reply[] => {
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
