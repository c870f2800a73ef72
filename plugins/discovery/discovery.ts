// Takes announcements in: reads and checks them, says what is refused, follows renames and removals, forgets what is gone.
import {
  type Capabilities,
  type ErrorReport,
  type HealthWord,
  type Message,
  type NativeMessage,
  type Payload,
  reasonOf,
} from '#hub/plugin'
import { type Announcement, line, readAnnouncement, Refused } from './announcement.ts'
import { openClaims, type OwnTopics } from './claims.ts'
import { type Entry, openFleet } from './fleet.ts'
import { type Identities, openIdentities } from './identities.ts'
import { openInbox } from './inbox.ts'
import type { Entity, Out } from './mirror.ts'
import { openPace } from './pace.ts'
import { componentOf } from './platforms.ts'
import { openRefusals } from './refusals.ts'
import { assertOwn, isOutside } from './rights.ts'
import { openRouter } from './router.ts'
import { openTasmotaSensors } from './tasmota-sensors.ts'
import { readTasmota } from './tasmota.ts'
import { type DiscoveryTopic, discoveryTopic, isOfHub } from './topics-of.ts'

export interface DiscoveryParts {
  native: Capabilities['native']
  devices: Capabilities['devices']
  memory: Capabilities['memory']
  /** The hub's own topic prefix, without the slash. */
  hub: string
  /** Prefix of discovery topics. */
  prefix: string
  /** Devices of one origin, and components of one device. */
  most: { devices: number; components: number }
  /** ms a command may take to show. */
  patience: number
  /** Whether what another broker brings is taken. */
  outside: boolean
  now(): number
  say(out: Message<Out>): void
  report(error: Omit<ErrorReport, 'source'>): void
  health(word: HealthWord, what?: string): void
  /** Something worth a line in the log. */
  inform(event: string, fields: object): void
  /** ms after the start when devices that nobody announced any more are forgotten. */
  sweepAfter?: number
}

export interface Discovery {
  obey(device: string, command: Payload<'devices/{device}/cmd'>): void
  /** Devices and components that are mirrored, announcements that wait, topics that are read, identities refused. */
  readonly size: { devices: number; components: number; waiting: number; topics: number; refused: number }
  close(): Promise<void>
}

/** The record is of a hub's own export. */
class OfHub extends Error {}

const NOTHING = Buffer.alloc(0)
const MAX_DEVICES = 5000
const MAX_PASSED = 100
const MAX_BYTES = 131_072
const MAX_BYTES_OF_ONE = 67_108_864
const TICK_MS = 100
const SWEEP_MS = 60_000

const guess = (found: DiscoveryTopic): string => (found.form === 'tasmota' ? found.mac : found.key)

