// A little of an assistant for the fake hub: lights by area, them by context, the welder by approval, and near matches.
import type { FastifyInstance } from 'fastify'
import type { Refuse } from './fake-hub.ts'

interface Options {
  app: FastifyInstance
  error: Refuse
  /** Who is signed in, as `person:ada`. */
  person: () => string
  tell: (topic: string, payload: unknown) => void
  ask: (device: string, intent: string) => { commandId: string }
  /** Asks people; the id of the approval. */
  approval: () => { id: string; commandId: string }
}

interface Body {
  conversationId: string
  input: { text: string }
}

export const fakeTalk = ({ app, error, person, tell, ask, approval }: Options) => {
  const said: Body[] = []
  let rev = 0
  const remember = (conversationId: string, fields: object): void => {
    rev += 1
    const now = Date.now()
    tell(`ctx/${conversationId}`, {
      conversationId,
      rev,
      updatedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + 600_000).toISOString(),
      owner: person(),
      ...fields,
    })
  }
  const turns = new Map<string, object[]>()
  /** Conversations of other people, by whose they are. */
  const foreign = new Map<string, string>()
  /** The conversation is over: its context is cleared. */
  const end = (conversationId: string): void => tell(`ctx/${conversationId}`, '')
  const keep = (conversationId: string, who: string, text: string, replies: object[]): void => {
    const turn = { at: new Date().toISOString(), who, text, replies }
    turns.set(conversationId, [...(turns.get(conversationId) ?? []), turn])
  }
  const routing = (matched: object[], considered: object[] = []) => ({
    tier: 'local',
    understander: 'rules',
    language: 'en',
    confidence: 1,
    ms: 0.4,
    devices: [],
    matched,
    considered,
  })

  app.get<{ Params: { id: string } }>('/api/conversations/:id', async ({ params }, reply) => {
    if (foreign.has(params.id))
      return error(reply, 403, 'POLICY_ERROR', `The conversation '${params.id}' belongs to somebody else.`)
    const said = turns.get(params.id)
    return said ? { turns: said } : error(reply, 404, 'NOT_FOUND', `There is no conversation '${params.id}'.`)
  })
  app.post<{ Body: Body }>('/api/query', async ({ body }, reply) => {
    said.push(body)
    const { conversationId, input } = body
    const text = input.text.toLowerCase()
    const verb = text.includes('off') ? 'turn_off' : 'turn_on'
    if (text.includes('light') || text.includes('them')) {
      const intent = `light.${verb}`
      const { commandId } = ask('bench_light', intent)
      const command = { commandId, device: 'bench_light', intent, status: 'dispatched' }
      const replies = [
        {
          kind: 'done',
          text: `Turned ${verb === 'turn_on' ? 'on' : 'off'} the bench light.`,
          language: 'en',
          commands: [command],
        },
      ]
      keep(conversationId, person(), input.text, replies)
      remember(conversationId, { lastIntent: intent, devices: ['bench_light'], zone: 'Electronics' })
      return {
        conversationId,
        replies,
        routing: routing(
          [
            { words: 'turn on', as: 'turn_on' },
            { words: 'bench light', as: 'bench_light' },
          ],
          [{ what: 'Hall light', why: 'stands in another area' }],
        ),
      }
    }
    if (text.includes('weld')) {
      const { id, commandId } = approval()
      const replies = [
        { kind: 'waits', text: 'That may hurt somebody: two people have to say yes.', language: 'en', approval: id },
      ]
      keep(conversationId, person(), input.text, replies)
      remember(conversationId, { lastIntent: 'welder.start', device: 'welder', pending: commandId })
      return reply.code(202).send({
        conversationId,
        replies,
        pendingHazard: { approval: id, commandId, device: 'welder', intent: 'welder.start' },
        routing: routing([{ words: 'weld', as: 'welder.start' }]),
      })
    }
    if (text.includes('fail'))
      return error(reply, 503, 'UNAVAILABLE', 'The assistant does not run: GET /api/plugins says why.')
    return error(reply, 422, 'UNKNOWN_INTENT', 'I did not understand that.', {
      near: ['turn on the bench light', 'is the door closed?'],
      routing: routing([]),
    })
  })
  return { said, foreign, remember, keep, end }
}
