// One Home Assistant on this side of the line: its devices kept in step with it, commands carried out, nothing stale.
import { Observable } from 'rxjs'
import { z } from 'zod'
import { type Capabilities, type Heard, type Log, message, type Message, reasonOf } from '#hub/plugin'
import { type Ack, type Ground, openCalls } from './calls.ts'
import { type LineEvent, link, type LinkOptions, type Session } from './link.ts'
import { aboutOf, type Mirrored, mirrorOf, onlineOf, stateOf } from './mirror.ts'
import { readRegistry, type Registry, REGISTRY_EVENTS, wanted } from './registry.ts'
import type { Settings } from './settings.ts'
import { openStates, type States } from './states.ts'
import { HomeConfig } from './wire.ts'
import { openWriter } from './writer.ts'

export type Out =
  'devices/{device}/about' | 'devices/{device}/state' | 'devices/{device}/online' | 'devices/{device}/ack'

export interface HomeOptions extends Pick<LinkOptions, 'server' | 'pingEveryMs' | 'firstPauseMs'> {
  settings: Settings
  devices: Capabilities['devices']
  memory: Capabilities['memory']
  commands: Observable<Heard<'devices/{device}/cmd'>>
  now: () => number
  log: Log
  /** How the line is; undefined when all is well. */
  tell: (trouble: string | undefined) => void
  /** Version of the server, once it is known. */
  version: (version: string) => void
  /** Something from the server was not believed; told once for each kind and line. */
  odd: (type: string, what: string) => void
  /** Shortened by tests. */
  graceMs?: number
}

/** How long something may be missing at Home Assistant before it is forgotten here: integrations are reloaded. */
const GRACE_MS = 5000
const REDRAW_MS = 200
const REDRAW_GAP_MS = 1000
/** A server that starts has not loaded everything yet. */
const STARTING_MS = 120_000
const STARTING_LOOK_MS = 1000

interface Seat {
  id: string
  key: string
  mirrored: Mirrored | undefined
  /** What was said last, as JSON. */
  said: { about?: string; state?: string; online?: boolean }
  /** ms since 1970; set while Home Assistant has it no more. */
  goneAt?: number
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (signal.aborted) done()
    else signal.addEventListener('abort', done)
  })

/** Waits until the server has loaded everything, but no longer than two minutes. */
const started = async (session: Session): Promise<void> => {
  for (const until = performance.now() + STARTING_MS; performance.now() < until && !session.signal.aborted;) {
    const read = HomeConfig.safeParse(await session.ask({ type: 'get_config' }))
    if (!read.success || read.data.state === undefined || read.data.state === 'RUNNING') return
    await sleep(STARTING_LOOK_MS, session.signal)
  }
}

