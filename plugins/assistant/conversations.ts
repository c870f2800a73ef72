// Conversations: what each spoke of last, with revision and end, the same for every client and after a restart.
import { Recoverable } from '#hub/plugin'
import { z } from 'zod'
import { ConversationContext, ConversationId } from './topics.ts'

export const Reply = z.strictObject({
  kind: z.enum([
    'done',
    'dispatched',
    'refused',
    'failed',
    'approval',
    'question',
    'state',
    'nothing',
    'cancelled',
    'stopped',
    'talk',
  ]),
  text: z.string(),
  language: z.enum(['en', 'de']),
  commands: z
    .array(
      z.strictObject({
        commandId: z.string(),
        device: z.string(),
        intent: z.string(),
        status: z.string(),
        reason: z.string().optional(),
      }),
    )
    .optional(),
  options: z.array(z.strictObject({ device: z.string(), name: z.string(), area: z.string().optional() })).optional(),
  approval: z.string().optional(),
})
export type Reply = z.output<typeof Reply>

export const Turn = z.strictObject({ at: z.string(), who: z.string(), text: z.string(), replies: z.array(Reply) })
export type Turn = z.output<typeof Turn>

const Asked = z.strictObject({
  intent: z.string().optional(),
  family: z.string().optional(),
  devices: z.array(z.string()),
  payload: z.record(z.string(), z.unknown()),
})

const Stored = z.strictObject({
  context: ConversationContext,
  turns: z.array(Turn),
  asked: Asked.optional(),
  /** What went with the last intent: "the same for the hall". */
  payload: z.record(z.string(), z.unknown()).optional(),
  language: z.enum(['en', 'de']).optional(),
  /** The approval behind `pending`. */
  approval: z.string().optional(),
})
export type Stored = z.output<typeof Stored>

/** Whose a conversation is: of the one who began it, or of a place. */
export type Belonging = Pick<ConversationContext, 'owner' | 'shared'>

/** What a turn changes; a key that is `undefined` is forgotten, one that is missing stays. */
export interface Change {
  context?: {
    lastIntent?: string | undefined
    device?: string | undefined
    devices?: string[] | undefined
    zone?: string | undefined
    pending?: string | undefined
  }
  turn?: Turn
  asked?: z.output<typeof Asked> | undefined
  payload?: Record<string, unknown>
  language?: 'en' | 'de'
  approval?: string | undefined
}

export interface Conversations {
  get(id: string): Stored | undefined
  /**
   * Writes the next revision; a conversation that is not there begins as `by` says. With `rev` it has to be newer than what is
   * there, or CONFLICT is thrown and nothing is written.
   */
  change(id: string, change: Change, by: Belonging, rev?: number): Promise<Stored>
  /** One turn of a conversation after the other. Throws RATE_LIMITED when too many wait. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T>
  /** The conversation whose command waits for a yes. */
  waitingFor(commandId: string): string | undefined
  /** Ends what nobody spoke in for too long. */
  sweep(): Promise<void>
  /** Reads what was remembered, once; calls before it is done wait for it. */
  readonly loaded: Promise<void>
}

interface Parts {
  memory: {
    get<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined>
    set(key: string, value: unknown): Promise<void>
    remove(key: string): Promise<void>
    keys(prefix: string): Promise<string[]>
  }
  /** Wall-clock ms. */
  now(): number
  publish(context: ConversationContext): void
  /** A conversation is over: its retained context is to be cleared. */
  ended(id: string): void
  /** ms without a word after which a conversation ends. */
  endsAfterMs: number
  /** Kept at most; the one silent for longest ends first. */
  most: number
}

const KEY = 'conversation/'
const MOST_TURNS = 50
const MOST_WAITING = 16

const without = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T

export const openConversations = ({ memory, now, publish, ended, endsAfterMs, most }: Parts): Conversations => {
  const all = new Map<string, Stored>()
  const isOver = ({ context }: Stored): boolean => Date.parse(context.expiresAt) <= now()
  const lines = new Map<string, { last: Promise<unknown>; waiting: number }>()

  const load = async (): Promise<void> => {
    for (const key of await memory.keys(KEY)) {
      const id = ConversationId.safeParse(key.slice(KEY.length))
      const stored = await memory.get(key, Stored)
      // Somebody spoke in it before it was read: that one counts.
      if (id.success && all.has(id.data)) continue
      if (stored !== undefined && !isOver(stored)) {
        all.set(stored.context.conversationId, stored)
        publish(stored.context)
      } else {
        await memory.remove(key)
        if (id.success) ended(id.data)
      }
    }
  }
  const loaded = load()
  // Whoever waits for it hears of a failure; nobody waiting is no reason to crash.
  loaded.catch(() => {})

  const end = async (id: string): Promise<void> => {
    const isKnown = all.delete(id)
    await memory.remove(KEY + id)
    if (isKnown) ended(id)
  }

  /** Of whoever has most, the one silent for longest: nobody crowds out the others. */
  const leastMissed = (spared: string): string | undefined => {
    const byOwner = Map.groupBy(all.values(), ({ context }) => context.owner)
    const [first = []] = [...byOwner.values()].sort((a, b) => b.length - a.length)
    return first.find(({ context }) => context.conversationId !== spared)?.context.conversationId
  }

  return {
    loaded,
    get(id) {
      const stored = all.get(id)
      return stored === undefined || isOver(stored) ? undefined : stored
    },
    async change(id, change, by, rev) {
      const before = all.get(id)
      const stands = before?.context.rev ?? 0
      if (rev !== undefined && rev <= stands)
        throw new Recoverable(
          'CONFLICT',
          `The context of conversation '${id}' is at revision ${stands} already: read it again and send a newer one.`,
          { field: 'contextOverride.rev', value: rev, constraint: `more than ${stands}` },
        )
      const kept = before === undefined || isOver(before) ? undefined : before
      const at = now()
      const next: Stored = without({
        ...kept,
        context: without({
          ...(kept?.context ?? by),
          ...change.context,
          conversationId: id,
          rev: rev ?? stands + 1,
          updatedAt: new Date(at).toISOString(),
          expiresAt: new Date(at + endsAfterMs).toISOString(),
        }),
        turns: [...(kept?.turns ?? []), ...(change.turn === undefined ? [] : [change.turn])].slice(-MOST_TURNS),
        ...('asked' in change ? { asked: change.asked } : {}),
        ...('approval' in change ? { approval: change.approval } : {}),
        ...(change.payload === undefined ? {} : { payload: change.payload }),
        ...(change.language === undefined ? {} : { language: change.language }),
      })
      all.delete(id)
      all.set(id, next)
      publish(next.context)
      await memory.set(KEY + id, next)
      const gone = all.size > most ? leastMissed(id) : undefined
      if (gone !== undefined) await end(gone)
      return next
    },
    async inTurn(id, work) {
      const line = lines.get(id) ?? { last: Promise.resolve(), waiting: 0 }
      if (line.waiting >= MOST_WAITING)
        throw new Recoverable(
          'RATE_LIMITED',
          `Conversation '${id}' has ${MOST_WAITING} sentences waiting: wait for their answers.`,
        )
      line.waiting++
      const mine = line.last.then(work, work)
      line.last = mine.catch(() => {})
      lines.set(id, line)
      try {
        return await mine
      } finally {
        line.waiting--
        if (line.waiting === 0) lines.delete(id)
      }
    },
    waitingFor: (commandId) =>
      [...all.values()].find(({ context }) => context.pending === commandId)?.context.conversationId,
    async sweep() {
      for (const [id, stored] of [...all]) if (isOver(stored)) await end(id)
    },
  }
}
