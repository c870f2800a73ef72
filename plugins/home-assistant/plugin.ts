// Home Assistant: its things are mirrored here over its WebSocket, the hub's are announced there over MQTT.
import { defer, merge } from 'rxjs'
import { definePlugin } from '#hub/plugin'
import { announce } from './announce.ts'
import { home } from './home.ts'
import { formFor } from './records.ts'
import { Settings } from './settings.ts'
import { troubles } from './troubles.ts'

const SELF = 'plugin:home-assistant'

export default definePlugin({
  id: 'home-assistant',
  title: 'Home Assistant',
  enabled: 'configured',
  config: Settings,
  handles: ['devices/{device}/cmd'],
  publishes: ['devices/{device}/about', 'devices/{device}/state', 'devices/{device}/online', 'devices/{device}/ack'],
  needs: ['peers', 'devices', 'native', 'memory'],
  native: {
    hears: ['homeassistant/+/+/config', 'homeassistant/+/+/+/config', 'homeassistant/status'],
    publishes: ['homeassistant/+/+/config', 'homeassistant/+/+/+/config'],
  },
  start: ({ config, use: { peers, devices, native, memory }, from, prefix, offline, now, log, health, report }) =>
    defer(() => {
      const versions = new Map<string, string>()
      const { tell, odd } = troubles({ servers: peers.names(), health, report, now })
      const homes = peers.names().map((name) =>
        home({
          server: { name, credential: peers.get(name), offline },
          settings: config,
          devices,
          memory,
          commands: from('devices/{device}/cmd'),
          now,
          log,
          tell: (trouble) => tell(name, trouble),
          version: (told) => void versions.set(name, told),
          odd,
        }),
      )
      const { on, ...settings } = config.export
      const exported = {
        settings: { on, ...settings },
        self: SELF,
        prefix,
        devices,
        memory,
        native,
        suits: () => (versions.size < peers.names().length ? undefined : formFor([...versions.values()])),
      }
      return merge(...homes, ...(on ? [announce({ ...exported, now, log, odd })] : []))
    }),
})
