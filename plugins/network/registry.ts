// The registry of found things: bounded, kept over restarts, and never acting. People accept and ignore; the network cannot.
import type { z } from 'zod'
import {
  Thing,
  type Found,
  idOf,
  isSamePlace,
  isThere,
  leadOf,
  placesIn,
  MOST_VOICES,
  brokenBy,
  statusOf,
  viewOf,
} from './thing.ts'
import type { Finding, Word } from './finding.ts'
import { isVague } from './kinds.ts'

export interface Registry {
  load(): Promise<void>
  /** Takes what a voice said. `full` when there was no room for something new. */
  take(word: Word): 'changed' | 'same' | 'full'
  /** Everything, the most certain first, what is gone last. */
  list(): Found[]
  get(id: string): Found | undefined
  /** What a person decided; `undefined` takes a decision back. Resolves when it is kept; undefined when there is no such thing. */
  decide(id: string, status: 'accepted' | 'ignored' | undefined, by: string): Promise<Found | undefined>
  /** Notices what went silent and forgets what nobody decided about and is long gone. Whether something changed. */
  sweep(): boolean
  /** Writes down what changed. */
  save(): Promise<void>
  size(): number
}

interface Parts {
  memory: {
    get<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined>
    set(key: string, value: unknown): Promise<void>
    remove(key: string): Promise<void>
    keys(prefix: string): Promise<string[]>
  }
  now: () => number
  /** Things at most. */
  most: number
  /** Of one source address at most. */
  mostOfOne: number
  /** ms after which a thing that is gone and undecided is forgotten. */
  keepMs: number
  /** An acceptance that no longer holds. */
  reopened: (found: Found) => void
}

const PREFIX = 'found:'
/** A later last word alone is written down this often. */
const COARSE_MS = 10 * 60_000

