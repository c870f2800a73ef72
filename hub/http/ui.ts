// The built web app as static files: hashed assets for ever, index.html never, and every page address leads to index.html.
import { stat } from 'node:fs/promises'
import { join, normalize, sep } from 'node:path'
import staticFiles from '@fastify/static'
import type { FastifyReply } from 'fastify'
import type { App } from './app.ts'

const OWN = /^(api|token|mqtt|metrics|health|healthz|readyz|ws)(\/|$)/
const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Millrace</title>
<h1>Millrace is running</h1>
<p>Its web app has not been built yet. On the computer that runs the hub, in its folder:</p>
<pre>npm ci
npm run build</pre>
<p>Then load this page again. The API works without it: <a href="/api/docs">/api/docs</a>.</p>
</html>
`

/** Serves `dir`. Public: the app's files hold no data of the workshop. */
export const ui = async (app: App, dir: string): Promise<void> => {
  await app.register(staticFiles, { root: dir, serve: false, dotfiles: 'deny', index: false, suppressWarning: true })
  const open = { config: { may: 'public', unlimited: true }, schema: { hide: true } } as const

  const page = async (reply: FastifyReply): Promise<FastifyReply> => {
    void reply.header('cache-control', 'no-cache')
    if (await isFile(join(dir, 'index.html'))) return reply.sendFile('index.html', { cacheControl: false })
    return reply.type('text/html; charset=utf-8').send(NOT_BUILT)
  }

  app.get('/', open, (_, reply) => page(reply))
  app.get('/*', open, async (request, reply) => {
    const path = normalize((request.params as { '*': string })['*'])
    if (OWN.test(path) || path.startsWith('..') || path.includes('\0')) return reply.callNotFound()
    const hidden = path.split(sep).some((part) => part.startsWith('.'))
    if (!hidden && path !== 'index.html' && (await isFile(join(dir, path)))) {
      const hashed = path.startsWith(`assets${sep}`)
      return reply.sendFile(path, hashed ? { maxAge: '365d', immutable: true } : { maxAge: 0 })
    }
    const looksLikeFile = /\.[A-Za-z0-9]{1,8}$/.test(path) && path !== 'index.html'
    return looksLikeFile || hidden ? reply.callNotFound() : page(reply)
  })
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
