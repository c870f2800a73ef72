// A little of an assistant for the fake hub: lights by area, them by context, the welder by approval, and near matches.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Refuse } from './fake-hub.ts'

interface Options {
  app: FastifyInstance
  error: Refuse
  tell: (topic: string, payload: unknown) => void
  ask: (device: string, intent: string) => { commandId: string }
  /** Asks people; the id of the approval. */
  approval: () => { id: string; commandId: string }
}

interface Body {
  conversationId: string
  input: { text: string }
}

export const fakeTalk = ({ app, error, tell, ask, approval }: Options) => {
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
      ...fields,
    })
  }
  app.post<{ Body: Body }>('/api/query', async ({ body }, reply) => {
    said.push(body)
    const { conversationId, input } = body
    const text = input.text.toLowerCase()
    const verb = text.includes('off') ? 'turn_off' : 'turn_on'
    const decision = (matched: object, considered: object[] = []) => ({
      routing: { path: 'rules', why: 'One pattern fits the whole sentence.', matched, considered },
    })
    if (text.includes('light') || text.includes('them')) {
      const intent = `light.${verb}`
      const { commandId } = ask('bench_light', intent)
      remember(conversationId, { lastIntent: intent, devices: ['bench_light'], zone: 'Electronics' })
      return {
        conversationId,
        replies: [{ text: `Turned ${verb === 'turn_on' ? 'on' : 'off'} the bench light.` }],
        commands: [{ commandId, device: 'bench_light', intent, status: 'dispatched' }],
        ...decision({ pattern: 'turn {on|off} {devices}', intent, devices: ['bench_light'] }, [
          { intent: 'light.turn_on', device: 'hall_light', why: 'another area' },
        ]),
      }
    }
    if (text.includes('weld')) {
      const { id, commandId } = approval()
      remember(conversationId, { lastIntent: 'welder.start', devices: ['welder'], pending: commandId })
      return reply.code(202).send({
        conversationId,
        replies: ['That may hurt somebody: two people have to say yes.'],
        pendingHazard: { approval: id, commandId },
        commands: [
          { commandId, device: 'welder', intent: 'welder.start', status: 'awaiting_confirmation', approval: id },
        ],
        ...decision({ intent: 'welder.start', devices: ['welder'] }),
      })
    }
    if (text.includes('fail'))
      return error(reply, 503, 'UNAVAILABLE', 'The assistant is not ready. Try again in a moment.')
    return {
      conversationId,
      replies: ['I do not know what to do with that.'],
      routing: { path: 'rules', why: 'No pattern fits.', near: ['turn on the bench light', 'is the door closed?'] },
    }
  })
  return { said, remember, id: (): string => randomUUID() }
}