export const openRegistry = ({ memory, now, most, mostOfOne, keepMs, reopened }: Parts): Registry => {
  const all = new Map<string, Thing>()
  /** Which thing a voice belongs to, by the voice's key. */
  const voices = new Map<string, string>()
  const unsaved = new Set<string>()
  const there = new Map<string, boolean>()
  let saving: Promise<void> = Promise.resolve()

  const view = (one: Thing, places = placesIn(all.values(), now())): Found => viewOf(one, places, now())
  const put = (one: Thing): void => {
    all.set(one.id, one)
    for (const { key } of one.voices) voices.set(key, one.id)
    there.set(one.id, isThere(one, now()))
  }
  const drop = (one: Thing): void => {
    all.delete(one.id)
    there.delete(one.id)
    for (const { key } of one.voices) voices.delete(key)
    unsaved.add(one.id)
  }
  const write = (): Promise<void> => {
    const ids = [...unsaved]
    unsaved.clear()
    const writing = saving.then(async () => {
      for (const [n, id] of ids.entries()) {
        const one = all.get(id)
        try {
          await (one === undefined ? memory.remove(PREFIX + id) : memory.set(PREFIX + id, one))
        } catch (error) {
          for (const left of ids.slice(n)) unsaved.add(left)
          throw error
        }
      }
    })
    saving = writing.catch(() => undefined)
    return writing
  }
  /** Room for one more: what is gone and undecided makes way, the longest silent first. Nothing that is there does. */
  const hasRoom = (from: string): boolean => {
    const at = now()
    const ofOne = [...all.values()].filter((one) => one.decision === undefined && one.voices[0]?.from === from)
    if (ofOne.length >= mostOfOne && !makeWay(ofOne, at)) return false
    return all.size < most || makeWay([...all.values()], at)
  }
  const makeWay = (among: readonly Thing[], at: number): boolean => {
    const [oldest] = among
      .filter((one) => one.decision === undefined && !isThere(one, at))
      .sort((a, b) => a.lastSeenAt - b.lastSeenAt)
    if (oldest !== undefined) drop(oldest)
    return oldest !== undefined
  }
  const fresh = (finding: Finding): 'changed' | 'full' => {
    // The same kind at the same place is the same thing, heard in another way.
    const same = isVague(finding.kind)
      ? undefined
      : [...all.values()].find(
          (one) =>
            one.voices.length < MOST_VOICES &&
            leadOf(one, now()).kind === finding.kind &&
            isSamePlace(leadOf(one, now()), finding),
        )
    if (same === undefined && !hasRoom(finding.from)) return 'full'
    const at = now()
    put(
      same === undefined
        ? { id: idOf(finding.key), voices: [spoken(finding)], firstSeenAt: at, lastSeenAt: at }
        : { ...same, voices: [...same.voices, spoken(finding)], lastSeenAt: at },
    )
    unsaved.add(same?.id ?? idOf(finding.key))
    return 'changed'
  }
  const again = (known: Thing, finding: Finding): 'changed' | 'same' => {
    const at = now()
    const before = known.voices.find(({ key }) => key === finding.key)
    const next = merged(before, finding)
    const isSame = before !== undefined && isThere(known, at) && before.until > at && content(before) === content(next)
    const one: Thing = {
      ...known,
      voices: known.voices.map((voice) => (voice.key === finding.key ? spoken(next) : voice)),
      lastSeenAt: at,
    }
    const broken = one.decision === undefined ? undefined : brokenBy(one.decision, leadOf(one, at))
    if (broken !== undefined) {
      delete one.decision
      one.reopened = broken
    }
    put(one)
    if (!isSame || broken !== undefined || at - known.lastSeenAt >= COARSE_MS) unsaved.add(one.id)
    if (broken !== undefined) reopened(view(one))
    return isSame && broken === undefined ? 'same' : 'changed'
  }

  return {
    async load() {
      for (const key of await memory.keys(PREFIX)) {
        const one = await memory.get(key, Thing)
        if (one === undefined || all.size >= most) await memory.remove(key)
        else if (!all.has(one.id)) put(one)
      }
    },
    take(word) {
      const key = word.kind === 'found' ? word.finding.key : word.key
      const known = all.get(voices.get(key) ?? '')
      if (word.kind === 'found') return known === undefined ? fresh(word.finding) : again(known, word.finding)
      if (known === undefined || !known.voices.some((voice) => isItsOwn(voice, word))) return 'same'
      const at = now()
      const one = {
        ...known,
        voices: known.voices.map((voice) =>
          voice.key === key ? { ...voice, until: Math.min(voice.until, at) } : voice,
        ),
      }
      put(one)
      unsaved.add(one.id)
      return 'changed'
    },
    list: () => {
      const places = placesIn(all.values(), now())
      return [...all.values()]
        .map((one) => view(one, places))
        .sort(
          (a, b) =>
            Number(a.status === 'gone') - Number(b.status === 'gone') ||
            b.confidence - a.confidence ||
            a.name.localeCompare(b.name) ||
            a.id.localeCompare(b.id),
        )
    },
    get(id) {
      const one = all.get(id)
      return one === undefined ? undefined : view(one)
    },
    async decide(id, status, by) {
      const known = all.get(id)
      if (known === undefined) return undefined
      const { decision: _, reopened: __, ...rest } = known
      const { kind, addresses, port } = leadOf(known, now())
      const one: Thing = {
        ...rest,
        ...(status === undefined
          ? {}
          : {
              decision: {
                status,
                by: by.slice(0, 200),
                at: now(),
                kind,
                addresses: [...addresses],
                ...(port === undefined ? {} : { port }),
              },
            }),
      }
      put(one)
      unsaved.add(id)
      try {
        await write()
      } catch (error) {
        // What is not kept is not decided.
        if (all.get(id) === one) put(known)
        throw error
      }
      return view(all.get(id) ?? one)
    },
    sweep() {
      const at = now()
      let isChanged = false
      for (const one of all.values()) {
        if (there.get(one.id) === true && !isThere(one, at)) {
          there.set(one.id, false)
          isChanged = true
        }
        if (statusOf(one, at) === 'gone' && one.decision === undefined && at - one.lastSeenAt > keepMs) {
          drop(one)
          isChanged = true
        }
      }
      return isChanged
    },
    save: write,
    size: () => all.size,
  }
}

/** A farewell counts from where the greeting came from; `from` is empty when a time ran out. */
const isItsOwn = (voice: { key: string; from: string }, word: { key: string; from: string }): boolean =>
  voice.key === word.key && (word.from === '' || word.from === voice.from)

const spoken = (finding: Finding): Thing['voices'][number] => ({
  ...finding,
  addresses: finding.addresses.slice(0, 16),
  facts: { ...finding.facts },
})

/** What a voice said all together: a plain word does not take back a precise one, and an address stays until another is given. */
const merged = (before: Finding | undefined, next: Finding): Finding => {
  if (before === undefined) return next
  const isPlainer = isVague(next.kind) && !isVague(before.kind)
  const page = next.url ?? before.url
  const isElsewhere = next.addresses.length > 0 && !next.addresses.some((one) => before.addresses.includes(one))
  const port = next.port ?? (isElsewhere ? undefined : before.port)
  const { port: _, url: __, ...rest } = next
  return {
    ...rest,
    ...(isPlainer ? { kind: before.kind, what: before.what } : {}),
    addresses: next.addresses.length > 0 ? next.addresses : before.addresses,
    facts: Object.keys(next.facts).length > 0 ? next.facts : before.facts,
    ...(port === undefined ? {} : { port }),
    ...(page === undefined || isElsewhere ? (next.url === undefined ? {} : { url: next.url }) : { url: page }),
  }
}

/** What of a voice a person would see change. */
const content = ({ until: _, ...rest }: Finding): string => JSON.stringify(Object.entries(rest).sort())
