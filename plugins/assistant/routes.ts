// POST /api/query and what belongs to it: the conversation as it stands, and what can be said.
import { type Device, type Principal, Recoverable, type Routes } from '#hub/plugin'
import { z } from 'zod'
import { mustRead } from './belonging.ts'
import { type Conversations, Turn } from './conversations.ts'
import type { Converse } from './converse.ts'
import type { Desk } from './desk.ts'
import { catalogue } from './intents.ts'
import { ConversationContext, ConversationId } from './topics.ts'

const DeviceId = z.string().regex(/^[a-z0-9][a-z0-9_]{0,62}$/, 'must be the id of a device')
const Intent = z.string().regex(/^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?$/, "must look like 'light.turn_on'")

/** The text of a request: `input.text`, or an intent with its device. */
export const Query = z
  .strictObject({
    conversationId: ConversationId,
    userId: z.string().max(200).optional().describe('Must be who asks, if given'),
    channel: z
      .string()
      .max(64)
      .optional()
      .describe(
        "Where it was said: web, voice, wall. A conversation that begins on 'wall' belongs to that place: everybody who may ask devices reads and continues it",
      ),
    input: z
      .strictObject({
        text: z.string().trim().min(1, 'must not be empty').max(1000),
        attachments: z.array(z.unknown()).max(0, 'are not read by the rules: send text').optional(),
      })
      .optional(),
    contextOverride: z
      .strictObject({
        rev: z.number().int().min(1).optional().describe('Must be more than the revision that stands'),
        device: DeviceId.optional(),
        devices: z.array(DeviceId).max(64).optional(),
        zone: z.string().max(120).optional(),
      })
      .optional(),
    forceTier: z.enum(['local'], "must be 'local': there is no other understander here").optional(),
    intent: Intent.optional(),
    payload: z.record(z.string(), z.unknown()).optional(),
    device: DeviceId.optional(),
  })
  .superRefine((body, check) => {
    if ((body.input === undefined) === (body.intent === undefined))
      check.addIssue({ code: 'custom', path: ['input'], message: 'send either input.text, or intent with device' })
    if (body.intent !== undefined && body.device === undefined)
      check.addIssue({ code: 'custom', path: ['device'], message: 'must be given with intent' })
    if (body.input !== undefined && (body.device !== undefined || body.payload !== undefined))
      check.addIssue({ code: 'custom', path: ['device'], message: 'belongs to the form with intent' })
  })

const RoutingView = z.object({
  tier: z.string(),
  understander: z.string(),
  language: z.enum(['en', 'de']),
  confidence: z.number(),
  ms: z.number(),
  intent: z.string().optional(),
  devices: z.array(z.string()),
  matched: z.array(z.object({ words: z.string(), as: z.string() })),
  considered: z.array(z.object({ what: z.string(), why: z.string() })),
})

const Hazard = z.object({
  approval: z.string(),
  commandId: z.string(),
  device: z.string(),
  intent: z.string(),
  effect: z.string().optional(),
  needed: z.number().optional(),
  given: z.number().optional(),
  phrase: z.string().optional(),
  digest: z.string().optional(),
  expiresAt: z.string().optional(),
})

const Told = z.object({
  conversationId: z.string(),
  replies: z.array(Turn.shape.replies.element),
  routing: RoutingView,
  pendingHazard: Hazard.optional(),
})

export interface Open {
  converse: Converse
  conversations: Conversations
  devices(): Device[]
}

const isSelf = (who: Principal, userId: string): boolean => userId === who.id || userId === `${who.kind}:${who.id}`

