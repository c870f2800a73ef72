// DNS-SD service types that are looked for, what they are, and which words of their TXT record are kept.

interface Service {
  kind: string
  /** Names of the TXT record that are shown; all others, such as OctoPrint's `u` and `p`, are never kept. */
  facts: readonly string[]
  /** The word of the TXT record that is a better name than the instance's. */
  name?: string
  /** Told by what it is found to be; undefined for something that is not meant. */
  judge?: (name: string, facts: Readonly<Record<string, string>>) => string | undefined
  /** Where it is described. */
  source: string
}

/** Of the many pages on a network only those that are a known thing's own. */
const page: Service['judge'] = (name, facts) => {
  if (/^octoprint\b/i.test(name) || (facts['version'] !== undefined && facts['api'] !== undefined)) return 'octoprint'
  // https://shelly-api-docs.shelly.cloud/gen2/General/mDNS: both generations say themselves as a page, too.
  return /^shelly/i.test(name) ? 'shelly' : undefined
}

export const SERVICES: Readonly<Record<string, Service>> = {
  '_octoprint._tcp': {
    kind: 'octoprint',
    facts: ['path', 'version', 'api', 'model', 'vendor'],
    source: 'https://docs.octoprint.org/en/master/bundledplugins/discovery.html',
  },
  '_http._tcp': {
    kind: 'service',
    facts: ['path', 'version', 'api', 'model', 'vendor', 'gen', 'app', 'ver'],
    judge: page,
    source: 'https://docs.octoprint.org/en/master/bundledplugins/discovery.html',
  },
  '_moonraker._tcp': {
    kind: 'moonraker',
    facts: ['version', 'https_port'],
    source: 'https://moonraker.readthedocs.io/en/latest/configuration/#zeroconf',
  },
  '_ipp._tcp': {
    kind: 'printer',
    facts: ['ty', 'note'],
    name: 'ty',
    source: 'https://developer.apple.com/bonjour/printing-specification/',
  },
  '_ipps._tcp': {
    kind: 'printer',
    facts: ['ty', 'note'],
    name: 'ty',
    source: 'https://www.rfc-editor.org/rfc/rfc7472',
  },
  '_esphomelib._tcp': {
    kind: 'esphome',
    facts: ['version', 'platform', 'board', 'friendly_name'],
    name: 'friendly_name',
    source: 'https://esphome.io/components/mdns',
  },
  '_shelly._tcp': {
    kind: 'shelly',
    facts: ['gen', 'app', 'ver'],
    source: 'https://shelly-api-docs.shelly.cloud/gen2/General/mDNS',
  },
  '_home-assistant._tcp': {
    kind: 'home-assistant',
    facts: ['version', 'location_name'],
    name: 'location_name',
    source: 'https://www.home-assistant.io/integrations/zeroconf/',
  },
  '_mqtt._tcp': {
    kind: 'mqtt',
    facts: [],
    source: 'https://www.iana.org/assignments/service-names-port-numbers/',
  },
  '_secure-mqtt._tcp': {
    kind: 'mqtt',
    facts: [],
    source: 'https://www.iana.org/assignments/service-names-port-numbers/',
  },
  '_hue._tcp': {
    kind: 'hue',
    facts: ['modelid'],
    source: 'https://developers.meethue.com/develop/application-design-guidance/hue-bridge-discovery/',
  },
  '_wled._tcp': { kind: 'wled', facts: [], source: 'https://www.home-assistant.io/integrations/wled/' },
  '_hap._tcp': {
    kind: 'homekit',
    facts: ['md', 'ci'],
    source: 'https://developer.apple.com/homekit/',
  },
}

/** What a service of a type is; undefined when it is not meant. A type that is not in the table is `service`. */
export const kindOf = (type: string, name: string, facts: Readonly<Record<string, string>>): string | undefined => {
  const service = SERVICES[type]
  if (service === undefined) return 'service'
  return service.judge === undefined ? service.kind : service.judge(name, facts)
}