/** Subscribing connects and mirrors; unsubscribing leaves no timer and no socket. */
export const home = (options: HomeOptions): Observable<Message<Out>> =>
  new Observable((out) => {
    const { settings, devices, memory, now, log, tell, odd, graceMs = GRACE_MS } = options
    const { name } = options.server
    const shelf = `known/${name}/`
    const wants = wanted(settings)
    const seats = new Map<string, Seat>()
    const byId = new Map<string, Seat>()
    const byEntity = new Map<string, string>()
    let ground: (Ground & { registry: Registry; isDrawn: boolean; checked: Set<string> }) | undefined
    let closed = false

    const ack = (device: string, payload: Ack): void => {
      if (closed) return
      // Whoever hears that it is done finds it so in the state.
      const key = byId.get(device)?.key
      if (payload.status === 'done' && key !== undefined) writer.flush(key)
      out.next(message('devices/{device}/ack', { device }, payload))
    }
    const calls = openCalls({ name: `Home Assistant '${name}'`, now, deadlineMs: settings.deadline * 1000, ack, log })

    const write = (key: string): void => {
      const seat = seats.get(key)
      if (seat === undefined) return
      const { id: device, said, mirrored } = seat
      const isThere = ground !== undefined && mirrored !== undefined && seat.goneAt === undefined
      if (ground !== undefined && mirrored !== undefined && isThere) {
        const about = aboutOf(mirrored, ground.states, settings)
        const aboutText = JSON.stringify(about)
        if (aboutText !== said.about) out.next(message('devices/{device}/about', { device }, about))
        said.about = aboutText
        const state = stateOf(mirrored, ground.states)
        const stateText = JSON.stringify(state)
        if (stateText !== said.state) out.next(message('devices/{device}/state', { device }, state))
        said.state = stateText
      }
      const online = isThere && ground !== undefined && onlineOf(mirrored, ground.states)
      if (online !== said.online) out.next(message('devices/{device}/online', { device }, online))
      said.online = online
    }
    const writer = openWriter({ write })

    const seatOf = (key: string, wish: string): Seat | undefined => {
      const known = seats.get(key)
      if (known !== undefined) return known
      const id = devices.idFor({ key: `${name}/${key}`, name: wish })
      try {
        devices.claim(id)
      } catch (error) {
        odd('IdentityTaken', `'${wish}' is not mirrored: ${reasonOf(error)}`)
        return undefined
      }
      return settle(key, id)
    }
    const settle = (key: string, id: string): Seat => {
      const seat: Seat = { id, key, mirrored: undefined, said: {} }
      seats.set(key, seat)
      byId.set(id, seat)
      return seat
    }

    const forget = async (seat: Seat): Promise<void> => {
      seats.delete(seat.key)
      byId.delete(seat.id)
      writer.drop(seat.key)
      await devices.forget(seat.id)
      await memory.remove(`${shelf}${seat.id}`)
    }

    /** Draws the picture of all devices anew; what is not in it any more is forgotten after the grace. */
    const draw = async (): Promise<number | undefined> => {
      if (ground === undefined) return undefined
      const current = ground
      // What came after the registries were read may be anything, also what this hub announced: it waits until they were read again.
      const isKnown = (id: string, registry: Registry): boolean =>
        (registry.entities.has(id) || current.checked.has(id)) && wants(id, registry)
      const picture = mirrorOf(current.registry, current.states, isKnown, settings)
      byEntity.clear()
      const fresh: Seat[] = []
      for (const [key, mirrored] of picture) {
        const isNew = !seats.has(key)
        const seat = seatOf(key, mirrored.name)
        if (seat === undefined) continue
        seat.mirrored = mirrored
        delete seat.goneAt
        for (const { id } of mirrored.members) byEntity.set(id, key)
        if (isNew) fresh.push(seat)
        writer.touch(key)
      }
      current.isDrawn = true
      let next: number | undefined
      for (const seat of [...seats.values()]) {
        if (picture.has(seat.key)) continue
        seat.goneAt ??= now()
        const left = seat.goneAt + graceMs - now()
        if (left <= 0) await forget(seat)
        else {
          writer.touch(seat.key)
          next = Math.min(next ?? left, left)
        }
      }
      for (const { id, key } of fresh) await memory.set(`${shelf}${id}`, { key })
      return next
    }

    // One drawing at a time; what comes meanwhile asks for one more.
    let timer: NodeJS.Timeout | undefined
    let isDrawing = false
    let isStale = false
    let drawnAt = -Infinity
    const redraw = (ms: number): void => {
      if (closed) return
      if (isDrawing) {
        isStale = true
        return
      }
      clearTimeout(timer)
      timer = setTimeout(() => void run(), Math.max(ms, drawnAt + REDRAW_GAP_MS - performance.now()))
    }
    const run = async (): Promise<void> => {
      isDrawing = true
      isStale = false
      drawnAt = performance.now()
      let next: number | undefined
      try {
        next = await draw()
      } catch (error) {
        odd('MirrorFailed', `Not all of ${name} could be mirrored: ${reasonOf(error)}`)
      }
      isDrawing = false
      if (isStale) redraw(REDRAW_MS)
      else if (next !== undefined) redraw(next + 1)
    }

    const heard = (states: States, session: Session, event: unknown, reread: () => void): void => {
      if (ground?.session !== session) return
      const { changed, redrawn, bad } = states.apply(event)
      if (bad > 0) odd('EntityNotBelieved', `${bad} entities of ${name} did not fit the protocol and were left out.`)
      for (const id of changed) {
        const key = byEntity.get(id)
        if (key !== undefined) writer.touch(key)
      }
      calls.changed(changed)
      const { registry, checked, isDrawn } = ground
      for (const id of redrawn) if (states.get(id) === undefined) checked.delete(id)
      const isNew = (id: string): boolean =>
        states.get(id) !== undefined && !registry.entities.has(id) && !checked.has(id)
      if (redrawn.some(isNew)) reread()
      else if (redrawn.length > 0) redraw(isDrawn ? REDRAW_MS : 0)
    }

    /** A full resync: registries, then all states, then the picture. */
    const sync = async (session: Session): Promise<void> => {
      options.version(session.version)
      await started(session)
      let isReading = false
      let isOld = false
      const reread = async (): Promise<void> => {
        if (isReading) {
          isOld = true
          return
        }
        isReading = true
        do {
          isOld = false
          await sleep(REDRAW_MS, session.signal)
          const there = [...(ground?.session === session ? ground.states.ids() : [])]
          const registry = await readRegistry(session)
          if (ground?.session === session) {
            ground.registry = registry
            for (const id of there) if (!registry.entities.has(id)) ground.checked.add(id)
          }
          redraw(0)
        } while (isOld && !session.signal.aborted)
        isReading = false
      }
      const changedRegistry = (): void => {
        reread().catch((error: unknown) => session.cut(reasonOf(error)))
      }
      for (const event_type of REGISTRY_EVENTS)
        await session.hear({ type: 'subscribe_events', event_type }, changedRegistry)
      const registry = await readRegistry(session)
      if (registry.bad > 0)
        odd(
          'RegistryNotBelieved',
          `${registry.bad} entries of the registries of ${name} did not fit and were left out.`,
        )
      if (session.signal.aborted) return
      const states = openStates()
      ground = { session, states, registry, isDrawn: false, checked: new Set() }
      await session.hear({ type: 'subscribe_entities' }, (event) => heard(states, session, event, changedRegistry))
      tell(undefined)
      log.info('home-assistant-up', { server: name, version: session.version })
    }

    const lineChanged = (event: LineEvent): void => {
      if (event.line === 'up') {
        sync(event.session).catch((error: unknown) => event.session.cut(reasonOf(error)))
        return
      }
      const had = ground !== undefined
      ground = undefined
      calls.lost(event.reason)
      for (const key of seats.keys()) writer.touch(key)
      if (had) log.warn('home-assistant-down', { server: name, reason: event.reason })
      tell(event.reason)
    }

    /** What an earlier run mirrored counts as away until the server is heard. */
    const recall = async (): Promise<void> => {
      for (const shelved of await memory.keys(shelf)) {
        const id = shelved.slice(shelf.length)
        const kept = await memory.get(shelved, z.looseObject({ key: z.string() }))
        if (kept === undefined || closed || seats.has(kept.key)) continue
        settle(kept.key, id)
        writer.touch(kept.key)
      }
    }

    const asked = options.commands.subscribe(({ params: { device }, payload }) => {
      const seat = byId.get(device)
      if (seat !== undefined) calls.take(payload, device, seat.mirrored, ground)
    })
    let line: { unsubscribe(): void } | undefined
    recall()
      .catch((error: unknown) => odd('MemoryNotRead', reasonOf(error)))
      .then(() => {
        if (closed) return
        const strange = (): void =>
          odd('MessageNotBelieved', `${name} sent what is not of its protocol; it was left out.`)
        line = link({ ...options, longestPause: settings.longestPause, strange }).subscribe(lineChanged)
      })
      .catch((error: unknown) => out.error(error))

    return () => {
      closed = true
      clearTimeout(timer)
      asked.unsubscribe()
      line?.unsubscribe()
      calls.lost('the plugin stops')
      writer.close()
    }
  })
