// What waits for people's yes in a conversation: how it stands, how it is taken back, how it is answered.
import type { Change, Reply, Stored } from './conversations.ts'
import { type Desk, field, textOf, whyOf } from './desk.ts'
import type { Language } from './say.ts'
import type { Wish } from './understander.ts'

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

export interface Said {
  replies: Reply[]
  change: Change
  hazard?: PendingHazard | undefined
}

export const pendingOf = (stored: Stored | undefined): { approval: string; commandId: string } | undefined =>
  stored?.approval !== undefined && stored.context.pending !== undefined
    ? { approval: stored.approval, commandId: stored.context.pending }
    : undefined

/** The open approval as it is now, seen with the person's rights. */
const approvalOf = async (desk: Desk, id: string): Promise<Record<string, unknown> | undefined> => {
  const { body } = await desk.call('GET', '/api/approvals?limit=500')
  const items = field(body, 'items')
  const found: unknown = Array.isArray(items) ? items.find((item: unknown) => field(item, 'id') === id) : undefined
  return typeof found === 'object' && found !== null ? { ...found } : undefined
}

export const hazardOf = async (
  desk: Desk,
  { wish, commandId, approval }: { wish: Wish; commandId: string; approval?: string },
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

export const openHazard = async (
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

export const cancel = async (desk: Desk, stored: Stored | undefined, language: Language): Promise<Said> => {
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
  const why = whyOf(answer.body)
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
            text: de ? `Nicht zurückgenommen. ${why}` : `Not taken back. ${why}`,
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

export const confirm = async (
  desk: Desk,
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
  const why = whyOf(answer.body)
  if (answer.status >= 300)
    return nothing(de ? `Das Ja zählt nicht. ${why}` : `That yes does not count. ${why}`, 'refused')
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
