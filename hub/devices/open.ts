// Opens the registry of devices: what each said of itself, whether it is there, and the one principal that may write it.
import type { Subscription } from 'rxjs'
import type { Access } from '../access/access.ts'
import { type Verdict, YES, no } from '../broker/broker.ts'
import type { Bus } from '../bus/bus.ts'
import type { Envelope } from '../bus/envelope.ts'
import { HUB, type Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Recoverable, reasonOf } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import type { Store } from '../store/store.ts'
import { core, DeviceId } from '../topics/core.ts'
import type { AboutDevice, Device, Devices } from './devices.ts'
import { freeId } from './names.ts'
import { openSaver } from './saver.ts'

/** More devices than this are not registered: the newest are refused, with an error event. */
const MAX_DEVICES = 10_000
/** `lastSeen` reaches the table at most this often. */
const SEEN_EVERY_MS = 30_000
const DEEP_EDGE = { dropOldest: 10_000 }
/** What an owner publishes; requests, commands and results are no sign of life. */
const OWN = new Set(['about', 'state', 'online', 'telemetry', 'event', 'ack'])

export interface DevicesParts {
  bus: Bus
  store: Pick<Store, 'db'>
  clock: Clock
  log: Log
  health: Health
  /** Topic prefix without the slash at its end. */
  prefix: string
  /** Owners known from credentials issued before the registry was there. */
  access?: Pick<Access, 'credentials'>
  /** Clears a retained topic; by default publishes an empty payload in the owner's name, the only one the rights know for it. */
  clear?: (topic: string, owner: string) => void
}

export interface OpenDevices extends Devices {
  /** May this origin write the device's own topics? Nobody but its owner; before there is one, whoever the rights allow. */
  mayWrite(origin: string, id: string): Verdict
  /** Resolves when owners and names given so far are on disk. */
  flush(): Promise<void>
}

interface Known {
  about?: AboutDevice
  state: Record<string, unknown>
  /** What `devices/{device}/online` said; undefined while it said nothing. */
  online?: boolean
  owner?: string
  firstSeen: number
  lastSeen: number
  savedSeen: number
}

