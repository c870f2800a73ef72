// The routes of flows, asked without a socket.
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { expect, test } from 'vitest'
import { Invalid, Missing } from '../errors.ts'
import type { App } from '../http/app.ts'
import { flowRoutes } from './routes.ts'
import type { FlowView, Runner } from './runner.ts'

const view: FlowView = {
  id: 'dust',
  status: 'quarantined',
  about: 'Dust starts the extractor.',
  inputs: ['jarvis/devices/+/telemetry'],
  outputs: [],
  in: 3,
  out: 0,
  dropped: 0,
  restarts: 4,
  version: 'abc',
  error: { message: 'no (dust.ts:3)', at: '2026-01-01T00:00:00.000Z', place: 'dust.ts:3' },
  edges: [
    {
      topic: 'devices/{device}/telemetry',
      filter: 'jarvis/devices/+/telemetry',
      latest: false,
      overload: { dropOldest: 1000 },
      in: 3,
      dropped: 0,
      depth: 0,
      rate: 0.5,
    },
  ],
  rateIn: 0.5,
  rateOut: 0,
  params: { schema: { type: 'object' }, values: { above: 80 } },
}
const state = { restarts: 0, sent: 0, waiting: 0, rss: 0, behind: 0 }

const open = () => {
  const asked: { url: string; may: unknown }[] = []
  const set: unknown[] = []
  let status = view.status
  const runner: Runner = {
    flows: () => [{ ...view, status }],
    process: () => state,
    recycle: () => Promise.resolve(),
    flow: (id) =>
      id === view.id
        ? Promise.resolve({
            ...view,
            source: 'export default 1',
            kept: [{ key: 'total', value: 3 }],
            recentIn: [],
            recentOut: [],
          })
        : Promise.reject(new Missing(`There is no flow '${id}'.`)),
    setParams(id, values, by) {
      if (id !== view.id) return Promise.reject(new Missing(`There is no flow '${id}'.`))
      if (typeof values['above'] !== 'number')
        return Promise.reject(new Invalid('above', values['above'], 'must be a number'))
      set.push({ values, by })
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
    release(id) {
      if (id !== view.id) return Promise.reject(new Missing(`There is no flow '${id}'.`))
      status = 'running'
      return Promise.resolve()
    },
  }
  const app = fastify() as unknown as App
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('principal')
  app.addHook('onRequest', (request, _, done) => {
    request.principal = { kind: 'person', id: 'ada', roles: ['engineer'] }
    done()
  })
  app.addHook('onRoute', ({ url, config }) => void asked.push({ url, may: config?.may }))
  flowRoutes({ runner })(app)
  return { app, asked, set }
}

test('the flows are listed with all a page needs', async () => {
  const { app } = open()
  const answer = await app.inject({ url: '/api/flows' })
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toEqual({ items: [view], process: state })
})

test('a release answers with the flow as it is then; nobody has no release', async () => {
  const { app } = open()
  const answer = await app.inject({ method: 'POST', url: '/api/flows/dust/release' })
  expect(answer.json()).toMatchObject({ id: 'dust', status: 'running' })
  const missing = await app.inject({ method: 'POST', url: '/api/flows/nobody/release' })
  expect(missing.json()).toMatchObject({ code: 'NOT_FOUND' })
})

test('each route says which right it takes', () => {
  const { asked } = open()
  expect(asked.filter(({ may }) => may === undefined)).toEqual([])
  expect(asked).toContainEqual({ url: '/api/flows', may: 'flows.read' })
  expect(asked).toContainEqual({ url: '/api/flows/:id/release', may: 'flows.manage' })
  expect(asked).toContainEqual({ url: '/api/flows/:id/params', may: 'flows.manage' })
  expect(asked).toContainEqual({ url: '/api/flows/:id', may: 'flows.read' })
})

test('one flow is shown with its text and what it keeps', async () => {
  const { app } = open()
  const answer = await app.inject({ url: '/api/flows/dust' })
  expect(answer.json()).toMatchObject({ id: 'dust', source: 'export default 1', kept: [{ key: 'total', value: 3 }] })
  expect((await app.inject({ url: '/api/flows/nobody' })).json()).toMatchObject({ code: 'NOT_FOUND' })
})

test('params that do not fit are refused by the name of their field; others are set, and by whom', async () => {
  const { app, set } = open()
  const bad = await app.inject({ method: 'PUT', url: '/api/flows/dust/params', payload: { above: 'x' } })
  expect(bad.json()).toMatchObject({ code: 'VALIDATION_ERROR', message: 'above: must be a number' })
  const good = await app.inject({ method: 'PUT', url: '/api/flows/dust/params', payload: { above: 90 } })
  expect(good.statusCode).toBe(200)
  expect(set).toEqual([{ values: { above: 90 }, by: 'person:ada' }])
})
