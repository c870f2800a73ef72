// The audit of the fake hub: rows by page and filter, and a check of the chain that can find a row changed.
import type { FastifyInstance } from 'fastify'

export interface FakeRow {
  n: number
  at: string
  event: string
  subject: string
  who: string
  device: string
  intent: string
  detail: Record<string, unknown>
  hash: string
}

const STORY: readonly Pick<FakeRow, 'event' | 'who' | 'device' | 'intent' | 'detail'>[] = [
  {
    event: 'request',
    who: 'person:linus',
    device: 'welder',
    intent: 'welder.start',
    detail: { payload: { amps: 90 } },
  },
  {
    event: 'approval.asked',
    who: 'person:linus',
    device: 'welder',
    intent: 'welder.start',
    detail: { hazard: 'high', needed: 2, policy: '7c1f0e6a9d2b' },
  },
  {
    event: 'approval.given',
    who: 'person:grace',
    device: 'welder',
    intent: 'welder.start',
    detail: { given: 1, needed: 2 },
  },
  {
    event: 'refused.presence',
    who: 'person:linus',
    device: 'laser',
    intent: 'laser.start',
    detail: { why: "nobody knows whether linus is in 'Laser room': no badge was read" },
  },
  {
    event: 'cmd',
    who: 'gate',
    device: 'extractor',
    intent: 'extractor.turn_on',
    detail: { by: 'flow:dust-starts-extractor' },
  },
]

export const auditRows = (count: number): FakeRow[] =>
  Array.from({ length: count }, (_, i) => {
    const n = count - i
    return {
      ...(STORY[n % STORY.length] ?? { event: 'request', who: 'hub', device: '', intent: '', detail: {} }),
      n,
      at: new Date(Date.now() - i * 60_000).toISOString(),
      subject: `command-${n}`,
      hash: n.toString(16).padStart(64, '0'),
    }
  })

export const fakeAudit = (app: FastifyInstance, rows: FakeRow[]) => {
  const state: { bad: { n: number; why: string } | undefined; wrong: string; asked: Record<string, string>[] } = {
    bad: undefined,
    /** Why the signed head does not count; '' while it does. */
    wrong: '',
    asked: [],
  }
  const anchoredAt = new Date(Date.now() - 240_000).toISOString()
  app.get('/api/audit/head', async () => {
    const [last, , anchored] = rows
    return {
      n: last?.n ?? 0,
      hash: last?.hash ?? '',
      anchored: {
        file: '/mnt/stick/millrace-heads.jsonl',
        everyMinutes: 10,
        key: '9f3c21d07be4a851',
        ...(anchored
          ? {
              newest: {
                n: anchored.n,
                hash: anchored.hash,
                at: anchoredAt,
                key: '9f3c21d07be4a851',
                signature: 'c2ln',
              },
            }
          : {}),
        ...(state.wrong === '' ? {} : { wrong: state.wrong }),
      },
    }
  })
  app.get<{ Querystring: Record<string, string> }>('/api/audit', async ({ query }) => {
    state.asked.push(query)
    const { who, device, event, before, since, until, limit } = query
    const items = rows
      .filter((row) => who === undefined || row.who === who)
      .filter((row) => device === undefined || row.device === device)
      .filter(
        (row) =>
          event === undefined || (event.endsWith('*') ? row.event.startsWith(event.slice(0, -1)) : row.event === event),
      )
      .filter((row) => before === undefined || row.n < Number(before))
      .filter((row) => (since === undefined || row.at >= since) && (until === undefined || row.at < until))
    return { items: items.slice(0, Number(limit ?? 100)) }
  })
  app.get('/api/audit/verify', async () => ({
    rows: rows.length,
    ok: state.bad === undefined,
    ...(state.bad ? { firstBad: state.bad } : {}),
  }))
  return state
}
