// What mDNS said, as far as it is about services that are looked for: RFC 6762 (records that live and die), RFC 6763 (services).
import { isIP } from 'node:net'
import { factsOf, type Finding } from './finding.ts'
import { mayBeItsAddress } from './nets.ts'
import { type Answer, isSayable, type KnownAnswer, type Question } from './packet.ts'
import { kindOf, SERVICES } from './services.ts'
import { line } from './words.ts'

type Of<T extends Answer['type']> = Extract<Answer, { type: T }>

/** An instance of a service, from its PTR, SRV and TXT records. */
interface Instance {
  type: string
  /** Its full name as it came, for questions; keys are in lower case (RFC 6762 16). */
  name: string
  label: string
  /** Whether its name can be said again. Not one with a dot in its label: the library joins labels by dots. */
  isSayable: boolean
  from: string
  /** ms since 1970. */
  until: number
  ttlMs: number
  /** Parts of its life after which it was asked for again, 0 to 4 (RFC 6762 5.2). */
  refreshed: number
  srv?: { target: string; port: number; until: number }
  txt?: Record<string, string>
  /** How often what is missing was asked for, and when to ask next. */
  asked: number
  askAt: number
}

interface Host {
  addresses: Map<string, { at: number; until: number }>
}

export interface Records {
  /** Takes the answers of a response from an address; says what is known now of the instances they are about. */
  take(answers: readonly Answer[], from: string): Finding[]
  /** Ends what is past its time; the keys of what is gone. */
  sweep(): string[]
  /** What to ask now: what runs out soon, and what is missing to reach something. */
  due(): Question[]
  /** What is known of the types that are looked for, to be said in a question so that it is not answered again (RFC 6762 7.1). */
  known(): KnownAnswer[]
  /** The questions that look for everything. */
  browse(): Question[]
  /** Everything is asked for again. */
  restart(): void
  size(): number
}

interface Parts {
  /** Such as `_ipp._tcp`. */
  types: readonly string[]
  now: () => number
  /** 0 ≤ n < 1. */
  random: () => number
  /** Instances at most, in all and of one source. */
  most: number
  mostOfOne: number
  /** Something new found no room. */
  full?: () => void
}

/** RFC 6762 10: what is older than this when a record with the flush bit comes, is not in the same burst. */
const BURST_MS = 1000
const ADDRESSES = 8
/** A day: longer lives are cut to it, so that a lie does not last. */
const LIFE_S = 86_400
const REFRESH = [0.8, 0.85, 0.9, 0.95]
const ASK = { most: 3, firstMs: 1000 }
const QUESTIONS = 24

const TYPE = /^([^]+)\.(_[a-z0-9-]{1,15}\._(?:tcp|udp))\.local$/i

