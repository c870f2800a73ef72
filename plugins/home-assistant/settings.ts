// What a person may set: which of Home Assistant's things appear here, which of ours appear there, and how long a command may take.
import { z } from 'zod'

const names = (what: string) => z.array(z.string().min(1).max(255)).max(1000).default([]).describe(what)

const Filter = z
  .strictObject({
    domains: names('Domains, such as `light`.'),
    areas: names('Areas, by their name or id.'),
    entities: names('Entity ids; `*` stands for any characters.'),
  })
  .prefault({})

export const Settings = z.strictObject({
  include: Filter.describe(
    'What is mirrored: an entity that fits any of these. When all three lists are empty, everything is.',
  ),
  exclude: Filter.describe('What is not mirrored, whatever `include` says.'),
  mirrorMqtt: z
    .boolean()
    .default(false)
    .describe(
      'Mirrors also what Home Assistant has over MQTT. Off, because such devices are on a broker, where the hub finds them itself.',
    ),
  mirrorHidden: z.boolean().default(false).describe('Mirrors also entities that are hidden in Home Assistant.'),
  safe: z
    .record(z.string().max(255), z.array(z.string().max(65)).max(16))
    .default({})
    .describe('By entity id: the intents that lead to the safe state, such as `switch.turn_off` for a heater.'),
  kinds: z
    .record(z.string().max(255), z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be lower case letters, digits and _'))
    .default({})
    .describe(
      'By entity id: what its device really is, such as `welder` for a plug that feeds one, so that the hazard rules for that kind hold.',
    ),
  deadline: z
    .number()
    .min(1)
    .max(60)
    .default(10)
    .describe('Seconds a command may take until its effect is seen. Covers, valves and locks have 90.'),
  longestPause: z
    .number()
    .min(1)
    .max(300)
    .default(30)
    .describe('Longest pause between two tries to connect, in seconds.'),
  export: z
    .strictObject({
      on: z.boolean().default(true).describe('Announces the devices of the hub to Home Assistant by MQTT discovery.'),
      form: z
        .enum(['auto', 'single', 'device'])
        .default('auto')
        .describe(
          'Form of the records: `device` for Home Assistant 2024.11 and later, `single` for all. `auto` asks the server for its version, and is `single` as long as there is none.',
        ),
      topic: z
        .string()
        .regex(/^[a-z][a-z0-9_-]{0,63}$/)
        .refine((topic) => topic === 'homeassistant', 'must be homeassistant')
        .default('homeassistant')
        .describe('First level of the discovery topics.'),
      devices: names('Ids of the devices to announce; empty: all.'),
      exclude: names('Ids of devices that are not announced.'),
      owners: names(
        'Owners whose devices are not announced, beside this plugin: such as `plugin:discovery`, whose devices Home Assistant discovers itself on the same broker.',
      ).prefault(['plugin:discovery']),
    })
    .prefault({})
    .describe('The way to Home Assistant.'),
})
export type Settings = z.output<typeof Settings>