/** Reads the tables and the retained set, then listens. */
export const openDevices = async (parts: DevicesParts): Promise<OpenDevices> => {
  const { bus, store, clock, log, health, prefix } = parts
  const known = new Map<string, Known>()
  const names = new Map<string, string>()
  const named = new Set<string>()
  const saver = openSaver(store.db, health)
  const clear =
    parts.clear ??
    ((topic: string, owner: string) => void bus.publishBytes(principalFrom(owner), topic, Buffer.alloc(0)))
  let full = false

  const at = (id: string): Known | undefined => {
    const found = known.get(id)
    if (found !== undefined) return found
    if (known.size >= MAX_DEVICES) {
      if (!full) {
        health.report({
          source: 'devices',
          type: 'RegistryFull',
          severity: 'error',
          category: 'resource',
          message: `The hub keeps at most ${MAX_DEVICES} devices, so '${id}' is not registered. Forget devices that are gone (DELETE /api/devices/<id>).`,
        })
      }
      full = true
      return undefined
    }
    const fresh: Known = { state: {}, firstSeen: clock.now(), lastSeen: 0, savedSeen: 0 }
    known.set(id, fresh)
    return fresh
  }

  const save = (id: string, device: Known): void => {
    if (device.owner === undefined) return
    device.savedSeen = device.lastSeen
    saver.device(id, {
      id,
      owner: device.owner,
      kind: device.about?.kind ?? '',
      name: device.about?.name ?? '',
      first_seen: device.firstSeen,
      last_seen: device.lastSeen,
    })
  }

  const claim = (id: string, owner: string): void => {
    if (!DeviceId.safeParse(id).success)
      throw new Recoverable('VALIDATION_ERROR', `'${id}' is no device id: use a-z, 0-9 and _, at most 63.`, {
        field: 'device',
        value: id,
      })
    const device = at(id)
    if (device === undefined)
      throw new Recoverable('CONFLICT', `The registry is full (${MAX_DEVICES} devices): forget some first.`)
    if (device.owner === owner) return
    if (device.owner !== undefined) {
      throw new Recoverable(
        'CONFLICT',
        `Device '${id}' belongs to ${device.owner}. Choose another id, or forget the device first (DELETE /api/devices/${id}).`,
        { field: 'device', value: id, owner: device.owner },
      )
    }
    device.owner = owner
    save(id, device)
    log.info('device-owned', { device: id, owner })
  }

  /** True when `origin` owns the device, or now becomes its owner. */
  const belongs = (id: string, origin: string): boolean => {
    const owner = known.get(id)?.owner
    if (owner !== undefined) return owner === origin
    try {
      claim(id, origin)
      return true
    } catch (error) {
      health.report({
        source: 'devices',
        type: 'DeviceRefused',
        severity: 'warning',
        message: reasonOf(error),
        category: 'validation',
      })
      return false
    }
  }

  const learnAbout = (id: string, about: AboutDevice, device = at(id)): void => {
    if (device === undefined) return
    const renamed = device.about?.name !== about.name || device.about.kind !== about.kind
    device.about = about
    if (renamed) save(id, device)
  }

  const restore = async (): Promise<void> => {
    for (const row of await store.db.selectFrom('devices').selectAll().execute()) {
      const lastSeen = Number(row.last_seen)
      known.set(row.id, {
        state: {},
        owner: row.owner,
        firstSeen: Number(row.first_seen),
        lastSeen,
        savedSeen: lastSeen,
      })
    }
    for (const row of await store.db.selectFrom('device_names').selectAll().execute()) {
      names.set(`${row.by}\0${row.key}`, row.id)
      named.add(row.id)
    }
    for (const { device } of (await parts.access?.credentials()) ?? []) belongs(device, `device:${device}`)
    for (const leaf of ['about', 'state', 'online'] as const) {
      for (const envelope of bus.retained(`${prefix}/devices/+/${leaf}`)) recall(leaf, envelope)
    }
  }

  /** Takes over a retained message of an earlier run. Its writer was judged when it came in. */
  const recall = (leaf: 'about' | 'state' | 'online', { topic, payload, bad, origin }: Envelope): void => {
    const id = topic.slice(prefix.length + 1).split('/')[1] ?? ''
    const value = bad ? undefined : parsed(payload)
    if (value === undefined || !DeviceId.safeParse(id).success) return
    const device = at(id)
    if (device === undefined) return
    if (device.owner === undefined && /^(device|plugin):/.test(origin)) belongs(id, origin)
    const row = `devices/{device}/${leaf}` as const
    const checked = core[row].payload.safeParse(value)
    if (!checked.success) return
    if (row === 'devices/{device}/about') learnAbout(id, core[row].payload.parse(value), device)
    else if (row === 'devices/{device}/state') device.state = core[row].payload.parse(value)
    else device.online = core[row].payload.parse(value)
  }

  const foreign = (id: string, origin: string, leaf: string): void =>
    health.report({
      source: 'devices',
      type: 'ForeignWriter',
      severity: 'warning',
      category: 'validation',
      message: `${origin} wrote devices/${id}/${leaf}, but the device belongs to ${known.get(id)?.owner ?? 'nobody'}; ignored.`,
    })

  /** The device, when `origin` may write it. State may come before the first `about`; it fixes no owner. */
  const mine = (id: string, origin: string, leaf: string): Known | undefined => {
    if (!DeviceId.safeParse(id).success) return undefined
    const owner = known.get(id)?.owner
    if (owner === undefined || owner === origin) return at(id)
    foreign(id, origin, leaf)
    return undefined
  }

  await restore()
  const heard: Subscription[] = [
    bus
      .from('devices/{device}/about', { name: 'devices', overload: DEEP_EDGE })
      .subscribe(({ params: { device: id }, payload, origin }) => {
        if (!DeviceId.safeParse(id).success || !belongs(id, origin)) return foreign(id, origin, 'about')
        learnAbout(id, payload)
      }),
    bus
      .from('devices/{device}/state', { name: 'devices', overload: DEEP_EDGE })
      .subscribe(({ params: { device: id }, payload, origin }) => {
        const device = mine(id, origin, 'state')
        if (device) device.state = payload
      }),
    bus
      .from('devices/{device}/online', { name: 'devices', overload: DEEP_EDGE })
      .subscribe(({ params: { device: id }, payload, origin }) => {
        const device = mine(id, origin, 'online')
        if (device) device.online = payload
      }),
  ]
  const head = `${prefix}/devices/`
  const unsee = bus.raw(
    `${head}+/+`,
    { name: 'devices', overload: DEEP_EDGE },
    ({ topic, origin, at: stamp, payload }) => {
      const slash = topic.indexOf('/', head.length)
      const leaf = topic.slice(slash + 1)
      if (!OWN.has(leaf)) return
      const device = known.get(topic.slice(head.length, slash))
      // A last will speaks for a device that is gone.
      if (device === undefined || (device.owner !== undefined && device.owner !== origin && origin !== 'hub')) return
      if (payload.length === 0) return cleared(device, leaf)
      if (leaf === 'online' && payload.toString() === 'false') return
      device.lastSeen = stamp
    },
  )
  const saveSeen = () => {
    for (const [id, device] of known) if (device.lastSeen !== device.savedSeen) save(id, device)
  }
  const seen = setInterval(saveSeen, SEEN_EVERY_MS)
  seen.unref()

  const view = (id: string, device: Known): Device | undefined => {
    const { about } = device
    if (about === undefined) return undefined
    return {
      id,
      name: about.name,
      kind: about.kind,
      ...(about.area === undefined ? {} : { area: about.area }),
      // A device that never says whether it is there counts as there once it has described itself: a command it does not answer times out.
      online: device.online ?? true,
      owner: device.owner ?? '',
      intents: about.intents,
      safe: about.safe ?? [],
      ...(about.maker === undefined ? {} : { maker: about.maker }),
      ...(about.model === undefined ? {} : { model: about.model }),
      ...(about.via === undefined ? {} : { via: about.via }),
      state: device.state,
      lastSeen: device.lastSeen,
    }
  }

  return {
    list: () => [...known].flatMap(([id, device]) => view(id, device) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1)),
    get(id) {
      const device = known.get(id)
      return device && view(id, device)
    },
    ownerOf: (id) => known.get(id)?.owner,
    claim,
    mayWrite(origin, id) {
      if (!DeviceId.safeParse(id).success) return no(`'${id}' is no device id: use a-z, 0-9 and _, at most 63`)
      const owner = known.get(id)?.owner
      if (owner === undefined || owner === origin || origin === 'hub') return YES
      return no(`device '${id}' belongs to ${owner}`)
    },
    idFor(name) {
      const key = `${name.by}\0${name.key}`
      const old = names.get(key)
      if (old !== undefined) return old
      const owner = `plugin:${name.by}`
      const id = freeId(name, (candidate) => {
        const other = known.get(candidate)?.owner
        return named.has(candidate) || (other !== undefined && other !== owner)
      })
      names.set(key, id)
      named.add(id)
      saver.name({ by: name.by, key: name.key, id })
      return id
    },
    async forget(id) {
      // Without an owner only the device of that id may take back what was said.
      const owner = known.get(id)?.owner ?? `device:${id}`
      for (const leaf of ['about', 'state', 'online']) {
        const topic = `${head}${id}/${leaf}`
        if (bus.retained(topic).length > 0) clear(topic, owner)
      }
      known.delete(id)
      full = false
      saver.device(id, undefined)
      await saver.flush()
      log.info('device-forgotten', { device: id })
    },
    flush: () => saver.flush(),
    async close() {
      clearInterval(seen)
      for (const one of heard) one.unsubscribe()
      unsee()
      saveSeen()
      await saver.close()
    },
  }
}

const principalFrom = (owner: string): Principal => {
  const [kind, id] = owner.split(':')
  return (kind === 'device' || kind === 'plugin') && id !== undefined ? { kind, id, roles: [] } : HUB
}

/** An empty retained payload takes back what was said. */
const cleared = (device: Known, leaf: string): void => {
  if (leaf === 'about') delete device.about
  else if (leaf === 'state') device.state = {}
  else if (leaf === 'online') delete device.online
}

const parsed = (payload: Buffer): unknown => {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
}
