// Keeps the hub's devices as the announcements have them: reads, checks, mirrors, follows renames and removals, forgets what is gone.
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
import { componentOf } from './platforms.ts'
import { entityKey } from './entity-key.ts'
import { type Identities, type Identity, openIdentities } from './identities.ts'
import { type Entity, type Mirror, openMirror, type Out } from './mirror.ts'
import { openPace } from './pace.ts'
import { openRefusals } from './refusals.ts'
import { assertOwn, isOutside } from './rights.ts'
import { openRouter } from './router.ts'
import { readTasmota } from './tasmota.ts'
import { type DiscoveryTopic, discoveryTopic, isOfHub } from './topics-of.ts'
import { networks } from './zigbee.ts'

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

/** What stands on one discovery topic. */
interface Entry {
  topic: string
  origin: string
  payload: Buffer
  device: Device
  announcement: Announcement
  entities: Entity[]
  topics: OwnTopics
}

interface Device {
  identity: Identity
  mirror: Mirror
  entries: Map<string, Entry>
}

/** The record is of a hub's own export. */
class OfHub extends Error {}

const NOTHING = Buffer.alloc(0)
const MAX_DEVICES = 5000
const MAX_PASSED = 100
const MAX_WAITING = 20_000
const MAX_BYTES = 131_072
const MAX_SENSORS_BYTES = 8192
/** A slice of work holds the event loop no longer than this, ms. */
const SLICE_MS = 12
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
  const byIdentity = new Map<string, Device>()
  const byId = new Map<string, Device>()
  /** Announcements not looked at yet, the latest of each topic. */
  const waiting = new Map<string, NativeMessage>()
  /** Retained records that did not stand in an earlier run: they wait for those that did. */
  const later = new Map<string, NativeMessage>()
  const dirty = new Set<Device>()
  const busy = new Set<Mirror>()
  const tasmotaSensors = new Map<string, { origin: string; bytes: Buffer }>()
  /** Origins that brought records of a hub. */
  const passed = new Set<string>()
  let timer: NodeJS.Immediate | undefined
  let told = ''

  const mayPublish = (origin: string, topic: string): boolean =>
    isOutside(origin) || native.may(origin, 'publish', topic)
  const openDevice = (identity: Identity, announcement: Announcement, topic: DiscoveryTopic): Device => {
    const name = announcement.device.name ?? announcement.components[0]?.key ?? guess(topic)
    const id = devices.idFor({ key: identity.key, name })
    devices.claim(id)
    const mirror = openMirror({
      id,
      now,
      say: parts.say,
      command: native.command,
      patience: parts.patience,
      wake: () => busy.add(mirror),
    })
    const device: Device = { identity, mirror, entries: new Map() }
    byIdentity.set(identity.key, device)
    byId.set(id, device)
    return device
  }

  /** The device is no more: nothing of it stays, here or in the registry. */
  const closeDevice = (device: Device, why: string): void => {
    const { mirror, identity } = device
    mirror.end(why)
    router.leave(mirror.topics, mirror.hear)
    busy.delete(mirror)
    dirty.delete(device)
    byIdentity.delete(identity.key)
    byId.delete(mirror.id)
    if (devices.ownerOf(mirror.id) === undefined) return
    devices
      .forget(mirror.id)
      .catch((error: unknown) =>
        report({ type: 'NotForgotten', severity: 'error', message: `'${mirror.id}': ${reasonOf(error)}` }),
      )
  }

  const remove = (entry: Entry): void => {
    claims.drop(entry.origin, entry.topics)
    entries.delete(entry.topic)
    entry.device.entries.delete(entry.topic)
    identities.record(entry.device.identity, entry.topic, NOTHING)
    if (entry.device.entries.size > 0) return void dirty.add(entry.device)
    closeDevice(entry.device, 'the device took back its announcement')
    identities.release(entry.device.identity)
  }

  const read = (found: DiscoveryTopic, { payload, origin }: NativeMessage): Announcement | undefined => {
    if (found.form === 'tasmota') {
      const measures = tasmotaSensors.get(found.mac)
      return readTasmota(payload, measures?.origin === origin ? measures.bytes : undefined, found.mac)
    }
    const single = found.form === 'single' ? { platform: line(found.platform, 40) ?? '', key: found.key } : undefined
    return readAnnouncement(payload, single, { bytes: MAX_BYTES, components: most.components })
  }

  /** The topics an announcement names, apart from what its earlier version named. Throws Refused. */
  const ownTopics = (origin: string, entities: readonly Entity[], old: Entry | undefined): OwnTopics => {
    if (old !== undefined) claims.drop(origin, old.topics)
    try {
      return assertOwn(origin, entities, { native, hub, prefix, claims })
    } finally {
      if (old !== undefined) claims.add(origin, old.topics)
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
      later.set(topic, said)
      return
    }
    const entities = announcement.components.map(({ key, platform, fields }): Entity => ({
      key,
      ...nameOf(line(fields['name'])),
      component: componentOf({ key, platform, fields }),
      fields,
    }))
    const topics = ownTopics(origin, entities, old)
    const there = known === undefined ? undefined : byIdentity.get(known.key)
    const others = [...(there?.entries.values() ?? [])].filter((entry) => entry.topic !== topic)
    const total = others.reduce((sum, entry) => sum + entry.entities.length, entities.length)
    if (total > most.components)
      throw new Refused(
        `its device has ${total} components; at most ${most.components} are taken`,
        'AnnouncementTooLarge',
      )
    if (known === undefined) {
      if (identities.count(origin) >= most.devices || byIdentity.size >= MAX_DEVICES)
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
      device = there ?? openDevice(identity, announcement, found)
    } catch (error) {
      if (known === undefined) identities.release(identity)
      throw error
    }
    device.identity = identity
    if (old !== undefined && old.device !== device) remove(old)
    if (old !== undefined && old.device === device) claims.drop(origin, old.topics)
    const entry: Entry = { topic, origin, payload, device, announcement, entities, topics }
    claims.add(origin, topics)
    identities.record(identity, topic, payload)
    entries.set(topic, entry)
    device.entries.set(topic, entry)
    dirty.add(device)
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
    if (payload.length === 0) tasmotaSensors.delete(mac)
    else if (tasmotaSensors.size < MAX_DEVICES && payload.length <= MAX_SENSORS_BYTES && pace.announcement(origin))
      tasmotaSensors.set(mac, { origin, bytes: payload })
    if (entry === undefined || entry.origin !== origin) return
    announced({ form: 'tasmota', mac, leaf: 'config' }, { ...said, topic: config, payload: entry.payload })
  }

  const look = (said: NativeMessage): void => {
    const found = discoveryTopic(said.topic, prefix)
    if (found === undefined) return
    if (found.form === 'tasmota' && found.leaf === 'sensors') measured(found.mac, said)
    else announced(found, said)
  }

  /** Makes a device what its announcements say, and reads what is retained on topics that are new. */
  const rebuild = (device: Device): ReadonlySet<string> => {
    const { mirror, entries: own } = device
    const before = mirror.topics
    const sorted = [...own.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1))
    const keys = new Set<string>()
    const entities = sorted.flatMap((entry) =>
      entry.entities.map((entity) => ({ ...entity, key: entityKey(entity.key, entity.component.platform, keys) })),
    )
    // What one announcement leaves out another may say.
    const about = sorted.reduce<Announcement['device']>(
      (all, { announcement }) => ({ ...all, ...announcement.device }),
      { identifiers: [] },
    )
    const name = about.name ?? entities[0]?.name
    entities.push(...networks(entities, (topic) => mayPublish(device.identity.origin, topic)))
    const fresh = mirror.become({ ...about, ...(name === undefined ? {} : { name }) }, entities)
    // Joined before left: a first level that stays in use keeps its subscription.
    router.join(mirror.topics, mirror.hear)
    router.leave(
      [...before].filter((topic) => !mirror.topics.has(topic)),
      mirror.hear,
    )
    return fresh
  }

  const settle = (until: number): void => {
    const shown: Mirror[] = []
    const seeded = new Set<string>()
    for (const device of [...dirty]) {
      dirty.delete(device)
      for (const topic of rebuild(device)) seeded.add(topic)
      shown.push(device.mirror)
      if (performance.now() >= until) break
    }
    if (shown.length === 0) return
    // Guarded before anybody knows of them.
    claims.guard()
    if (seeded.size > 0) router.seed(seeded)
    for (const mirror of shown) mirror.show()
  }

  const tellHealth = (): void => {
    const hubs = passed.size === 0 ? '' : ' What hubs announce of their own devices is passed over.'
    const what = `${byId.size} devices announced themselves.${hubs}`
    if (what === told) return
    told = what
    parts.health('healthy', what)
  }

  const work = (): void => {
    timer = undefined
    const until = performance.now() + SLICE_MS
    for (const [topic, said] of waiting) {
      waiting.delete(topic)
      look(said)
      if (performance.now() >= until) break
    }
    if (waiting.size === 0) settle(until + SLICE_MS)
    if (waiting.size === 0 && later.size > 0) {
      for (const [topic, said] of later) waiting.set(topic, { ...said, retained: false })
      later.clear()
    }
    claims.guard()
    if (waiting.size > 0 || dirty.size > 0) timer = setImmediate(work)
    else tellHealth()
  }

  const queue = (said: NativeMessage): void => {
    if (discoveryTopic(said.topic, prefix) === undefined) return
    if (waiting.size >= MAX_WAITING && !waiting.has(said.topic)) {
      refusals.refuse({
        ...said,
        reason: 'too many announcements wait; announce it again later',
        type: 'AnnouncementTooFast',
      })
      return
    }
    // Another's word on the same record does not displace the owner's before it was looked at.
    const earlier = waiting.get(said.topic)
    if (earlier !== undefined && earlier.origin !== said.origin) look(earlier)
    later.delete(said.topic)
    waiting.delete(said.topic)
    waiting.set(said.topic, said)
    timer ??= setImmediate(work)
  }

  const tick = setInterval(() => {
    const at = now()
    for (const mirror of busy) if (!mirror.due(at)) busy.delete(mirror)
    for (const device of [...byId.values()])
      // A person took the device out of the registry: it comes back when it announces itself again.
      if (devices.ownerOf(device.mirror.id) === undefined) {
        for (const entry of device.entries.values()) {
          claims.drop(entry.origin, entry.topics)
          entries.delete(entry.topic)
        }
        closeDevice(device, 'the device was forgotten')
        identities.release(device.identity)
        claims.guard()
        tellHealth()
      }
  }, TICK_MS)

  /** What an earlier run mirrored and nobody announces any more. Who it belonged to stays known. */
  const sweep = setTimeout(() => {
    for (const { id, owner } of devices.list())
      if (owner === 'plugin:discovery' && !byId.has(id))
        devices
          .forget(id)
          .catch((error: unknown) =>
            report({ type: 'NotForgotten', severity: 'error', message: `'${id}': ${reasonOf(error)}` }),
          )
  }, parts.sweepAfter ?? SWEEP_MS)

  const heard = [native.hear(`${prefix}/#`).subscribe(queue), native.hear('tasmota/discovery/#').subscribe(queue)]
  tellHealth()

  return {
    obey: (device, command) => byId.get(device)?.mirror.obey(command),
    get size() {
      const components = [...byId.values()].reduce((sum, { mirror }) => sum + mirror.entities, 0)
      return {
        devices: byId.size,
        components,
        waiting: waiting.size + dirty.size,
        topics: router.size,
        refused: refusals.count,
      }
    },
    async close() {
      for (const one of heard) one.unsubscribe()
      clearImmediate(timer)
      clearInterval(tick)
      clearTimeout(sweep)
      for (const { mirror } of byId.values()) mirror.end('the hub stops mirroring it')
      router.close()
      native.guard(new Set())
      await identities.close()
    },
  }
}

const nameOf = (name: string | undefined): { name?: string } => (name === undefined ? {} : { name })
