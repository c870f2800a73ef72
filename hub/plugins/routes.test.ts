// The route over an app that checks answers as the hub's does.
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { expect, test } from 'vitest'
import { pluginRoutes } from './routes.ts'
import type { PluginView } from './view.ts'

test('GET /api/plugins lists what the host lists, for those who may read health', async () => {
  const view: PluginView = {
    id: 'p',
    title: 'P',
    status: 'quarantined',
    handles: [],
    publishes: ['devices/{device}/state'],
    restarts: 4,
    error: 'no peer',
  }
  const app = Fastify().withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  const takes: unknown[] = []
  app.addHook('onRoute', ({ url, config }) => void takes.push([url, config?.may]))
  pluginRoutes(() => [view])(app)
  const answer = await app.inject('/api/plugins')
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toEqual({ items: [view] })
  expect(takes).toContainEqual(['/api/plugins', 'health.read'])
  await app.close()
})
