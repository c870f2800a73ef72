import { afterEach, expect, test } from 'vitest'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { networkRoutes } from './network-routes.ts'

const apps: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

const start = async (bind: string, fixed?: string) => {
  const stored = new Map<string, unknown>()
  const app = fastify().withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  const reopened = Promise.withResolvers<void>()
  const settings = {
    bind,
    get: async () => undefined,
    set: async (k: string, v: unknown) => void stored.set(k, v),
    remove: async () => {},
  }
  networkRoutes({ settings, fixed, reopen: reopened.resolve })(app)
  apps.push(app)
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  const put = (body: object) =>
    fetch(`${base}/api/network`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  return { base, put, stored, reopened: reopened.promise }
}

test('opening is answered, kept, and then starts the parts again', async () => {
  const { put, stored, reopened, base } = await start('127.0.0.1')
  expect(await (await fetch(`${base}/api/network`)).json()).toEqual({ open: false, bind: '127.0.0.1', fixed: false })
  const answer = await put({ open: true })
  expect([answer.status, await answer.json()]).toEqual([202, { open: true, bind: '127.0.0.1', fixed: false }])
  expect(stored.get('network.open')).toBe(true)
  await reopened
})

test('what is so already starts nothing', async () => {
  const { put, reopened } = await start('0.0.0.0')
  expect((await put({ open: true })).status).toBe(202)
  expect(await Promise.race([reopened.then(() => 'reopened'), new Promise((r) => setTimeout(r, 100, 'quiet'))])).toBe(
    'quiet',
  )
})

test('where BIND decides, nothing is changed here', async () => {
  const { put, stored } = await start('127.0.0.1', '127.0.0.1')
  expect(await (await put({ open: true })).text()).toMatch(/BIND is set/)
  expect(stored.size).toBe(0)
})
