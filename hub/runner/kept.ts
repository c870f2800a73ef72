// What one flow keeps: values that outlive restarts, by key. Each change fits its schema, is JSON, and has a number.
import type { z } from 'zod'
import { type Keeper, type KeptValue, turnNow } from '../streams/realm.ts'
import { firstIssue } from '../topics/table.ts'

/** Largest value, as JSON, in characters. */
const MOST = 64 * 1024
/** Most keys of one flow. */
const KEYS = 10_000
const KEY = /^([\w-]+=[^/]+\/)*[\w-]{1,64}$/

/** What the keeper tells the host. A change without a value: the key is forgotten. */
export interface Changes {
  changed(key: string, value: unknown, size: number): void
  setAside(key: string, value: unknown, constraint: string): void
}

/** Keeper of one flow, with what it kept until now. Values come as JSON does. */
export const keeping = (start: Readonly<Record<string, unknown>>, to: Changes): Keeper => {
  const values = new Map(Object.entries(start).filter(([, value]) => value !== undefined))
  const inUse = new Set<string>()

  const open = <T>(key: string, schema: z.ZodType<T>, initial: T): KeptValue<T> => {
    turnNow('keep was used')
    if (!KEY.test(key)) throw new Error(`keep('${key}'): a name is 1 to 64 letters, digits, _ and -`)
    if (inUse.has(key)) throw new Error(`keep('${key}') is used twice: give each its own name`)
    if (!values.has(key) && values.size >= KEYS)
      throw new Error(`keep('${key}'): more than ${KEYS} kept values; give per an { expire }`)
    const begin = (): T => {
      if (!values.has(key)) return checked(key, schema, initial).value
      const before = values.get(key)
      const parsed = schema.safeParse(before)
      if (parsed.success) return frozen(parsed.data)
      values.delete(key)
      const { field, constraint } = firstIssue(parsed.error, before)
      to.setAside(key, before, field === '' ? constraint : `${field}: ${constraint}`)
      return checked(key, schema, initial).value
    }
    let value = begin()
    let text = JSON.stringify(value)
    inUse.add(key)
    return {
      get value() {
        return value
      },
      put(next) {
        turnNow('keep was used')
        const fit = checked(key, schema, next)
        const isNew = fit.text !== text || !values.has(key)
        value = fit.value
        text = fit.text
        if (isNew) {
          values.set(key, value)
          to.changed(key, value, text.length)
        }
        return value
      },
      close: () => void inUse.delete(key),
    }
  }

  return {
    open,
    keys: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
    forget(prefix) {
      for (const key of [...values.keys()]) {
        if (!key.startsWith(prefix)) continue
        values.delete(key)
        to.changed(key, undefined, 0)
      }
    },
  }
}

/** The value as it will be read again after a restart: through JSON, then the schema. */
const checked = <T>(key: string, schema: z.ZodType<T>, value: T): { value: T; text: string } => {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new Error(`keep('${key}'): only what JSON can say can be kept`)
  if (text.length > MOST) throw new Error(`keep('${key}'): more than ${MOST} characters of JSON`)
  const again: unknown = JSON.parse(text)
  const parsed = schema.safeParse(again)
  if (parsed.success) return { value: frozen(parsed.data), text }
  const { field, constraint } = firstIssue(parsed.error, again)
  throw new Error(`keep('${key}'): ${field === '' ? 'the value' : field}: ${constraint}`)
}

/** The value, with everything in it, made unchangeable: what is shared cannot be changed by one of those who share it. */
export const frozen = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
