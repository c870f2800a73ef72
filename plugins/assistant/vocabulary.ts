// What a device can be called: the things its names, its kind and its area stand for.
import type { Device } from '#hub/plugin'
import { fieldsOf } from './fields.ts'
import { PLACE } from './lexicon.ts'
import { meaningOf, tokens } from './words.ts'

/** What people call things, beside their names: by device id, by area. */
export interface Synonyms {
  devices: Readonly<Record<string, readonly string[]>>
  areas: Readonly<Record<string, readonly string[]>>
}

/** A device as the rules see it. */
export interface Known {
  device: Device
  /** Concepts of each of its names. */
  names: readonly ReadonlySet<string>[]
  /** Its names word by word, for whole phrases. */
  phrases: readonly (readonly string[])[]
  area: ReadonlySet<string>
  /** What its area is called, word by word. */
  places: readonly (readonly string[])[]
  kind: ReadonlySet<string>
  all: ReadonlySet<string>
  words: readonly string[]
}

/** Too general to name a thing. */
export const WEAK = new Set([
  PLACE,
  'machine',
  'device',
  'sensor',
  'system',
  'anlag',
  'tool',
  'main',
  'power',
  'unit',
  'brightness',
  'temperature',
  'work',
  'job',
])
const atomsOf = (text: string): Set<string> =>
  new Set(
    tokens(text.replaceAll('_', ' '))
      .filter(({ word }) => !/^[%°?,;:]$/.test(word) && !STRUCTURE.has(word))
      .flatMap((token) => meaningOf(token).atoms),
  )
/** Small words within names. */
export const STRUCTURE = new Set('the der die das of in im am and und'.split(' '))

const known = new Map<string, Known>()
const REMEMBERED = 5000

/** What can be set of a device, such as its volume. */
const settingsOf = ({ intents }: Device): string[] =>
  Object.keys(intents).flatMap((intent) => /(?:^|\.)set_(\w+)$/.exec(intent)?.[1] ?? [])

/** Scenes that are options of one device are names of it. */
const scenesOf = ({ intents }: Device): string[] =>
  fieldsOf(intents['scene.activate'] ?? {}).flatMap(({ schema }) => {
    const among: unknown = schema['enum']
    return Array.isArray(among)
      ? among.flatMap((option) => (typeof option === 'string' ? [`${option} scene`] : []))
      : []
  })

/** The vocabulary of a device, made once for each name it has. */
export const vocabularyOf = (device: Device, synonyms: Synonyms): Known => {
  const names = [device.name, ...(synonyms.devices[device.id] ?? [])]
  const areas = device.area === undefined ? [] : [device.area, ...(synonyms.areas[device.area] ?? [])]
  const domains = Object.keys(device.intents).flatMap((intent) =>
    intent.includes('.') ? [intent.slice(0, intent.indexOf('.'))] : [],
  )
  const key = JSON.stringify([device.id, names, device.kind, areas, domains, settingsOf(device), scenesOf(device)])
  const found = known.get(key)
  if (found !== undefined) return found.device === device ? found : { ...found, device }
  const area = new Set(areas.flatMap((text) => [...atomsOf(text)]))
  const kind = new Set([device.kind, ...domains, ...settingsOf(device)].flatMap((text) => [...atomsOf(text)]))
  if (kind.has('media')) kind.add('music')
  const sets = [...names, device.id, ...scenesOf(device)].map(atomsOf)
  const words = [...names, ...areas, ...scenesOf(device)].flatMap((text) => tokens(text).map(({ word }) => word))
  const made: Known = {
    device,
    names: sets,
    phrases: names.map((text) => tokens(text).map(({ word }) => word)),
    area,
    places: areas.map((text) => tokens(text).map(({ word }) => word)),
    kind,
    all: new Set([...area, ...kind, ...sets.flatMap((set) => [...set])]),
    words,
  }
  if (known.size >= REMEMBERED) known.clear()
  known.set(key, made)
  return made
}