export const openDiscovery = async (parts: DiscoveryParts): Promise<Discovery> => {
  const { native, devices, hub, prefix, most, now, report } = parts
  const refusals = openRefusals(report, now)
  const identities: Identities = await openIdentities(parts.memory, now(), (reason) =>
    report({
      type: 'NotRemembered',
      severity: 'error',
      category: 'database',
      message: `Who announced which device could not be stored, and is forgotten when the hub stops: ${reason}`,
    }),
  )
  const router = openRouter(native, now)
  const claims = openClaims(native)
  const pace = openPace(now, most.devices)
  const entries = new Map<string, Entry>()
  const sensors = openTasmotaSensors(most.devices)
  /** Origins that brought records of a hub. */
  const passed = new Set<string>()
  let told = ''

  const mayPublish = (origin: string, topic: string): boolean =>
    isOutside(origin) || native.may(origin, 'publish', topic)
  const fleet = openFleet({
    command: native.command,
    devices,
    router,
    claims,
    patience: parts.patience,
    now,
    say: parts.say,
    report,
    mayPublish,
  })

  const remove = (entry: Entry): void => {
    claims.drop(entry)
    entries.delete(entry.topic)
    entry.device.entries.delete(entry.topic)
    identities.record(entry.device.identity, entry.topic, NOTHING)
    if (entry.device.entries.size > 0) return fleet.change(entry.device)
    fleet.close(entry.device, 'the device took back its announcement')
    identities.release(entry.device.identity)
  }

  const read = (found: DiscoveryTopic, { payload, origin }: NativeMessage): Announcement | undefined => {
    if (found.form === 'tasmota') {
      return readTasmota(payload, sensors.of(found.mac, origin), found.mac)
    }
    const single = found.form === 'single' ? { platform: line(found.platform, 40) ?? '', key: found.key } : undefined
    return readAnnouncement(payload, single, { bytes: MAX_BYTES, components: most.components })
  }

  /** The topics an announcement names, apart from what its earlier version named. Throws Refused, also when there is no room for it. */
  const ownTopics = (
    { origin, payload }: NativeMessage,
    entities: readonly Entity[],
    old: Entry | undefined,
  ): OwnTopics => {
    if (old !== undefined) claims.drop(old)
    try {
      if (claims.bytesOf(origin) + payload.length > MAX_BYTES_OF_ONE)
        throw new Refused(`its announcements have more than ${MAX_BYTES_OF_ONE} bytes in all`, 'AnnouncementTooLarge')
      return assertOwn(origin, entities, { native, hub, prefix, claims })
    } finally {
      if (old !== undefined) claims.add(old)
    }
  }

  /** Takes an announcement in. Throws Refused and OfHub; then nothing has changed. */
  const accept = (found: DiscoveryTopic, said: NativeMessage): void => {
    const { topic, origin, payload } = said
    const old = entries.get(topic)
    if (old?.payload.equals(payload) === true && found.form !== 'tasmota') return
    if (!mayPublish(origin, topic))
      throw new Refused(`${origin} has no right to publish there any more`, 'ForeignTopic')
    const announcement = read(found, said)
    if (announcement === undefined) return
    const named = announcement.device.identifiers
    if (isOfHub(topic.slice(prefix.length), named)) throw new OfHub()
    const identifiers = named.length > 0 ? named : [`topic:${topic}`]
    const foreign = identities.foreign(identifiers, origin)
    if (foreign !== undefined) throw new Refused(`the device is announced by ${foreign} already`, 'ForeignIdentity')
    const known = identities.find(identifiers)
    if (said.retained && (known === undefined || !identities.stood(known, topic, payload))) {
      inbox.putOff(said)
      return
    }
    const entities = announcement.components.map(({ key, platform, fields }): Entity => ({
      key,
      ...nameOf(line(fields['name'])),
      component: componentOf({ key, platform, fields }),
      fields,
    }))
    const topics = ownTopics(said, entities, old)
    const there = known === undefined ? undefined : fleet.of(known)
    const others = [...(there?.entries.values() ?? [])].filter((entry) => entry.topic !== topic)
    const total = others.reduce((sum, entry) => sum + entry.entities.length, entities.length)
    if (total > most.components)
      throw new Refused(
        `its device has ${total} components; at most ${most.components} are taken`,
        'AnnouncementTooLarge',
      )
    if (known === undefined) {
      if (identities.count(origin) >= most.devices || fleet.size >= MAX_DEVICES)
        throw new Refused(`it has ${most.devices} devices already, or the hub ${MAX_DEVICES}`, 'AnnouncementTooLarge')
      if (!pace.newDevice(origin)) throw new Refused('it announces new devices too fast', 'AnnouncementTooFast')
    }
    if (announcement.components.length === 0) {
      if (old !== undefined) remove(old)
      return
    }
    const identity = identities.take(origin, identifiers)
    let device
    try {
      device =
        there ?? fleet.open(identity, announcement.device.name ?? announcement.components[0]?.key ?? guess(found))
    } catch (error) {
      if (known === undefined) identities.release(identity)
      throw error
    }
    device.identity = identity
    if (old !== undefined && old.device !== device) remove(old)
    if (old !== undefined && old.device === device) claims.drop(old)
    const entry: Entry = { topic, origin, payload, device, announcement, entities, topics }
    claims.add(entry)
    identities.record(identity, topic, payload)
    entries.set(topic, entry)
    device.entries.set(topic, entry)
    fleet.change(device)
  }

  /** Records of hubs are no devices, and no offence. */
  const passOver = ({ origin, topic }: NativeMessage): void => {
    if (passed.has(origin) || passed.size >= MAX_PASSED) return
    passed.add(origin)
    parts.inform('records-of-a-hub-passed-over', { origin, topic: line(topic, 200) })
  }

  const announced = (found: DiscoveryTopic, said: NativeMessage): void => {
    const { topic, origin, payload } = said
    const old = entries.get(topic)
    if (origin.startsWith('plugin:') || (isOutside(origin) && !parts.outside)) return
    if (old !== undefined && old.origin !== origin) {
      refusals.refuse({ origin, topic, reason: `this record is ${old.origin}'s`, type: 'ForeignIdentity' })
      return
    }
    if (!said.retained && !pace.announcement(origin)) {
      refusals.refuse({
        origin,
        topic,
        reason: 'it announces too fast; announce it again later',
        type: 'AnnouncementTooFast',
      })
      return
    }
    if (payload.length === 0) {
      if (old !== undefined) remove(old)
      return
    }
    try {
      accept(found, said)
    } catch (error) {
      // What stood there is replaced by what was refused, so it stands no more.
      if (old !== undefined && entries.get(topic) === old) remove(old)
      if (error instanceof OfHub) return passOver(said)
      refusals.refuse({
        origin,
        topic,
        ...(error instanceof Refused
          ? { reason: error.message, type: error.type }
          : { reason: reasonOf(error), type: 'AnnouncementRefused' }),
      })
    }
  }

  /** A Tasmota device says what it measures in a record of its own; the device is read again with it. */
  const measured = (mac: string, said: NativeMessage): void => {
    const { origin, payload } = said
    const config = `tasmota/discovery/${mac.toUpperCase()}/config`
    const entry = entries.get(config)
    if (payload.length > 0 && !pace.announcement(origin)) return
    sensors.keep(mac, said)
    if (entry === undefined || entry.origin !== origin) return
    announced({ form: 'tasmota', mac, leaf: 'config' }, { ...said, topic: config, payload: entry.payload })
  }

  const look = (said: NativeMessage): void => {
    const found = discoveryTopic(said.topic, prefix)
    if (found === undefined) return
    if (found.form === 'tasmota' && found.leaf === 'sensors') measured(found.mac, said)
    else announced(found, said)
  }

  const tellHealth = (): void => {
    const hubs = passed.size === 0 ? '' : ' What hubs announce of their own devices is passed over.'
    const what = `${fleet.size} devices announced themselves.${hubs}`
    if (what === told) return
    told = what
    parts.health('healthy', what)
  }

  const inbox = openInbox({
    look,
    settle: fleet.settle,
    turned(isDone) {
      claims.guard()
      if (isDone) tellHealth()
    },
    refuse: ({ origin, topic }, reason) => refusals.refuse({ origin, topic, reason, type: 'AnnouncementTooFast' }),
  })
  const queue = (said: NativeMessage): void => {
    if (discoveryTopic(said.topic, prefix) !== undefined) inbox.put(said)
  }

  const tick = setInterval(() => {
    for (const device of fleet.due(now())) {
      // A person took the device out of the registry: it comes back when it announces itself again.
      for (const entry of device.entries.values()) {
        claims.drop(entry)
        entries.delete(entry.topic)
      }
      fleet.close(device, 'the device was forgotten')
      identities.release(device.identity)
      claims.guard()
      tellHealth()
    }
  }, TICK_MS)

  /** What an earlier run mirrored and nobody announces any more. Who it belonged to stays known. */
  const sweep = setTimeout(() => {
    for (const { id, owner } of devices.list()) if (owner === 'plugin:discovery' && !fleet.has(id)) fleet.forget(id)
  }, parts.sweepAfter ?? SWEEP_MS)

  const heard = [native.hear(`${prefix}/#`).subscribe(queue), native.hear('tasmota/discovery/#').subscribe(queue)]
  tellHealth()

  return {
    obey: (device, command) => fleet.get(device)?.mirror.obey(command),
    get size() {
      return {
        devices: fleet.size,
        components: fleet.components,
        waiting: inbox.size + fleet.changed,
        topics: router.size,
        refused: refusals.count,
      }
    },
    async close() {
      for (const one of heard) one.unsubscribe()
      inbox.close()
      clearInterval(tick)
      clearTimeout(sweep)
      fleet.end('the hub stops mirroring it')
      router.close()
      native.guard(new Set())
      await identities.close()
    },
  }
}

const nameOf = (name: string | undefined): { name?: string } => (name === undefined ? {} : { name })
