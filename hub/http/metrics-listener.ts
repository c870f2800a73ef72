// METRICS_BIND: /metrics without a token, on an address of its own that the site's network protects.
import { Fatal } from '../errors.ts'
import type { Metrics } from '../health/report.ts'
import { createServer } from '../node-http.ts'
import { listen } from './listen.ts'

/** Listens on `bind` (`127.0.0.1:9464`, `[::1]:9464`); rejects with Fatal. Answers GET /metrics and nothing else. */
export const openMetricsListener = async (parts: {
  bind: string
  metrics: Pick<Metrics, 'text'>
}): Promise<{ port: number; close(): Promise<void> }> => {
  const { host, port } = splitBind(parts.bind)
  const server = createServer({ requestTimeout: 10_000, keepAliveTimeout: 5_000 }, (request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /metrics\n')
      return
    }
    parts.metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      () => response.writeHead(500, { 'content-type': 'text/plain' }).end('the metrics cannot be read\n'),
    )
  })
  server.maxConnections = 50
  const real = await listen(server, { variable: 'METRICS_BIND', port, bind: host })
  return {
    port: real,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const splitBind = (bind: string): { host: string; port: number } => {
  const at = bind.lastIndexOf(':')
  const host = bind.slice(0, at).replace(/^\[|\]$/g, '')
  const port = Number(bind.slice(at + 1))
  if (at < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Fatal(`METRICS_BIND is '${bind}'; it must look like '127.0.0.1:9464'.`)
  }
  return { host, port }
}
