// What Home Assistant says over its WebSocket, as far as it is believed. Source: developers.home-assistant.io/docs/api/websocket.
import { z } from 'zod'

/** `light.kitchen`: domain and object id. */
export const EntityId = z
  .string()
  .max(255)
  .regex(/^[a-z0-9_]+\.[a-z0-9_]+$/, 'must look like light.kitchen')

/** The context of a change: its id alone, or with parent and user; in a difference, only what differs. */
const Context = z.union([z.string().max(64), z.looseObject({ id: z.string().max(64).optional() })])

const Attributes = z.record(z.string(), z.unknown())

/** A whole state in `a`. `lc` and `lu` are seconds since 1970; `lu` is left out when it equals `lc`. */
export const Added = z.looseObject({
  s: z.string().max(255),
  a: Attributes.default({}),
  c: Context.optional(),
  lc: z.number().optional(),
  lu: z.number().optional(),
})

/** A difference in `c`: what is new under `+`, what has gone under `-`. */
export const Changed = z.looseObject({
  '+': z
    .looseObject({
      s: z.string().max(255).optional(),
      a: Attributes.optional(),
      c: Context.optional(),
      lc: z.number().optional(),
      lu: z.number().optional(),
    })
    .optional(),
  '-': z.looseObject({ a: z.array(z.string()).optional() }).optional(),
})

/** An event of `subscribe_entities`; each entity in it is judged on its own. */
export const EntitiesEvent = z.looseObject({
  a: z.record(z.string(), z.unknown()).optional(),
  c: z.record(z.string(), z.unknown()).optional(),
  r: z.array(z.string().max(255)).optional(),
})

const text = z.string().max(255)
const maybe = text.nullish()

export const Area = z.looseObject({ area_id: text, name: text })

export const DeviceEntry = z.looseObject({
  id: text,
  name: maybe,
  name_by_user: maybe,
  manufacturer: maybe,
  model: maybe,
  area_id: maybe,
  disabled_by: maybe,
  identifiers: z.array(z.array(z.unknown())).default([]),
})

export const EntityEntry = z.looseObject({
  entity_id: EntityId,
  /** Kept when the entity id is changed. */
  id: maybe,
  device_id: maybe,
  area_id: maybe,
  name: maybe,
  original_name: maybe,
  platform: maybe,
  entity_category: maybe,
  disabled_by: maybe,
  hidden_by: maybe,
})

export type Area = z.output<typeof Area>
export type DeviceEntry = z.output<typeof DeviceEntry>
export type EntityEntry = z.output<typeof EntityEntry>

/** Answer to `get_config`. */
export const HomeConfig = z.looseObject({ version: z.string().max(64), state: z.string().max(64).optional() })

/** Answer to `call_service`. */
export const CallAnswer = z.looseObject({ context: z.looseObject({ id: z.string().max(64) }) })

/** Entries of a list that fit, and how many did not. */
export const fitting = <T>(schema: z.ZodType<T>, list: unknown): { items: T[]; bad: number } => {
  if (!Array.isArray(list)) return { items: [], bad: 1 }
  const items: T[] = []
  for (const entry of list) {
    const read = schema.safeParse(entry)
    if (read.success) items.push(read.data)
  }
  return { items, bad: list.length - items.length }
}
