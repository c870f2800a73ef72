// The search: on each private network the sockets that ask and hear, and what they hear as words for the registry.
import { networkInterfaces } from 'node:os'
import { type Log, reasonOf } from '#hub/plugin'
import type { Word } from './finding.ts'
import { openDoor, type Refusal } from './door.ts'
import { searchMessage } from './http-message.ts'
import { keepLink, type Kept, type Link } from './links.ts'
import { type MdnsLink, openMdns } from './mdns.ts'
import { type Interfaces, type Net, netsOf } from './nets.ts'
import type { Question } from './packet.ts'
import { openRecords } from './records.ts'
import { doublingRounds, steadyRounds } from './rounds.ts'
import type { Settings } from './settings.ts'
import { readSsdp, SSDP } from './ssdp.ts'
import { openUdp, type UdpLink } from './udp.ts'
import { type Vendor, type VendorId, VENDORS } from './vendors.ts'

export interface Search {
  /** Looks for everything again; while a search runs it is the same one. When it ends, in ms since 1970. */
  now(): number
  /** When the running search ends; undefined while none runs. */
  until(): number | undefined
  /** Networks that are searched, such as `192.168.1.20/24`. */
  networks(): string[]
  /** Datagrams that were not read, by reason, since the start. */
  refused(): Readonly<Record<Refusal | 'unread', number>>
  close(): Promise<void>
}

interface Parts {
  config: Settings
  /** ms since 1970. */
  now: () => number
  random?: () => number
  /** What node:os says of this machine's interfaces, and how often it is asked. */
  interfaces?: () => Interfaces
  netsMs?: number
  log: Log
  heard: (word: Word) => void
  /** What does not work now, one sentence each with what to do; empty when all does. */
  troubles: (all: readonly string[]) => void
  /** A search began or ended. */
  changed: () => void
  /** Something new found no room. */
  full?: () => void
}

const TICK_MS = 1000
const NETS_MS = 30_000
/** Answers are spread over three seconds (MX), and asked for twice because datagrams get lost. */
const ANSWERS = { seconds: 3, openMs: 6000, againMs: 1000 }
const SEARCH_MS = 8000
const FLOOD_QUIET_MS = 60_000

interface Asker {
  name: string
  title: string
  asks: readonly { bytes: Buffer; to: 'broadcast' | string }[]
  port: number
  read: Vendor['read']
}

interface Listener extends Omit<Asker, 'asks'> {
  groups: readonly string[]
}

