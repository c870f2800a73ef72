// A whole hub in a process of its own, with the simulated workshop, for tests of pages against what really answers.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ADMIN = { username: 'ada', password: 'correct horse battery' } as const

const START = fileURLToPath(new URL('../../hub/start.js', import.meta.url))
const READY_MS = 30_000
const ENDED_MS = 10_000
const ASK_MS = 10_000

interface Asking {
  /** Sent as JSON by POST. */
  json?: object
  /** Without it the admin asks. */
  token?: string
}

/** The address the hub prints when it is ready. Rejects with what it printed when it is not in time. */
const addressOf = (hub: ReturnType<typeof spawn>): Promise<string> =>
  new Promise((resolve, reject) => {
    let printed = ''
    const fail = (why: string): void => reject(new Error(`The hub ${why}. It printed:\n${printed.slice(-4000)}`))
    const late = setTimeout(() => fail(`is not ready after ${READY_MS} ms`), READY_MS)
    hub.once('exit', (code) => fail(`ended with ${code ?? 'a signal'}`))
    const read = (chunk: Buffer): void => {
      printed += chunk.toString()
      const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed) ?? []
      if (address === undefined || !printed.includes('is ready')) return
      clearTimeout(late)
      resolve(address)
    }
    hub.stdout?.on('data', read)
    hub.stderr?.on('data', read)
  })

/** Starts it on free ports of 127.0.0.1, in a folder that `close` removes. */
export const realHub = async () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-real-'))
  const ports = { HTTP_PORT: '0', HTTPS_PORT: '0', MQTT_PORT: '0', MQTTS_PORT: '0', BIND: '127.0.0.1' }
  const admin = { ADMIN_USER: ADMIN.username, ADMIN_PASSWORD: ADMIN.password }
  const hub = spawn(process.execPath, [START], {
    env: { DEMO: '1', DATA_DIR: join(dir, 'data'), LOG_LEVEL: 'warn', ...ports, ...admin },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const close = async (): Promise<void> => {
    if (hub.exitCode === null && hub.signalCode === null) {
      const gone = once(hub, 'exit')
      const late = setTimeout(() => hub.kill('SIGKILL'), ENDED_MS)
      hub.kill('SIGTERM')
      await gone
      clearTimeout(late)
    }
    rmSync(dir, { recursive: true, force: true })
  }
  const origin = await addressOf(hub).catch(async (error: unknown) => {
    await close()
    throw error
  })
  const login = async (username: string, password: string = ADMIN.password): Promise<string> => {
    const body = new URLSearchParams({ grant_type: 'password', username, password })
    const answer = await fetch(`${origin}/token`, { method: 'POST', body, signal: AbortSignal.timeout(ASK_MS) })
    const { access_token: token } = (await answer.json()) as { access_token?: string }
    if (token === undefined) throw new Error(`${username} gets no token: ${answer.status}`)
    return token
  }
  const own = await login(ADMIN.username)
  const api = async <T = Record<string, unknown>>(
    path: string,
    { json, token = own }: Asking = {},
  ): Promise<{ status: number; body: T }> => {
    const answer = await fetch(`${origin}${path}`, {
      method: json === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, ...(json ? { 'content-type': 'application/json' } : {}) },
      signal: AbortSignal.timeout(ASK_MS),
      ...(json ? { body: JSON.stringify(json) } : {}),
    })
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as T }
  }
  return { origin, login, api, close }
}

export type RealHub = Awaited<ReturnType<typeof realHub>>
