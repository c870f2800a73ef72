// Approvals over HTTP, on both databases underneath: what pages and scripts build on.
import { expect, test } from 'vitest'
import type { Principal } from '../../bus/principal.ts'
import { Forbidden, Unauthenticated } from '../../errors.ts'
import type { App } from '../../http/app.ts'
import { opened } from '../../http/web.fixture.ts'
import { may } from '../../access/policy.ts'
import { eachStore } from '../../testing/stores.ts'
import { settle } from '../gate.rig.ts'
import { gateRoutes } from '../routes.ts'
import { ada, bob, cleo, openShop, PHRASE } from './shop.rig.ts'

const people: Record<string, Principal> = { ada, bob, cleo, wall: { ...bob, scopes: ['devices.read'] } }

/** `Bearer bob` is bob; each route takes its right, as the guard of the hub sees to. */
const byName = (app: App): void => {
  app.addHook('onRequest', async (request) => {
    const { may: right } = request.routeOptions.config
    if (request.is404 || right === 'public' || right === undefined) return
    const who = people[(request.headers.authorization ?? '').replace('Bearer ', '')]
    if (who === undefined) throw new Unauthenticated()
    if (!may(who, right)) throw new Forbidden(`the right ${right} is missing`)
    request.principal = who
  })
}

eachStore('approvals over HTTP', (openStore) => {
  test('asked, answered, listed, told, signed for, and found after a restart', async () => {
    const store = await openStore()
    const shop = await openShop({}, store.db)
    const before = await shop.open({ master: Buffer.alloc(32, 1) })
    const serve = async (gate: typeof before) => {
      const { url } = await opened({ guard: byName, routes: [gateRoutes({ gate, store })] })
      return async (who: string, method: string, path: string, body?: unknown) => {
        const answer = await fetch(url + path, {
          method,
          headers: {
            authorization: `Bearer ${who}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        const text = await answer.text()
        return { status: answer.status, body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) }
      }
    }
    const call = await serve(before)
    const asked = await call('ada', 'POST', '/api/safety/hazards', {
      device: 'door',
      intent: 'lock.unlock',
      reason: 'parcel',
    })
    expect(asked).toMatchObject({
      status: 202,
      body: { status: 'awaiting_confirmation', approval: expect.any(String) },
    })
    const list = (await call('ada', 'GET', '/api/approvals')).body?.['items'] as { id: string; digest: string }[]
    expect(list).toMatchObject([
      {
        id: asked.body?.['approval'],
        reason: 'parcel',
        phrase: PHRASE,
        needed: 2,
        given: [],
        requesterMayApprove: false,
      },
    ])
    expect(asked.body?.['hazardEventId']).toBe(asked.body?.['approval'])
    expect(shop.bus.said('safety/events/{event}', { event: String(asked.body?.['hazardEventId']) })).toMatchObject([
      { payload: { type: 'approval.asked', by: 'person:ada' } },
    ])
    const { id, digest } = list[0] ?? { id: '', digest: '' }
    const yes = { id, digest, decision: 'approve', phrase: PHRASE }
    expect((await call('ada', 'POST', '/api/safety/hazards/approve', yes)).status).toBe(403)
    expect((await call('wall', 'POST', '/api/safety/hazards/approve', yes)).status).toBe(403)
    expect((await call('nobody', 'POST', '/api/safety/hazards/approve', yes)).status).toBe(401)
    expect((await call('bob', 'POST', '/api/safety/hazards/approve', { ...yes, digest: 'x' })).status).toBe(409)
    expect((await call('bob', 'POST', '/api/safety/hazards/approve', { ...yes, decision: 'perhaps' })).status).toBe(400)
    expect((await call('bob', 'POST', '/api/safety/hazards/approve', { ...yes, id: 'other' })).status).toBe(404)
    expect(await call('bob', 'POST', '/api/safety/hazards/approve', yes)).toMatchObject({
      status: 200,
      body: { approval: { status: 'pending', given: [{ by: 'person:bob' }] } },
    })
    expect((await call('bob', 'POST', '/api/safety/hazards/approve', yes)).status).toBe(403)
    await before.close()

    const gate = await shop.open({ master: Buffer.alloc(32, 1) })
    const again = await serve(gate)
    expect(
      await again('cleo', 'POST', '/api/safety/hazards/approve', { id, digest, decision: 'approve' }),
    ).toMatchObject({
      status: 200,
      body: {
        approval: { status: 'approved' },
        command: { commandId: asked.body?.['commandId'], status: 'dispatched', http: 202 },
      },
    })
    expect(shop.sent('door')).toHaveLength(1)
    expect(
      (await again('cleo', 'POST', '/api/safety/hazards/approve', { id, digest, decision: 'approve' })).status,
    ).toBe(410)
    expect((await again('ada', 'GET', '/api/approvals')).body).toEqual({ items: [] })
    expect((await again('ada', 'GET', '/api/approvals?all=1')).body).toMatchObject({
      items: [{ id, status: 'approved', decidedBy: 'person:cleo', decidedAt: expect.any(String) }],
    })
    expect(await again('ada', 'GET', `/api/approvals/${id}`)).toMatchObject({
      status: 200,
      body: { id, status: 'approved', decidedBy: 'person:cleo', requesterMayApprove: false },
    })
    expect((await again('ada', 'GET', '/api/approvals/made-up')).status).toBe(404)
    expect((await again('ada', 'GET', '/api/audit/head')).status).toBe(403)
    expect(await again('bob', 'GET', '/api/audit/head')).toMatchObject({
      status: 200,
      body: { n: expect.any(Number), hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
    await gate.commands({})
    const events = (await again('ada', 'GET', '/api/safety/events?limit=50')).body?.['items'] as {
      type: string
      by: string
    }[]
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['approval.asked', 'approval.given', 'approval.refused', 'approval.approved']),
    )
    expect(events.find(({ type }) => type === 'approval.asked')).toMatchObject({ hazardEventId: id })
    expect((await again('bob', 'GET', '/api/audit?event=approval.*&who=person:bob')).body?.['items']).toHaveLength(4)

    const second = await again('ada', 'POST', '/api/device/door/command', { intent: 'lock.unlock' })
    expect(second).toMatchObject({
      status: 202,
      body: { status: 'awaiting_confirmation', hazardEventId: second.body?.['approval'] },
    })
    expect(await again('ada', 'GET', `/api/approvals/${String(second.body?.['approval'])}`)).toMatchObject({
      body: { status: 'pending' },
    })
    expect((await again('bob', 'POST', '/api/safety/hazards/cancel', { id: second.body?.['approval'] })).status).toBe(
      403,
    )
    expect(await again('ada', 'POST', '/api/safety/hazards/cancel', { id: second.body?.['approval'] })).toMatchObject({
      status: 200,
      body: { approval: { status: 'cancelled' } },
    })

    expect((await again('ada', 'GET', '/api/safety/intents?device=door')).body).toEqual({
      items: [
        {
          device: 'door',
          intent: 'lock.lock',
          zone: 'Yard',
          hazard: 'low',
          rule: 'no rule',
          safe: true,
          enabled: true,
          confirmation: 0,
          signature: false,
          presence: 'none',
        },
        {
          device: 'door',
          intent: 'lock.unlock',
          zone: 'Yard',
          hazard: 'high',
          rule: 'door',
          safe: false,
          enabled: true,
          confirmation: 2,
          signature: false,
          presence: 'none',
          approve: ['engineer', 'safety', 'admin'],
        },
      ],
    })

    const key = await again('ada', 'POST', '/api/safety/keys', { algorithm: 'hmac-sha256' })
    expect(key).toMatchObject({ status: 201, body: { owner: 'person:ada', secret: expect.any(String) } })
    expect((await again('ada', 'GET', '/api/safety/keys')).body).toEqual({
      items: [{ id: key.body?.['id'], owner: 'person:ada', algorithm: 'hmac-sha256', createdAt: expect.any(String) }],
    })
    expect((await again('bob', 'DELETE', `/api/safety/keys/${String(key.body?.['id'])}`)).status).toBe(404)
    expect((await again('ada', 'DELETE', `/api/safety/keys/${String(key.body?.['id'])}`)).status).toBe(204)

    expect((await again('cleo', 'POST', '/api/safety/resume')).status).toBe(409)
    await again('ada', 'POST', '/api/safety/stop', { reason: 'smoke' })
    expect((await again('ada', 'GET', '/api/safety')).body).toMatchObject({
      latched: { by: 'person:ada', reason: 'smoke' },
      approvals: 0,
    })
    expect((await again('bob', 'POST', '/api/safety/resume', {})).status).toBe(403)
    expect(await again('cleo', 'POST', '/api/safety/resume', { reason: 'toast' })).toMatchObject({
      status: 200,
      body: {
        released: false,
        approval: { intent: 'safety.resume', effect: expect.stringMatching(/^Releases the shop/) },
      },
    })
    await settle()
    await gate.close()
    const third = await shop.open()
    expect(third.safety.status().latched).toMatchObject({ by: 'person:ada' })
    expect(await third.safety.approvals({})).toMatchObject([{ intent: 'safety.resume' }])
    expect((await third.verify()).ok).toBe(true)
    await third.close()
    await shop.devices.close()
  })
})
