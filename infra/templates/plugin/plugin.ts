// My plugin: joins its peer to topics. What is known of the wire stands in peer.ts.
import { concatMap, map, merge, of } from 'rxjs'
import { z } from 'zod'
import { definePlugin, message } from '#hub/plugin'
import { type Reading, readings } from './peer.ts'

const DEVICE = { device: 'my_plugin' }

export default definePlugin({
  id: 'my-plugin',
  title: 'My plugin',
  // Runs once the config file has settings for it.
  enabled: 'configured',
  config: z.strictObject({
    host: z.string().default('127.0.0.1').describe('Address of the peer.'),
    port: z.number().int().min(1).max(65_535).default(9000).describe('TCP port of the peer.'),
  }),
  handles: ['devices/{device}/cmd'],
  publishes: [
    'devices/{device}/about',
    'devices/{device}/online',
    'devices/{device}/telemetry',
    'devices/{device}/ack',
  ],
  start: ({ config, from, health, report }) => {
    const messagesOf = (reading: Reading) => {
      switch (reading.kind) {
        case 'connected':
          health('healthy')
          return [message('devices/{device}/online', DEVICE, true)]
        case 'lost':
          health('degraded', `${config.host}:${config.port}: ${reading.why}. Is it switched on and in the network?`)
          return [message('devices/{device}/online', DEVICE, false)]
        case 'sample':
          return [message('devices/{device}/telemetry', DEVICE, { value: reading.value })]
        case 'garbage':
          report({ type: 'BadReading', message: `The peer sent what is no number: ${reading.line}` })
          return []
      }
    }
    const about = message('devices/{device}/about', DEVICE, { name: 'My plugin', kind: 'sensor', intents: {} })
    const samples = readings(config).pipe(concatMap(messagesOf))
    // `about` offers no intent yet; when it does, carry it out here and answer `accepted`, then `done` or `failed`.
    const acks = from('devices/{device}/cmd', { where: DEVICE }).pipe(
      map(({ payload: { id, intent } }) =>
        message('devices/{device}/ack', DEVICE, { id, status: 'failed', reason: `my_plugin cannot ${intent}` }),
      ),
    )
    return merge(of(about), samples, acks)
  },
})
