// A whole hub with this plugin alone, and devices that know MQTT and their own convention, nothing of the hub.
/* eslint-disable @typescript-eslint/no-restricted-imports -- only tests use it: it starts a hub */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testHub, type TestHub, type TestHubOptions } from '../../hub/testing/hub.ts'
import type { Heard, Login, Wire } from '../../hub/testing/outsider.ts'
import { eventually } from '../../hub/testing/until.ts'

export interface DeviceView {
  id: string
  name: string
  kind: string
  area?: string
  online: boolean
  owner: string
  intents: Record<string, Record<string, unknown>>
  safe: string[]
  state: Record<string, unknown>
  maker?: string
  via?: string
}

export interface Rig extends TestHub {
  /** Hears everything, as the admin. */
  watcher: Wire
  device(id: string): Promise<DeviceView | undefined>
  devices(): Promise<DeviceView[]>
  /** The device once it is as wished. */
  becomes(id: string, isSo: (device: DeviceView) => boolean, ms?: number): Promise<DeviceView>
  gone(id: string): Promise<unknown>
  /** Connects a device that holds a credential with these topics. */
  connect(
    id: string,
    topics: readonly string[],
    options?: Parameters<TestHub['mqtt']>[1],
  ): Promise<Wire & { login: Login }>
  /** Asks over HTTP; the command's row once it has an outcome. */
  ask(device: string, intent: string, payload?: object): Promise<{ status: string; reason?: string; http: number }>
  /** Error events of this plugin, as they were heard. */
  errors(): Heard[]
}

/** Puts the plugin into a hub's folder. */
export const withPlugin = (dir: string): void => {
  mkdirSync(join(dir, 'plugins/discovery'), { recursive: true })
  const file = join(import.meta.dirname, 'plugin.ts')
  writeFileSync(join(dir, 'plugins/discovery/plugin.ts'), `export { default } from ${JSON.stringify(file)}\n`)
}

export const ENDED = new Set(['done', 'failed', 'refused', 'denied', 'expired', 'timeout', 'duplicate'])

export const rigOf = async (hub: TestHub): Promise<Rig> => {
  const watcher = await hub.mqtt({ clientId: 'ui.ada', username: 'ada', password: hub.token })
  await watcher.subscribe('jarvis/#')
  const devices = async (): Promise<DeviceView[]> =>
    (await hub.api<{ items: DeviceView[] }>('/api/devices?limit=1000')).body.items
  const device = async (id: string): Promise<DeviceView | undefined> => {
    const { status, body } = await hub.api<DeviceView>(`/api/devices/${id}`)
    return status === 200 ? body : undefined
  }
  return {
    ...hub,
    watcher,
    devices,
    device,
    becomes: (id, isSo, ms = 6000) =>
      eventually<DeviceView | undefined, DeviceView>(
        () => device(id),
        (found): found is DeviceView => found !== undefined && isSo(found),
        { ms, everyMs: 60 },
      ),
    gone: (id) =>
      eventually(
        () => device(id),
        (found) => found === undefined,
        { everyMs: 60 },
      ),
    async connect(id, topics, options) {
      const login = await hub.credential(id, topics)
      return { ...(await hub.mqtt(login, options)), login }
    },
    async ask(to, intent, payload) {
      const id = `t${Math.random().toString(36).slice(2)}`
      const { status, body } = await hub.api<{ commandId?: string; error?: { message: string } }>(
        `/api/device/${to}/command`,
        { json: { id, intent, ...(payload === undefined ? {} : { payload }) } },
      )
      if (status !== 202) return { status: 'refused', reason: JSON.stringify(body), http: status }
      const result = await watcher.hears(
        ({ topic, text }) => topic === `jarvis/devices/${to}/result` && text.includes(`"${id}"`),
        15_000,
      )
      const { status: outcome, reason } = result.json()
      return { status: String(outcome), reason: typeof reason === 'string' ? reason : '', http: status }
    },
    errors: () =>
      watcher.heard.filter(({ topic }) => topic.startsWith('jarvis/errors/') && topic.includes('discovery')),
  }
}

export const rig = async (options: TestHubOptions = {}): Promise<Rig> =>
  rigOf(
    await testHub({
      ...options,
      prepare: async (dir) => {
        withPlugin(dir)
        await options.prepare?.(dir)
      },
    }),
  )
