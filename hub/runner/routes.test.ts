// The routes of flows, asked without a socket.
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { expect, test } from 'vitest'
import { Missing } from '../errors.ts'
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
  error: { message: 'no (dust.ts:3)', at: '2026-01-01T00:00:00.000Z' },
}

const open = () => {
  const asked: { url: string; may: unknown }[] = []
  let status = view.status
  const runner: Runner = {
    flows: () => [{ ...view, status }],
    process: () => ({ restarts: 0, sent: 0, waiting: 0, rss: 0 }),
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
  app.addHook('onRoute', ({ url, config }) => void asked.push({ url, may: config?.may }))
  flowRoutes({ runner })(app)
  return { app, asked }
}

test('the flows are listed with all a page needs', async () => {
  const { app } = open()
  const answer = await app.inject({ url: '/api/flows' })
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toEqual({ items: [view] })
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
  expect(asked).toContainEqual({ url: '/api/flows/:id/release', may: 'devices.manage' })
})