export const openRecords = ({ types, now, random, most, mostOfOne, full = () => {} }: Parts): Records => {
  const wanted = new Set(types.map((type) => type.toLowerCase()))
  const instances = new Map<string, Instance>()
  const hosts = new Map<string, Host>()
  const lifeOf = ({ ttl }: Answer): number => Math.min(ttl, LIFE_S) * 1000

  /** Those that live, IPv4 first and the newest first; when none lives, the last ones that were known. */
  const addressesOf = ({ srv }: Instance): string[] => {
    const all = [...(hosts.get(srv?.target.toLowerCase() ?? '')?.addresses ?? [])].sort(
      ([a, one], [b, other]) => isIP(a) - isIP(b) || other.at - one.at,
    )
    const alive = all.filter(([, { until }]) => until > now())
    return (alive.length > 0 ? alive : all).map(([address]) => address)
  }

  const findingOf = (key: string, one: Instance): Finding | undefined => {
    const service = SERVICES[one.type]
    const facts = one.txt ?? {}
    const kind = kindOf(one.type, one.label, facts)
    if (kind === undefined) return undefined
    const addresses = addressesOf(one).filter((address) => mayBeItsAddress(address, one.from))
    const better = service?.name === undefined ? undefined : facts[service.name]
    return {
      source: 'mdns',
      key,
      kind,
      name: line(better ?? one.label, 64) || one.type,
      addresses,
      ...(one.srv === undefined ? {} : { port: one.srv.port }),
      what: one.type,
      facts,
      from: one.from,
      until: one.until,
    }
  }
  const forgetHosts = (): void => {
    const needed = new Set([...instances.values()].map(({ srv }) => srv?.target.toLowerCase()))
    for (const name of hosts.keys()) if (!needed.has(name)) hosts.delete(name)
  }

  const pointer = (answer: Of<'PTR'>, from: string, touched: Set<string>): void => {
    const type = /^(_[a-z0-9-]{1,15}\._(?:tcp|udp))\.local$/i.exec(answer.name)?.[1]?.toLowerCase()
    const [, label, own] = TYPE.exec(answer.data) ?? []
    if (type === undefined || !wanted.has(type) || label === undefined || own?.toLowerCase() !== type) return
    const key = keyOf(answer.data)
    const known = instances.get(key)
    // RFC 6762 10.1: a goodbye leaves a second for another who still has it.
    if (answer.ttl === 0) {
      if (known !== undefined) known.until = Math.min(known.until, now() + BURST_MS)
      return
    }
    if (known === undefined) {
      const ofOne = [...instances.values()].filter((one) => one.from === from).length
      if (instances.size >= most || ofOne >= mostOfOne) return full()
    }
    const ttlMs = lifeOf(answer)
    const isLost = known?.srv === undefined || known.srv.until <= now() || addressesOf(known).length === 0
    instances.set(key, {
      ...(known ?? {
        type,
        name: answer.data,
        label: line(label, 64),
        isSayable: !label.includes('.') && isSayable(answer.data),
        asked: 0,
        askAt: now() + 200,
      }),
      from,
      ttlMs,
      until: now() + ttlMs,
      refreshed: 0,
      ...(known !== undefined && isLost && known.asked >= ASK.most ? { asked: 0, askAt: now() } : {}),
    })
    touched.add(key)
  }
  const service = (answer: Of<'SRV'>, touched: Set<string>): void => {
    const key = keyOf(answer.name)
    const one = instances.get(key)
    const { target, port } = answer.data
    if (one === undefined || !/\.local$/i.test(target) || !isSayable(target)) return
    if (answer.ttl === 0) delete one.srv
    else one.srv = { target, port, until: now() + lifeOf(answer) }
    touched.add(key)
  }
  const text = (answer: Of<'TXT'>, touched: Set<string>): void => {
    const key = keyOf(answer.name)
    const one = instances.get(key)
    if (one === undefined) return
    if (answer.ttl !== 0) one.txt = factsOf(wordsOf(answer.data), SERVICES[one.type]?.facts ?? [], line)
    touched.add(key)
  }
  const address = (answer: Of<'A' | 'AAAA'>, from: string, touched: Set<string>): void => {
    const name = answer.name.toLowerCase()
    const users = [...instances].filter(([, { srv }]) => srv?.target.toLowerCase() === name)
    if (users.length === 0 || !mayBeItsAddress(answer.data, from)) return
    const host: Host = hosts.get(name) ?? { addresses: new Map() }
    hosts.set(name, host)
    const family = isIP(answer.data)
    if (answer.flush)
      for (const [other, { at }] of host.addresses)
        if (isIP(other) === family && at < now() - BURST_MS) host.addresses.delete(other)
    if (answer.ttl === 0) host.addresses.delete(answer.data)
    else if (host.addresses.has(answer.data) || host.addresses.size < ADDRESSES)
      host.addresses.set(answer.data, { at: now(), until: now() + lifeOf(answer) })
    for (const [key] of users) touched.add(key)
  }

  return {
    take(answers, from) {
      const touched = new Set<string>()
      // In this order: who knows no instance keeps no SRV, who knows no SRV keeps no address.
      for (const one of answers) if (one.type === 'PTR') pointer(one, from, touched)
      for (const one of answers) {
        if (one.type === 'SRV') service(one, touched)
        if (one.type === 'TXT') text(one, touched)
      }
      for (const one of answers) if (one.type === 'A' || one.type === 'AAAA') address(one, from, touched)
      return [...touched].flatMap((key) => {
        const one = instances.get(key)
        return one === undefined ? [] : (findingOf(key, one) ?? [])
      })
    },
    sweep() {
      const over = [...instances].filter(([, { until }]) => until <= now()).map(([key]) => key)
      for (const key of over) instances.delete(key)
      if (over.length > 0) forgetHosts()
      return over
    },
    due() {
      const questions: Question[] = []
      const types = new Set<string>()
      for (const one of instances.values()) {
        const lived = 1 - (one.until - now()) / one.ttlMs
        // RFC 6762 5.2: at 80, 85, 90 and 95 % of its life, each with up to 2 % of chance.
        const part = REFRESH[one.refreshed]
        if (part !== undefined && lived >= part + random() * 0.02) {
          one.refreshed += 1
          types.add(one.type)
        }
        if (one.asked < ASK.most && now() >= one.askAt && questions.length < QUESTIONS) {
          const missing = missingOf(one)
          if (missing.length > 0) {
            one.asked += 1
            one.askAt = now() + ASK.firstMs * 2 ** one.asked
            questions.push(...missing)
          }
        }
      }
      for (const type of types) questions.push(question(`${type}.local`, 'PTR'))
      return questions
    },
    known: () =>
      [...instances.values()].flatMap(({ type, name, isSayable, until, ttlMs }): KnownAnswer[] => {
        const left = until - now()
        // RFC 6762 7.1: not what has lived half its life, so that it is said again in time.
        if (left * 2 <= ttlMs || !isSayable) return []
        return [{ type: 'PTR', class: 'IN', name: `${type}.local`, ttl: Math.floor(left / 1000), data: name }]
      }),
    browse: () => types.map((type) => question(`${type}.local`, 'PTR')),
    restart() {
      for (const one of instances.values()) {
        one.asked = 0
        one.askAt = now() + 200
      }
    },
    size: () => instances.size,
  }

  function missingOf(one: Instance): Question[] {
    if (one.srv === undefined || one.srv.until <= now() || one.txt === undefined)
      return !one.isSayable ? [] : [question(one.name, 'SRV'), question(one.name, 'TXT')]
    const alive = [...(hosts.get(one.srv.target.toLowerCase())?.addresses.values() ?? [])]
    if (alive.some(({ until }) => until > now())) return []
    return [question(one.srv.target, 'A'), question(one.srv.target, 'AAAA')]
  }
}

const question = (name: string, type: 'PTR' | 'SRV' | 'TXT' | 'A' | 'AAAA'): Question => ({ name, type, class: 'IN' })

/** RFC 6762 16: names are compared without regard to the case of ASCII letters. */
const keyOf = (name: string): string => `mdns:${name.toLowerCase().slice(0, 255)}`

/** RFC 6763 6: `name=value` or a bare name, without regard to case; the first of two counts. */
const wordsOf = (data: readonly string[]): Record<string, string> => {
  const words: Record<string, string> = {}
  for (const one of data) {
    const [, name, value = ''] = /^([\x20-\x3c\x3e-\x7e]{1,32})(?:=([^]*))?$/.exec(one) ?? []
    if (name !== undefined && !Object.hasOwn(words, name.toLowerCase())) words[name.toLowerCase()] = value
  }
  return words
}
