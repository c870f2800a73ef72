// What the tests of the web part stand on: a log that remembers, health, a guard that checks one token, and an open web port.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterEach } from 'vitest'
import { Unauthenticated } from '../errors.ts'
import { type ErrorEventValue, openHealth, type OpenHealth } from '../health/health.ts'
import { openMetrics } from '../health/metrics.ts'
import type { Log } from '../health/report.ts'
import type { App } from './app.ts'
import { openWeb, type Web, type WebParts } from './web.ts'

export interface Line {
  event: string
  fields: Record<string, unknown>
}

/** A log that remembers its lines. */
export const rememberingLog = (): { log: Log; lines: Line[] } => {
  const lines: Line[] = []
  const write = (event: string, fields: object = {}) => void lines.push({ event, fields: { ...fields } })
  const log: Log = { debug: write, info: write, warn: write, error: write, of: () => log }
  return { log, lines }
}

/** Lets in whoever sends `Bearer right`; everything that is not public needs it. */
export const oneToken = (app: App): void => {
  app.addHook('onRequest', async (request) => {
    if (request.is404 || request.routeOptions.config.may === 'public') return
    if (request.headers.authorization !== 'Bearer right') throw new Unauthenticated()
    request.principal = { kind: 'person', id: 'ada', roles: ['admin'] }
  })
}

export const clock = { now: () => Date.UTC(2026, 10, 1) }

const webs: Web[] = []
const folders: string[] = []
afterEach(async () => {
  for (const web of webs.splice(0)) await web.close()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

export const tempFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-web-'))
  folders.push(folder)
  return folder
}

export interface Opened {
  web: Web
  url: string
  lines: Line[]
  events: ErrorEventValue[]
  health: OpenHealth
  streams: { stream: Duplex; address: string }[]
}

/** A web port on 127.0.0.1, closed after the test. */
export const opened = async (
  more: Partial<WebParts> & { allowedOrigins?: string[]; uiDir?: string; httpsPort?: number } = {},
): Promise<Opened> => {
  const { log, lines } = rememberingLog()
  const health = openHealth({ clock, log, metrics: openMetrics({ process: false }) })
  const events: ErrorEventValue[] = []
  health.connect((event) => events.push(event))
  const streams: Opened['streams'] = []
  const { allowedOrigins = [], uiDir = '/nowhere/millrace', httpsPort, ...parts } = more
  const web = await openWeb({
    config: {
      bind: '127.0.0.1',
      httpPort: 0,
      allowedOrigins,
      uiDir,
      ...(httpsPort === undefined ? {} : { httpsPort }),
    },
    clock,
    log,
    health,
    guard: oneToken,
    routes: [],
    mqttOverWebSocket: (stream, address) => streams.push({ stream, address }),
    openapi: { title: 'Millrace', version: '0.0.0' },
    ...parts,
  })
  webs.push(web)
  return { web, url: `http://127.0.0.1:${web.ports.http}`, lines, events, health, streams }
}
