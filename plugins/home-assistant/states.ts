// The states of all entities, folded from the compressed events of `subscribe_entities`.
import { Added, Changed, EntitiesEvent, EntityId } from './wire.ts'

export interface EntityState {
  id: string
  domain: string
  state: string
  attributes: Readonly<Record<string, unknown>>
  /** Id of the context that made it so; empty when it is not known. */
  context: string
  /** Seconds since 1970 of its last change or update, by Home Assistant's clock. */
  updatedAt: number
}

/** What an event did. */
export interface Fold {
  /** Ids whose state is another now. */
  changed: string[]
  /** Ids that came, went, or can do something else than before: the picture of their device has to be drawn again. */
  redrawn: string[]
  /** Entries that were not believed. */
  bad: number
}

export interface States {
  get(id: string): EntityState | undefined
  ids(): Iterable<string>
  size(): number
  /** Never throws: what does not fit is counted. */
  apply(event: unknown): Fold
}

/** More entities than this are not taken. */
const MOST = 20_000

/** Attributes that say what an entity can do or is called, and not how it is. */
const ABILITIES: ReadonlySet<string> = new Set([
  'friendly_name',
  'device_class',
  'supported_features',
  'supported_color_modes',
  'effect_list',
  'hvac_modes',
  'options',
  'min',
  'max',
  'step',
  'min_temp',
  'max_temp',
  'min_color_temp_kelvin',
  'max_color_temp_kelvin',
  'unit_of_measurement',
])

const contextIdOf = (context: string | { id?: string | undefined } | undefined): string | undefined =>
  typeof context === 'string' ? context : context?.id

export const openStates = (): States => {
  const table = new Map<string, EntityState>()

  const add = (id: string, raw: unknown, fold: Fold): void => {
    const read = Added.safeParse(raw)
    const before = table.get(id)
    if (!read.success || !EntityId.safeParse(id).success || (before === undefined && table.size >= MOST)) {
      fold.bad++
      return
    }
    const { s, a, c, lc = 0, lu = lc } = read.data
    const domain = id.slice(0, id.indexOf('.'))
    table.set(id, { id, domain, state: s, attributes: a, context: contextIdOf(c) ?? '', updatedAt: lu })
    fold.changed.push(id)
    fold.redrawn.push(id)
  }

  const change = (id: string, raw: unknown, fold: Fold): void => {
    const before = table.get(id)
    const read = Changed.safeParse(raw)
    if (before === undefined || !read.success) {
      fold.bad++
      return
    }
    const { '+': plus = {}, '-': minus = {} } = read.data
    let { attributes } = before
    if (plus.a !== undefined || minus.a !== undefined) {
      const next = { ...attributes, ...plus.a }
      for (const name of minus.a ?? []) delete next[name]
      const touched = [...Object.keys(plus.a ?? {}), ...(minus.a ?? [])]
      if (touched.some((name) => ABILITIES.has(name))) fold.redrawn.push(id)
      attributes = next
    }
    table.set(id, {
      ...before,
      attributes,
      state: plus.s ?? before.state,
      context: contextIdOf(plus.c) ?? before.context,
      updatedAt: plus.lu ?? plus.lc ?? before.updatedAt,
    })
    fold.changed.push(id)
  }

  return {
    get: (id) => table.get(id),
    ids: () => table.keys(),
    size: () => table.size,
    apply(event) {
      const fold: Fold = { changed: [], redrawn: [], bad: 0 }
      const read = EntitiesEvent.safeParse(event)
      if (!read.success) return { ...fold, bad: 1 }
      for (const [id, raw] of Object.entries(read.data.a ?? {})) add(id, raw, fold)
      for (const [id, raw] of Object.entries(read.data.c ?? {})) change(id, raw, fold)
      for (const id of read.data.r ?? []) if (table.delete(id)) fold.redrawn.push(id)
      return fold
    },
  }
}
