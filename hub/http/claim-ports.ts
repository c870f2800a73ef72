// While nobody owns the hub, the claim page alone answers on the network, over HTTPS with the hub's own certificate; everything else is on loopback.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { KeyPair } from './ca.ts'
import type { App } from './app.ts'
import { listen } from './listen.ts'

/** What the claim page needs: itself, its files, and two routes. */
const CLAIM = /^\/(?:claim|assets\/[\w.-]+|api\/claim|favicon\.svg|icon[\w.-]*|manifest\.webmanifest)(?:[?#].*)?$/
const NOT_YET =
  'Until this hub is claimed, only its claim page answers on the network. Open the link it printed, or use it on the machine itself.\n'

export interface ClaimPorts {
  /** Where it answers, as URLs without a path. */
  urls: readonly string[]
  close(): void
}

/** An address of the hub that other machines can reach. */
export const isLan = (address: string): boolean => address !== '::1' && !address.startsWith('127.')

/** Opens one port per private address. An address where it cannot listen is left out: the link for the machine itself still works. */
export const openClaimPorts = async (parts: {
  app: Pick<App, 'routing'>
  addresses: readonly string[]
  port: number
  tls: KeyPair
  failed: (address: string, error: unknown) => void
}): Promise<ClaimPorts> => {
  const { app, addresses, port, tls, failed } = parts
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (CLAIM.test(request.url ?? '')) return app.routing(request, response)
    response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end(NOT_YET)
  }
  const open: Server[] = []
  const urls: string[] = []
  for (const bind of addresses) {
    const server = createServer(
      { ...tls, requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16 * 1024 },
      answer,
    )
    server.maxConnections = 32
    try {
      const real = await listen(server, { variable: 'HTTPS_PORT', port, bind })
      open.push(server)
      urls.push(`https://${bind.includes(':') ? `[${bind}]` : bind}:${real}`)
    } catch (error) {
      failed(bind, error)
    }
  }
  return {
    urls,
    close: () => {
      for (const server of open) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}
