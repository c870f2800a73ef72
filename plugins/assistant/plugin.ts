// The assistant: sentences become requests in the name of whoever said them. By rules alone; the seam for language models is understander.ts.
import { cleared, definePlugin, message, type Message, reasonOf } from '#hub/plugin'
import { finalize, ignoreElements, interval, merge, Subject, tap } from 'rxjs'
import { z } from 'zod'
import { openConversations } from './conversations.ts'
import { openConverse } from './converse.ts'
import { openResults } from './results.ts'
import { assistantRoutes, type Open } from './routes.ts'
import { rules } from './rules.ts'
import { assistantTopics, type ConversationContext } from './topics.ts'

const SWEEP_MS = 30_000

const contextMessage = (context: ConversationContext): Message<'ctx/{conversation}'> =>
  message('ctx/{conversation}', { conversation: context.conversationId }, context)

let running: Open | undefined

export default definePlugin({
  id: 'assistant',
  title: 'Assistant',
  config: z.strictObject({
    hours: z
      .number()
      .min(0.01)
      .max(720)
      .default(24)
      .describe('Hours without a word after which a conversation is forgotten.'),
    conversations: z
      .number()
      .int()
      .min(1)
      .max(2000)
      .default(500)
      .describe('Conversations kept at most; the one silent for longest goes first.'),
    waitMs: z
      .number()
      .int()
      .min(0)
      .max(10_000)
      .default(1000)
      .describe('How long an answer waits for the result of a command, in ms.'),
    synonyms: z
      .strictObject({
        devices: z
          .record(z.string(), z.array(z.string().min(1).max(120)).max(50))
          .default({})
          .describe('Other names of devices, by id.'),
        areas: z
          .record(z.string(), z.array(z.string().min(1).max(120)).max(50))
          .default({})
          .describe('Other names of areas, by area.'),
      })
      .default({ devices: {}, areas: {} })
      .describe('What people call things, beside their names.'),
  }),
  handles: ['devices/{device}/result'],
  publishes: ['ctx/{conversation}'],
  needs: ['devices', 'requests', 'memory'],
  topics: assistantTopics,
  routes: assistantRoutes(() => running),
  start: ({ config, use, from, now, report, health }) => {
    const out = new Subject<Message<'ctx/{conversation}'>>()
    const results = openResults(config.waitMs)
    const conversations = openConversations({
      memory: use.memory,
      now,
      publish: (context) => out.next(contextMessage(context)),
      ended: (conversation) => out.next(cleared('ctx/{conversation}', { conversation })),
      endsAfterMs: config.hours * 3_600_000,
      most: config.conversations,
    })
    const converse = openConverse({
      understander: rules,
      devices: use.devices,
      ask: (who, device, request) => use.requests.ask(who, device, request),
      result: results.wait,
      conversations,
      synonyms: config.synonyms,
      now,
    })
    const open: Open = { converse, conversations, devices: () => use.devices.list() }
    running = open
    const failed = (error: unknown): void => {
      health('degraded', `Conversations cannot be kept: ${reasonOf(error)}`)
      report({ type: 'ConversationNotKept', message: reasonOf(error), severity: 'error', category: 'database' })
    }
    conversations.loaded.catch(failed)
    const heard = from('devices/{device}/result').pipe(
      tap(({ payload }) => {
        results.heard(payload)
        const id = conversations.waitingFor(payload.id)
        if (id === undefined) return
        const settled = async (): Promise<void> => {
          const whose = conversations.get(id)?.context
          if (whose !== undefined)
            await conversations.change(id, { context: { pending: undefined }, approval: undefined }, whose)
        }
        conversations.inTurn(id, settled).catch(failed)
      }),
      ignoreElements(),
    )
    const sweeps = interval(SWEEP_MS).pipe(
      tap(() => void conversations.sweep().catch(failed)),
      ignoreElements(),
    )
    return merge(out, heard, sweeps).pipe(
      finalize(() => {
        results.close()
        if (running === open) running = undefined
      }),
    )
  },
})
