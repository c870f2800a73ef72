// Takes people out of recorded messages, the same way each time: the same person becomes the same 'person-1'.

export interface AnonymiseOptions {
  /** Device ids become device_1, device_2 … as well. */
  devices: boolean
}

export interface Anonymiser {
  /** A topic's parameters. */
  params(params: Readonly<Record<string, string>>): Record<string, string>
  payload(value: unknown): unknown
  /** What was given until now was for learning names: from here on it counts what it replaces. */
  learned(): void
  /** What was replaced, by kind, for the first line of a fixture. */
  counts(): { people: number; numbers: number; places: number; devices: number }
}

/** Fields that name a person, or something a person carries; compared in lower case, without `_` and `-`. */
const PEOPLE = new Set([
  'person', 'people', 'personname', 'user', 'users', 'username', 'userid', 'member', 'memberid', 'operator', 'visitor',
  'owner', 'requestedby', 'approvedby', 'deniedby', 'confirmedby', 'cancelledby', 'by', 'who', 'author', 'sender',
  'firstname', 'lastname', 'fullname', 'nickname', 'email', 'mail', 'phone', 'mobile', 'telephone',
  'badge', 'badgeid', 'card', 'cardid', 'rfid', 'nfc', 'uid', 'tag', 'tagid', 'face', 'plate', 'licenseplate',
  'conversationid', 'correlationid',
]) // prettier-ignore
/** Fields that lead to a person or a house. */
const PLACES = new Set(['latitude', 'longitude', 'lat', 'lon', 'lng', 'gps', 'address', 'street', 'ip', 'ipaddress', 'mac', 'macaddress', 'ssid', 'bssid', 'hostname', 'serial', 'serialnumber']) // prettier-ignore
/** Fields that let somebody in. */
const SECRETS = new Set([
  'password',
  'passphrase',
  'secret',
  'token',
  'accesstoken',
  'apikey',
  'key',
  'pin',
  'code',
  'otp',
])
const PEOPLE_PARAMS = new Set(['person', 'user', 'member', 'badge', 'conversation'])

const EMAIL = /[\w.+-]+@[\w-]+\.[\w.-]+/g
const IPV4 = /\b(?:\d{1,3}\.){3}\d{1,3}\b/g
const MAC = /\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b/gi
const PERSON = /\bperson:[\w.@+-]+/g
/** Shorter names are not looked for in other texts: they are parts of words. */
const SHORTEST = 3
const DEEPEST = 32

/**
 * Makes one, for one fixture. Names stand in other texts as well, before and after the field that tells that they are names:
 * give it everything once to learn them, then again for what comes out.
 */
export const anonymiser = ({ devices }: AnonymiseOptions): Anonymiser => {
  const known = { person: new Map<string, string>(), device: new Map<string, string>() }
  const counts = { people: 0, numbers: 0, places: 0, devices: 0 }
  let names: RegExp | undefined

  const person = (name: string): string => {
    const bare = name.replace(/^person:/, '')
    const before = known.person.get(bare)
    if (before !== undefined) return name.startsWith('person:') ? `person:${before}` : before
    const made = `person-${counts.people + 1}`
    known.person.set(bare, made)
    // First and last name are looked for alone, too.
    for (const part of bare.split(/\s+/)) if (!known.person.has(part)) known.person.set(part, made)
    counts.people++
    names = undefined
    return name.startsWith('person:') ? `person:${made}` : made
  }

  const device = (id: string): string => {
    if (!devices) return id
    const before = known.device.get(id)
    if (before !== undefined) return before
    const made = `device_${known.device.size + 1}`
    known.device.set(id, made)
    counts.devices++
    names = undefined
    return made
  }

  /** Names that are known by now, wherever they stand as a word of their own. */
  const everyName = (): RegExp => {
    if (names !== undefined) return names
    const all = [...known.person.keys(), ...known.device.keys()].filter((name) => name.length >= SHORTEST)
    const words = all.sort((a, b) => b.length - a.length).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return (names = words.length === 0 ? /(?!)/g : new RegExp(`(?<![\\w-])(?:${words.join('|')})(?![\\w-])`, 'g'))
  }

  const place = (made: string): string => {
    counts.places++
    return made
  }

  const text = (value: string): string => {
    if (value === 'hub' || value === 'gate' || /^(flow|plugin):/.test(value)) return value
    return value
      .replace(PERSON, person)
      .replace(EMAIL, (found) => `${person(found)}@example.org`)
      .replace(MAC, () => place('02:00:00:00:00:01'))
      .replace(IPV4, () => place('192.0.2.1'))
      .replace(everyName(), (found) => known.person.get(found) ?? known.device.get(found) ?? found)
  }

  const personal = (value: unknown): unknown => {
    if (typeof value === 'string') {
      if (/^(hub|gate)$|^(flow|plugin):/.test(value) || value === '') return value
      if (value.startsWith('device:')) return `device:${device(value.slice(7))}`
      return person(value)
    }
    if (typeof value === 'number') {
      counts.numbers++
      return Number(person(String(value)).slice('person-'.length))
    }
    return undefined
  }

  const payload = (value: unknown, field = '', depth = 0): unknown => {
    if (depth > DEEPEST) return null
    const name = field.toLowerCase().replace(/[_-]/g, '')
    if (Array.isArray(value)) return value.map((each) => payload(each, field, depth + 1))
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [text(key), payload(each, key, depth + 1)]))
    if (SECRETS.has(name) && typeof value === 'string') return place('secret')
    if (PEOPLE.has(name)) return personal(value) ?? value
    if (PLACES.has(name) && typeof value === 'number') {
      counts.places++
      return 0
    }
    if (PLACES.has(name) && typeof value === 'string') return place(`${name}-1`)
    if (name === 'device' && typeof value === 'string') return device(value)
    return typeof value === 'string' ? text(value) : value
  }

  return {
    params: (params) =>
      Object.fromEntries(
        Object.entries(params).map(([name, value]) => [
          name,
          PEOPLE_PARAMS.has(name) ? person(value) : name === 'device' ? device(value) : text(value),
        ]),
      ),
    payload: (value) => payload(value),
    learned() {
      counts.numbers = 0
      counts.places = 0
    },
    counts: () => ({ ...counts }),
  }
}