export const openSearch = ({
  config,
  now,
  random = Math.random,
  interfaces = networkInterfaces,
  netsMs = NETS_MS,
  log,
  heard,
  troubles,
  changed,
  full = () => {},
}: Parts): Search => {
  const door = openDoor({ most: config.maxBytes, now })
  const records = openRecords({
    types: config.services,
    now,
    random,
    most: config.most,
    mostOfOne: config.mostOfOne,
    full,
  })
  const mdnsPort = config.ports.mdns ?? 5353
  const { listeners, askers } = protocolsOf(config)
  const failing = new Map<string, string>()
  const open = new Map<string, { net: Net; mdns?: Kept<MdnsLink>; links: Kept<Link>[] }>()
  const asking = new Set<{ close(): Promise<void>; timers: NodeJS.Timeout[] }>()
  let unread = 0
  let floodAt = -Infinity
  let floods = 0
  let startedAt = -Infinity
  let endTimer: NodeJS.Timeout | undefined
  let isClosed = false

  const tell = (): void => troubles([...failing.values()])
  const trouble = (key: string, what: string | undefined): void => {
    if (isClosed || failing.get(key) === what) return
    if (what === undefined) failing.delete(key)
    else failing.set(key, what)
    tell()
  }
  const troubleOf =
    (net: Net, title: string, port: number) =>
    (why: Error | undefined): void => {
      if (why !== undefined && !failing.has(`${net.address} ${title}`))
        log.warn('network.link_lost', { network: net.address, what: title, reason: reasonOf(why) })
      trouble(`${net.address} ${title}`, why === undefined ? undefined : sentenceOf(net, title, port, why))
    }
  const admits =
    (net: Net) =>
    (bytes: number, source: string): boolean =>
      door.admits(bytes, source, net)

  const askMdns = (questions: readonly Question[]): void => {
    if (questions.length > 0) for (const { mdns } of open.values()) mdns?.current()?.ask(questions, records.known())
  }
  const hear = (read: Vendor['read']) => (bytes: Buffer, from: { address: string }) => {
    const word = read(bytes, from.address, now())
    if (word === undefined) unread += 1
    else heard(word)
  }
  const openNet = (net: Net): void => {
    const mdns =
      config.services.length === 0
        ? undefined
        : keepLink<MdnsLink>({
            trouble: troubleOf(net, 'mDNS', mdnsPort),
            open: (events) =>
              openMdns({
                ...events,
                net,
                port: mdnsPort,
                admits: admits(net),
                heard: (answers, source) => {
                  for (const finding of records.take(answers, source)) heard({ kind: 'found', finding })
                },
                unread: () => {
                  unread += 1
                },
              }),
          })
    const links = listeners.map(({ title, port, groups, read }) =>
      keepLink<UdpLink>({
        trouble: troubleOf(net, title, port),
        open: (events) => openUdp({ ...events, net, port, groups, admits: admits(net), heard: hear(read) }),
      }),
    )
    open.set(keyOf(net), { net, ...(mdns === undefined ? {} : { mdns }), links })
  }
  const closeNet = async (key: string): Promise<void> => {
    const one = open.get(key)
    open.delete(key)
    for (const name of failing.keys()) if (name.startsWith(`${one?.net.address} `)) failing.delete(name)
    await Promise.all([one?.mdns?.close(), ...(one?.links ?? []).map((link) => link.close())])
  }
  const lookAtNets = (): void => {
    const { nets, missing } = netsOf(config.interfaces, interfaces())
    door.setNets(nets)
    const keys = new Set(nets.map(keyOf))
    const isNew = nets.some((net) => !open.has(keyOf(net)))
    for (const key of open.keys()) if (!keys.has(key)) void closeNet(key)
    for (const net of nets) if (!open.has(keyOf(net))) openNet(net)
    trouble(
      'missing',
      missing.length === 0
        ? undefined
        : `This machine does not have the address ${missing.join(', ')} now: correct plugins.network.interfaces.`,
    )
    trouble(
      'none',
      nets.length > 0 || missing.length > 0
        ? undefined
        : 'This machine has no private network address, so nothing is searched: name one in plugins.network.interfaces.',
    )
    if (isNew) begin()
  }

  /** Asks by sockets of its own that are open only as long as answers come. */
  const ask = (net: Net, { title, asks, port, read }: Asker): void => {
    const timers: NodeJS.Timeout[] = []
    const link = openUdp({
      net,
      port: 0,
      groups: [],
      admits: admits(net),
      heard: (bytes, from) => hear(read)(bytes, from),
      opened: () => {
        const say = (): void => {
          for (const { bytes, to } of asks) link.send(bytes, port, to === 'broadcast' ? net.broadcast : to)
        }
        say()
        timers.push(setTimeout(say, ANSWERS.againMs))
      },
      failed: (error) => troubleOf(net, `${title}, asking`, port)(error),
    })
    const one = { close: () => link.close(), timers }
    asking.add(one)
    timers.push(
      setTimeout(() => {
        asking.delete(one)
        trouble(`${net.address} ${title}, asking`, undefined)
        void link.close()
      }, ANSWERS.openMs),
    )
  }
  const askAll = (): void => {
    for (const { net } of open.values()) for (const asker of askers) ask(net, asker)
  }

  const browsing = doublingRounds(() => askMdns(records.browse()), random)
  const asked = steadyRounds(askAll, config.pauseMinutes * 60_000, random)
  const begin = (): number => {
    startedAt = now()
    records.restart()
    if (config.services.length > 0) browsing.restart()
    if (askers.length > 0) asked.restart()
    clearTimeout(endTimer)
    endTimer = setTimeout(changed, SEARCH_MS)
    changed()
    return startedAt + SEARCH_MS
  }

  const watchFlood = (): void => {
    const { flood } = door.refused()
    if (flood > floods) floodAt = now()
    floods = flood
    trouble(
      'flood',
      now() - floodAt > FLOOD_QUIET_MS
        ? undefined
        : 'More comes from the network than is read, so something may be missed: find out what floods it.',
    )
  }
  const tick = setInterval(() => {
    for (const key of records.sweep()) heard({ kind: 'ended', key, from: '' })
    askMdns(records.due())
    watchFlood()
  }, TICK_MS)
  const nets = setInterval(lookAtNets, netsMs)
  lookAtNets()
  if (open.size === 0) changed()

  return {
    now: () => (now() < startedAt + SEARCH_MS ? startedAt + SEARCH_MS : begin()),
    until: () => (now() < startedAt + SEARCH_MS ? startedAt + SEARCH_MS : undefined),
    networks: () => [...open.values()].map(({ net }) => `${net.address}/${net.prefix}`),
    refused: () => ({ ...door.refused(), unread }),
    async close() {
      isClosed = true
      clearInterval(tick)
      clearInterval(nets)
      clearTimeout(endTimer)
      browsing.stop()
      asked.stop()
      for (const { timers } of asking) timers.forEach(clearTimeout)
      await Promise.all([...[...asking].map((one) => one.close()), ...[...open.keys()].map(closeNet)])
      asking.clear()
    },
  }
}

const keyOf = ({ address, prefix }: Net): string => `${address}/${prefix}`

const sentenceOf = ({ address }: Net, title: string, port: number, error: Error): string =>
  'code' in error && error.code === 'EADDRINUSE'
    ? `${title} on ${address} is off: a program on this machine keeps UDP port ${port} to itself. Stop it, or leave ${title} out of plugins.network.`
    : `${title} on ${address} is off, and tried again: ${reasonOf(error)}.`

const protocolsOf = (config: Settings): { listeners: Listener[]; askers: Asker[] } => {
  const ssdpPort = config.ports.ssdp ?? SSDP.port
  const ssdp = { name: 'ssdp', title: 'SSDP', port: ssdpPort, read: readSsdp }
  const chosen = [...new Set(config.vendors)].map((id: VendorId) => ({
    ...VENDORS[id],
    name: id,
    port: config.ports[id] ?? VENDORS[id].port,
  }))
  return {
    listeners: [
      ...(config.ssdp.length > 0 ? [{ ...ssdp, groups: [SSDP.group] }] : []),
      ...chosen.filter(({ listens }) => listens),
    ],
    askers: [
      ...(config.ssdp.length > 0
        ? [
            {
              ...ssdp,
              asks: config.ssdp.map((target) => ({
                to: SSDP.group,
                bytes: searchMessage({ group: SSDP.group, port: SSDP.port, target, seconds: ANSWERS.seconds }),
              })),
            },
          ]
        : []),
      ...chosen.flatMap((vendor) =>
        vendor.ask === undefined ? [] : [{ ...vendor, asks: [{ to: vendor.ask.to, bytes: vendor.ask.bytes() }] }],
      ),
    ],
  }
}
