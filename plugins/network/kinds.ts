// Kinds of things, in words, and what a person does next with one that is accepted. Accepting controls nothing by itself.
import { slug } from './words.ts'

interface Kind {
  title: string
  /** Anything may call itself this: it says little about what it is. */
  vague?: true
  next: (thing: Place) => Next
}

export interface Place {
  name: string
  address: string | undefined
  port: number | undefined
  facts: Readonly<Record<string, string>>
}

export interface Next {
  text: string
  /** Lines for a file, when there is one to write. */
  yaml?: string
}

/** The address as it stands in a URL. */
const host = (address: string): string => (address.includes(':') ? `[${address}]` : address)
const hostPort = ({ address, port }: Place): string =>
  `${host(address ?? 'ADDRESS')}${port === undefined ? '' : `:${port}`}`
const path = ({ facts }: Place): string => {
  const given = facts['path'] ?? ''
  return /^\/[\w./-]*$/.test(given) && !given.includes('..') ? given.replace(/\/+$/, '') : ''
}

const NOT_YET =
  'Nothing in this version speaks to it, so accepting changes nothing on it and nothing can be controlled.'

const later =
  (what: string, yaml: (thing: Place) => string[]) =>
  (thing: Place): Next => ({
    text: `${NOT_YET} A plugin for ${what} will read its address and secret from peers.yaml in the data folder, under that plugin's id:`,
    yaml: [`${slug(thing.name, 'device')}:`, ...yaml(thing).map((one) => `  ${one}`)].join('\n'),
  })
const apiKey = (thing: Place): string[] => [
  `baseUrl: http://${hostPort(thing)}${path(thing)}`,
  'auth: { kind: api-key, key: … }',
]
const overMqtt = (how: string) => (): Next => ({ text: `${NOT_YET} ${how}` })
const nothing = (): Next => ({ text: NOT_YET })

const TO_THIS_HUB = 'Point its MQTT setting at this hub with a credential of its own (POST /api/device-credentials).'

export const KINDS = {
  octoprint: { title: 'OctoPrint', next: later('OctoPrint', apiKey) },
  moonraker: { title: 'Klipper (Moonraker)', next: later('Moonraker', apiKey) },
  bambu: {
    title: 'Bambu Lab printer',
    next: later('Bambu Lab printers', ({ address }) => [
      `baseUrl: mqtts://${host(address ?? 'ADDRESS')}:8883`,
      'auth: { kind: password, username: bblp, password: … }',
    ]),
  },
  printer: { title: 'Paper printer', next: nothing },
  esphome: {
    title: 'ESPHome device',
    next: overMqtt(`Give it the mqtt component: it then announces itself. ${TO_THIS_HUB}`),
  },
  shelly: { title: 'Shelly', next: overMqtt(TO_THIS_HUB) },
  'home-assistant': {
    title: 'Home Assistant',
    next: (thing) => ({
      text: 'Accepting connects nothing by itself. The plugin home-assistant connects when peers.yaml in the data folder names it; make a long-lived token in your Home Assistant profile:',
      yaml: [
        'home-assistant:',
        '  house:',
        `    baseUrl: http://${hostPort(thing)}`,
        '    auth: { kind: bearer, token: … }',
      ].join('\n'),
    }),
  },
  mqtt: {
    title: 'MQTT broker',
    next: (thing) => ({
      text: `Accepting connects nothing by itself. The hub uses another broker when BRIDGE_URL says mqtt://${hostPort(thing)} (docs/external-broker.md).`,
    }),
  },
  hue: { title: 'Philips Hue bridge', next: nothing },
  wled: { title: 'WLED light', next: overMqtt(TO_THIS_HUB) },
  homekit: { title: 'HomeKit accessory', next: nothing },
  kasa: { title: 'TP-Link Kasa', next: nothing },
  yeelight: { title: 'Yeelight', next: nothing },
  lifx: { title: 'LIFX light', next: nothing },
  wiz: { title: 'WiZ light', next: nothing },
  router: { title: 'Router', next: nothing },
  media: { title: 'Player', next: nothing },
  upnp: { title: 'UPnP device', vague: true, next: nothing },
  service: { title: 'Service', vague: true, next: nothing },
} as const satisfies Record<string, Kind>

const kinds: Readonly<Record<string, Kind | undefined>> = KINDS

export const titleOf = (kind: string): string => kinds[kind]?.title ?? 'Service'
export const isVague = (kind: string): boolean => kinds[kind]?.vague ?? kinds[kind] === undefined
export const nextFor = (kind: string, thing: Place): Next => (kinds[kind] ?? KINDS.service).next(thing)