/** `open` is what runs now; without it the routes answer 503. */
export const assistantRoutes =
  (open: () => Open | undefined): Routes =>
  (app) => {
    const running = (): Open => {
      const now = open()
      if (now === undefined)
        throw new Recoverable('UNAVAILABLE', 'The assistant does not run: GET /api/plugins says why.')
      return now
    }

    /** The hub's own routes, with the token and the address of whoever asks: their checks are the same as at the front door. */
    const deskOf = (request: {
      headers: { authorization?: string | undefined }
      ip: string
      correlation: string
    }): Desk => ({
      async call(method, url, body) {
        const answer = await app.inject({
          method,
          url,
          remoteAddress: request.ip,
          headers: { authorization: request.headers.authorization ?? '', 'x-correlation-id': request.correlation },
          ...(body === undefined ? {} : { payload: body }),
        })
        const parsed: unknown = answer.body === '' ? {} : JSON.parse(answer.body)
        return { status: answer.statusCode, body: parsed }
      },
    })

    app.post(
      '/api/query',
      {
        config: { may: 'devices.request' },
        schema: {
          summary: 'Say or ask something: a sentence, or an intent with its device',
          description:
            '200 done, refused or a question back: the replies say which; 202 something waits for the yes of people; 403 the conversation belongs to somebody else; 409 the revision of contextOverride is stale; 422 not understood, with near matches.',
          tags: ['assistant'],
          body: Query,
          response: { 200: Told, 202: Told },
        },
      },
      async (request, reply) => {
        const { conversations, converse } = running()
        const { conversationId, userId, channel, input, contextOverride, intent, payload, device } = request.body
        if (userId !== undefined && !isSelf(request.principal, userId))
          throw new Recoverable('POLICY_ERROR', 'userId is somebody else: leave it out, or log in as that person.', {
            field: 'userId',
          })
        await conversations.loaded
        const { status, ...told } = await converse.converse({
          who: request.principal,
          desk: deskOf(request),
          conversationId,
          correlation: request.correlation,
          channel,
          override: contextOverride,
          ...(input === undefined ? {} : { text: input.text }),
          ...(intent === undefined || device === undefined ? {} : { wish: { device, intent, payload: payload ?? {} } }),
        })
        return reply.code(status).send(told)
      },
    )

    app.get(
      '/api/conversations/:id',
      {
        config: { may: 'devices.request' },
        schema: {
          summary: 'A conversation: what was said, what it speaks of, what waits for a yes',
          tags: ['assistant'],
          params: z.object({ id: ConversationId }),
          response: {
            200: z.object({ context: ConversationContext, turns: z.array(Turn), pendingHazard: Hazard.optional() }),
          },
        },
      },
      async (request) => {
        const { conversations, converse } = running()
        await conversations.loaded
        const { id } = request.params
        const stored = conversations.get(id)
        if (stored === undefined)
          throw new Recoverable('NOT_FOUND', `There is no conversation '${id}', or it ended a day after its last word.`)
        mustRead(stored.context, request.principal)
        const pendingHazard = await converse.pending(deskOf(request), id)
        return {
          context: stored.context,
          turns: stored.turns,
          ...(pendingHazard === undefined ? {} : { pendingHazard }),
        }
      },
    )

    app.get(
      '/api/query/intents',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'What can be asked: the catalogue of usual intents, and those of each device',
          tags: ['assistant'],
          response: {
            200: z.object({
              catalogue: z.array(
                z.object({
                  intent: z.string(),
                  homeAssistant: z.object({ domain: z.string(), service: z.string() }),
                  payload: z.record(z.string(), z.unknown()),
                  roles: z.array(z.string()),
                  hazard: z.string(),
                }),
              ),
              devices: z.array(
                z.object({
                  device: z.string(),
                  name: z.string(),
                  area: z.string().optional(),
                  intents: z.array(z.string()),
                }),
              ),
            }),
          },
        },
      },
      async () => ({
        catalogue: catalogue.map((entry) => ({ ...entry, roles: [...entry.roles] })),
        devices: running()
          .devices()
          .map(({ id, name, area, intents }) => ({
            device: id,
            name,
            ...(area === undefined ? {} : { area }),
            intents: Object.keys(intents),
          })),
      }),
    )
  }
