// Approvals in the fake hub: asked for a hazard, answered by people, ended once; the second person is a name in the test.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Refuse } from './fake-hub.ts'

export interface FakeApproval {
  id: string
  commandId: string
  device: string
  intent: string
  payload: Record<string, unknown>
  effect: string
  hazard: string
  zone?: string
  requestedBy: string
  reason?: string
  needed: number
  given: { by: string; at: string }[]
  phrase?: string
  requestedAt: string
  expiresAt: string
  status: string
  digest: string
  evidence?: Record<string, unknown>
  decidedAt?: string
  decidedBy?: string
  why?: string
}

interface Options {
  app: FastifyInstance
  error: Refuse
  person: () => string
  tell: (topic: string, payload: unknown) => void
  /** Everybody said yes. */
  approved: (approval: FakeApproval) => void
}

interface Said {
  id: string
  decision: string
  phrase?: string
  digest: string
}

export const fakeApprovals = ({ app, error, person, tell, approved }: Options) => {
  const all: FakeApproval[] = []
  const said: Said[] = []
  /** Where the session counts as: '' for inside, otherwise why it is outside. */
  const place = { outside: '' }
  const latch: { held?: { stop: string; by: string; reason: string; at: string } } = {}

  const publish = (one: FakeApproval): void => {
    tell(`approvals/${one.id}`, one)
    if (one.status !== 'pending') tell(`approvals/${one.id}`, '')
  }
  const open = (fields: Partial<FakeApproval> = {}): FakeApproval => {
    const one: FakeApproval = {
      id: randomUUID(),
      commandId: randomUUID(),
      device: 'welder',
      intent: 'welder.start',
      payload: { amps: 90 },
      effect: "Tells 'MIG welder' (welder) in 'Welding bay' to start with amps = 90. Wear: helmet, gloves.",
      hazard: 'high',
      zone: 'Welding bay',
      requestedBy: 'person:linus',
      reason: 'The frame of the cargo bike',
      needed: 2,
      given: [],
      requestedAt: new Date().toISOString(),
      expiresAt: new Date(Date.now() + 120_000).toISOString(),
      status: 'pending',
      digest: randomUUID(),
      evidence: {
        policy: '7c1f0e6a9d2b',
        rule: 'power of a dangerous machine',
        presence: {
          rule: 'requester_present',
          zone: 'Welding bay',
          lastZone: 'Welding bay',
          reader: 'bay_reader',
          here: true,
        },
        approve: ['engineer', 'safety', 'admin'],
        state: { on: false, amps: 0 },
      },
      ...fields,
    }
    all.unshift(one)
    publish(one)
    return one
  }
  const end = (one: FakeApproval, status: string, by: string, why = ''): void => {
    one.status = status
    one.decidedAt = new Date().toISOString()
    one.decidedBy = by
    one.why = why
    publish(one)
  }
  /** Somebody says yes; true when it was the last one. */
  const yes = (one: FakeApproval, by: string): boolean => {
    one.given = [...one.given, { by, at: new Date().toISOString() }]
    if (one.given.length < one.needed) {
      publish(one)
      return false
    }
    end(one, 'approved', by)
    approved(one)
    return true
  }
  const expired = (one: FakeApproval): boolean => Date.parse(one.expiresAt) <= Date.now()
  const lapse = (): void => {
    for (const one of all) if (one.status === 'pending' && expired(one)) end(one, 'expired', 'gate', 'silence is a no')
  }

  app.get<{ Querystring: { all?: string; limit?: string } }>('/api/approvals', async ({ query }) => {
    lapse()
    const items = query.all === '1' ? all : all.filter(({ status }) => status === 'pending').reverse()
    return { items: items.slice(0, Number(query.limit ?? 100)) }
  })
  app.get<{ Params: { id: string } }>('/api/approvals/:id', async ({ params }, reply) => {
    lapse()
    const one = all.find(({ id }) => id === params.id)
    return one ?? error(reply, 404, 'NOT_FOUND', `This hub has no approval '${params.id}'.`)
  })
  app.get('/api/remote/status', async () => ({
    remote: place.outside !== '',
    address: '127.0.0.1',
    hazards: 'refuse',
    ...(place.outside === '' ? {} : { why: place.outside }),
  }))
  app.get('/api/safety', async () => ({
    ...(latch.held ? { latched: latch.held } : {}),
    policy: { version: '7c1f0e6a9d2b', file: 'policy.yaml', closed: false },
    approvals: all.filter(({ status }) => status === 'pending').length,
  }))
  app.post<{ Body: Said }>('/api/safety/hazards/approve', async ({ body }, reply) => {
    said.push(body)
    lapse()
    const by = `person:${person()}`
    const one = all.find(({ id }) => id === body.id)
    if (!one) return error(reply, 404, 'NOT_FOUND', `This hub has no approval '${body.id}'.`)
    if (one.status !== 'pending') return error(reply, 410, 'GONE', `The approval has ended: ${one.status}. Ask again.`)
    if (body.digest !== one.digest)
      return error(reply, 409, 'CONFLICT', 'This is not what the approval is about any more: look at it again.')
    if (body.decision !== 'approve') {
      end(one, body.decision === 'deny' ? 'denied' : 'cancelled', by)
      return { approval: one }
    }
    if (one.requestedBy === by)
      return error(reply, 403, 'POLICY_ERROR', 'Whoever asked may not approve it: somebody else has to.')
    if (one.given.some((given) => given.by === by))
      return error(
        reply,
        403,
        'POLICY_ERROR',
        'You have said yes already: the second yes has to come from somebody else.',
      )
    if (one.given.length === 0 && one.phrase !== undefined && body.phrase?.toLowerCase() !== one.phrase.toLowerCase())
      return error(reply, 403, 'POLICY_ERROR', `To say yes first, type exactly: ${one.phrase}`)
    const last = yes(one, by)
    return { approval: one, ...(last ? { command: { status: 'done' } } : {}) }
  })
  app.post<{ Body: { id: string } }>('/api/safety/hazards/cancel', async ({ body }, reply) => {
    const one = all.find(({ id, status }) => id === body.id && status === 'pending')
    if (!one) return error(reply, 404, 'NOT_FOUND', 'There is no such approval.')
    end(one, 'cancelled', one.requestedBy, `taken back by ${one.requestedBy}`)
    return { approval: one }
  })
  app.post('/api/safety/resume', async () => {
    const approval = open({
      device: 'hub',
      intent: 'safety.resume',
      payload: {},
      requestedBy: `person:${person()}`,
      effect: 'Releases the shop after the stop: machines can be asked for again. Nothing starts by itself.',
    })
    return { released: false, approval }
  })

  return { all, said, latch, place, open, yes, end }
}

export type FakeApprovals = ReturnType<typeof fakeApprovals>
