// MQTT devices that announce themselves: Home Assistant's discovery, which Zigbee2MQTT, ESPHome and many others speak, and Tasmota's own.
import { type Message, reasonOf } from '#hub/plugin'
import { definePlugin } from '#hub/plugin'
import { Observable } from 'rxjs'
import { z } from 'zod'
import { type Discovery, openDiscovery } from './discovery.ts'
import type { Out } from './mirror.ts'

export default definePlugin({
  id: 'discovery',
  title: 'MQTT discovery',
  // It takes in only what a credential was granted, and moves nothing but for the gate.
  enabled: 'always',
  config: z.strictObject({
    on: z.boolean().default(true).describe('Whether devices that announce themselves are taken in.'),
    prefix: z
      .string()
      .regex(/^[^\s+#$/][^\s+#]{0,99}(?<!\/)$/, 'must be a topic without wildcards')
      .default('homeassistant')
      .describe('First levels of discovery topics, as Home Assistant calls its discovery prefix.'),
    devices: z.number().int().min(1).max(5000).default(1000).describe('Devices of one origin, at most.'),
    components: z.number().int().min(1).max(256).default(64).describe('Components of one device, at most.'),
    answer_seconds: z
      .number()
      .min(1)
      .max(300)
      .default(10)
      .describe('How long a device may take to show what a command did. Covers and locks have longer.'),
    outside: z
      .boolean()
      .default(true)
      .describe(
        'Whether devices on another broker (BROKER_URL, BRIDGE_URL) are taken in: its rules alone stand behind them.',
      ),
  }),
  handles: ['devices/{device}/cmd'],
  publishes: [
    'devices/{device}/about',
    'devices/{device}/state',
    'devices/{device}/online',
    'devices/{device}/event',
    'devices/{device}/ack',
  ],
  needs: ['native', 'devices', 'memory'],
  native: { hears: ['#'], commands: true },
  start: ({ config, use, from, prefix, now, health, report, settle, log }) =>
    new Observable<Message<Out>>((out) => {
      if (!config.on) return health('healthy', 'Switched off: devices that announce themselves are not taken in.')
      const { native, devices, memory } = use
      let discovery: Discovery | undefined
      let isOver = false
      const commands = from('devices/{device}/cmd').subscribe(({ params, payload }) =>
        discovery?.obey(params.device, payload),
      )
      openDiscovery({
        native,
        devices,
        memory,
        hub: prefix,
        prefix: config.prefix,
        most: { devices: config.devices, components: config.components },
        patience: config.answer_seconds * 1000,
        outside: config.outside,
        now,
        say: (message) => out.next(message),
        report,
        health,
        inform: log.info,
      }).then(
        (opened) => {
          discovery = opened
          if (isOver) settle(opened.close())
        },
        (error: unknown) => out.error(error instanceof Error ? error : new Error(reasonOf(error))),
      )
      return () => {
        isOver = true
        commands.unsubscribe()
        if (discovery !== undefined) settle(discovery.close())
      }
    }),
})
