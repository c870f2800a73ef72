// A whole hub with this plugin and a real Home Assistant, for the tests against the real one.
/* eslint-disable @typescript-eslint/no-restricted-imports -- only tests use it: it starts a hub */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startHub } from '../../hub/main.ts'
import { ROOT, testHub, type TestHub, type TestHubOptions } from '../../hub/testing/hub.ts'
import type { Wire } from '../../hub/testing/outsider.ts'
import { until } from '../../hub/testing/until.ts'
import { INSTALL, realHome, type RealHome, versionOf } from './home-assistant.real.ts'

// eslint-disable-next-line no-restricted-syntax -- where the program is belongs to the machine the tests run on
const hass = process.env['HASS'] ?? 'hass'
export const version = versionOf(hass)
/** What is being tested, for the title: the version, or why it is skipped. */
export const tested = version === undefined ? ` (skipped: not installed: ${INSTALL})` : ` ${version}`

/** A device as its topics tell it. */
export interface Seen {
  online: boolean
  state: Record<string, unknown>
  area?: unknown
}

export interface House {
  home: RealHome
  hub: TestHub
  /** Hears all devices. */
  ear: Wire
  /** A device as it was heard last; undefined when nothing was. */
  device(id: string): Seen | undefined
  /** Over HTTP, where a person may ask a hundred times a minute. */
  devices(): Promise<{ id: string; owner: string }[]>
  /** Resolves when a device is as wished. */
  isSo(id: string, isThis: (device: Seen) => boolean, ms?: number): Promise<Seen>
  /** Payloads of a device's topic since a place in what was heard. */
  since(before: number, device: string, what: string): Record<string, unknown>[]
  /** The result of a command; rejects after `ms`. */
  result(device: string, commandId: unknown, ms?: number): Promise<Record<string, unknown>>
  /** Stops the hub and starts it anew in its folder and on its ports, with other settings of this plugin if given. */
  restartHub(between?: () => Promise<void>, settings?: Record<string, unknown>): Promise<void>
  close(): Promise<void>
}

/** `env` is for the hub. Takes about ten seconds. */
export const house = async (env: TestHubOptions['env'] = {}): Promise<House> => {
  const home = await realHome(hass)
  const start = (): Promise<TestHub> =>
    testHub({
      env: { DEMO: '1', PLUGINS_DIR: join(ROOT, 'plugins'), ...env },
      prepare: (dir) => {
        mkdirSync(join(dir, 'data'), { mode: 0o700 })
        const peers = join(dir, 'data', 'peers.yaml')
        writeFileSync(
          peers,
          `home-assistant:\n  house:\n    baseUrl: ${home.url}\n    auth: { kind: bearer, token: ${home.token} }\n`,
        )
        chmodSync(peers, 0o600)
        copyFileSync(join(ROOT, 'flows/scene-for-print.ts'), join(dir, 'flows/scene-for-print.ts'))
        writeFileSync(join(dir, 'millrace.yaml'), 'plugins: { home-assistant: {} }\n')
      },
    })
  const hub = await start().catch(async (error: unknown) => {
    await home.close()
    throw error
  })
  let running = hub.hub
  const listen = async (): Promise<Wire> => {
    const wire = await hub.mqtt({ clientId: 'ui.ada-ear', username: 'ada', password: hub.token })
    await wire.subscribe('jarvis/devices/#')
    return wire
  }
  const device: House['device'] = (id) => {
    const last = (what: string) => made.ear.heard.findLast(({ topic }) => topic === `jarvis/devices/${id}/${what}`)
    const [about, state, online] = [last('about'), last('state'), last('online')]
    if (about === undefined || about.text === '') return undefined
    return { online: online?.text === 'true', state: state?.json() ?? {}, area: about.json()['area'] }
  }
  const made: House = {
    home,
    hub,
    ear: await listen(),
    device,
    devices: async () => {
      const { status, body } = await hub.api<{ items: { id: string; owner: string }[] }>('/api/devices?limit=500')
      if (status !== 200) throw new Error(`the devices were not listed: ${status} ${JSON.stringify(body)}`)
      return body.items
    },
    isSo: (id, isThis, ms = 8000) => {
      const { client } = made.ear
      return until(
        () => {
          const found = device(id)
          return found !== undefined && isThis(found) ? found : undefined
        },
        (look) => {
          client.on('message', look)
          return () => client.off('message', look)
        },
        ms,
        () => `${id} is still ${JSON.stringify(device(id))}`,
      )
    },
    since: (before, id, what) =>
      made.ear.heard
        .slice(before)
        .filter(({ topic }) => topic === `jarvis/devices/${id}/${what}`)
        .map((heard) => heard.json()),
    result: async (id, commandId, ms) =>
      (
        await made.ear.hears(
          ({ topic, json }) => topic === `jarvis/devices/${id}/result` && json()['id'] === commandId,
          ms,
        )
      ).json(),
    restartHub: async (between = () => Promise.resolve(), settings = {}) => {
      await made.ear.end()
      await running.close()
      await between()
      running = await startHub({
        ...hub.config,
        file: { ...hub.config.file, plugins: { ...hub.config.file.plugins, 'home-assistant': settings } },
        MQTT_PORT: hub.mqttPort,
        HTTP_PORT: Number(new URL(hub.base).port),
      })
      made.ear = await listen()
    },
    close: async () => {
      await hub.leave()
      await running.close()
      await hub.close()
      await home.close()
    },
  }
  return made
}
