// The devices that are mirrored: each made of the announcements that stand for it, joined to the topics it reads, and taken away again.
import { type Capabilities, type ErrorReport, type Message, reasonOf } from '#hub/plugin'
import type { Announcement } from './announcement.ts'
import type { Claims, OwnTopics } from './claims.ts'
import { entityKey } from './entity-key.ts'
import type { Identity } from './identities.ts'
import { type Entity, type Mirror, openMirror, type Out } from './mirror.ts'
import type { Router } from './router.ts'
import { networks } from './zigbee.ts'

/** What stands on one discovery topic. */
export interface Entry {
  topic: string
  origin: string
  payload: Buffer
  device: MirroredDevice
  announcement: Announcement
  entities: Entity[]
  topics: OwnTopics
}

export interface MirroredDevice {
  identity: Identity
  mirror: Mirror
  entries: Map<string, Entry>
}

export interface FleetParts {
  command: Capabilities['native']['command']
  devices: Capabilities['devices']
  router: Router
  claims: Pick<Claims, 'guard'>
  /** ms a command may take to show. */
  patience: number
  now(): number
  say(out: Message<Out>): void
  report(error: Omit<ErrorReport, 'source'>): void
  mayPublish(origin: string, topic: string): boolean
}

export interface Fleet {
  readonly size: number
  readonly components: number
  has(id: string): boolean
  get(id: string): MirroredDevice | undefined
  of(identity: Identity): MirroredDevice | undefined
  /** A new device of this identity; `name` is what its id is made from. Throws as `devices.claim` does. */
  open(identity: Identity, name: string): MirroredDevice
  /** Its announcements are others now: it is made anew by `settle`. */
  change(device: MirroredDevice): void
  /** The device is no more: nothing of it stays, here or in the registry. */
  close(device: MirroredDevice, why: string): void
  /** Makes changed devices anew until the time given, and publishes what they are; true when some are left. */
  settle(until: number): boolean
  readonly changed: number
  /** Does what is due, and gives the devices that a person took out of the registry. */
  due(at: number): MirroredDevice[]
  forget(id: string): void
  /** Answers what is open. */
  end(why: string): void
}

export const openFleet = (parts: FleetParts): Fleet => {
  const { devices, router, claims, now } = parts
  const byIdentity = new Map<string, MirroredDevice>()
  const byId = new Map<string, MirroredDevice>()
  const dirty = new Set<MirroredDevice>()
  const busy = new Set<Mirror>()

  const forget = (id: string): void => {
    devices
      .forget(id)
      .catch((error: unknown) =>
        parts.report({ type: 'NotForgotten', severity: 'error', message: `'${id}': ${reasonOf(error)}` }),
      )
  }

  /** Makes a device what its announcements say; gives the topics that are new, whose retained words are to be heard. */
  const rebuild = ({ mirror, identity, entries }: MirroredDevice): ReadonlySet<string> => {
    const before = mirror.topics
    const sorted = [...entries.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1))
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
    entities.push(...networks(entities, (topic) => parts.mayPublish(identity.origin, topic)))
    const fresh = mirror.become({ ...about, ...(name === undefined ? {} : { name }) }, entities)
    // Joined before left: a first level that stays in use keeps its subscription.
    router.join(mirror.topics, mirror.hear)
    router.leave(
      [...before].filter((topic) => !mirror.topics.has(topic)),
      mirror.hear,
    )
    return fresh
  }

  return {
    get size() {
      return byId.size
    },
    get components() {
      return [...byId.values()].reduce((sum, { mirror }) => sum + mirror.entities, 0)
    },
    get changed() {
      return dirty.size
    },
    has: (id) => byId.has(id),
    get: (id) => byId.get(id),
    of: (identity) => byIdentity.get(identity.key),

    open(identity, name) {
      const id = devices.idFor({ key: identity.key, name })
      devices.claim(id)
      const mirror = openMirror({
        id,
        now,
        say: parts.say,
        command: parts.command,
        patience: parts.patience,
        wake: () => busy.add(mirror),
      })
      const device: MirroredDevice = { identity, mirror, entries: new Map() }
      byIdentity.set(identity.key, device)
      byId.set(id, device)
      return device
    },

    change: (device) => void dirty.add(device),

    close(device, why) {
      const { mirror, identity } = device
      mirror.end(why)
      router.leave(mirror.topics, mirror.hear)
      busy.delete(mirror)
      dirty.delete(device)
      byIdentity.delete(identity.key)
      byId.delete(mirror.id)
      if (devices.ownerOf(mirror.id) !== undefined) forget(mirror.id)
    },

    settle(until) {
      const shown: Mirror[] = []
      const seeded = new Set<string>()
      for (const device of [...dirty]) {
        dirty.delete(device)
        for (const topic of rebuild(device)) seeded.add(topic)
        shown.push(device.mirror)
        if (performance.now() >= until) break
      }
      if (shown.length > 0) {
        // Guarded before anybody knows of them.
        claims.guard()
        if (seeded.size > 0) router.seed(seeded)
        for (const mirror of shown) mirror.show()
      }
      return dirty.size > 0
    },

    due(at) {
      for (const mirror of busy) if (!mirror.due(at)) busy.delete(mirror)
      return [...byId.values()].filter(({ mirror }) => devices.ownerOf(mirror.id) === undefined)
    },

    forget,

    end(why) {
      for (const { mirror } of byId.values()) mirror.end(why)
    },
  }
}
