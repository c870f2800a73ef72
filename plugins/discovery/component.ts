// A component: one readable or settable point of a device, as the rest of the plugin sees it, whatever convention announced it.
import type { Fields } from './announcement.ts'
import { template } from './template.ts'

/** A message on a topic a component reads. `json` is undefined when the text is no JSON. */
export interface Said {
  text: string
  json: unknown
}

/** What a message comes to. `then` is what the value becomes when nothing more is said. */
export type News =
  { value: unknown; then?: { afterMs: number; value: unknown } } | { event: { type: string } & Record<string, unknown> }

export interface Reading {
  topic: string
  /** Undefined when the message says nothing about this component. `old` is the value so far. */
  take(said: Said, old: unknown): News | undefined
}

export interface Sending {
  topic: string
  payload: string
}

/** What a request comes to: what to send, and what the value is once it happened; without `shows` nobody can tell. */
export interface Deed {
  sends: readonly Sending[]
  shows?: (value: unknown) => boolean
  /** ms it may take; the plugin's own patience otherwise. */
  within?: number
}

export interface Action {
  /** Such as `light.turn_on`. */
  intent: string
  /** JSON Schemas of the payload's fields. */
  fields: Readonly<Record<string, Fields>>
  required?: readonly string[]
  /** Leads to the safe state. */
  isSafe?: boolean
  /** The deed, or why there is none. */
  deed(payload: Fields, value: unknown): Deed | string
}

export interface Component {
  platform: string
  readings: readonly Reading[]
  actions: readonly Action[]
  /** Every topic it may send to. */
  commands: readonly string[]
  /** What people may want to know: unit, class, options. */
  detail: Fields
  /** What of it does not work, and why. */
  problem?: string
}

/** How a component of one platform is made of its fields. */
export type Maker = (read: Reader) => Omit<Component, 'platform' | 'commands' | 'problem'>

/** A field's template: gives its text, or undefined when there is nothing to say. */
export type Render = (said: Said) => string | undefined

/** Reads an announced component's fields, and keeps what was wrong with them. */
export interface Reader {
  text(name: string, fallback: string): string
  maybe(name: string): string | undefined
  number(name: string, fallback: number): number
  flag(name: string): boolean
  /** Texts of a list, at most 100. */
  texts(name: string): string[]
  /** The text a state topic's message stands for, through the field's template. Undefined when the template is not supported. */
  render(name: string): Render | undefined
  /** The payload for a command topic: through the field's template, or as text. Undefined when the template is not supported. */
  written(name: string): ((value: unknown, more?: Fields) => string | undefined) | undefined
  /** A topic to send to; noted as a command topic. */
  command(name: string): string | undefined
  problem(what: string): void
  problems: readonly string[]
  commands: ReadonlySet<string>
}

const MAX_TEXT = 1000
const MAX_OPTIONS = 100

export const reader = (fields: Fields): Reader => {
  const problems: string[] = []
  const commands = new Set<string>()
  const maybe = (name: string): string | undefined => {
    const value = fields[name]
    if (typeof value === 'string') return value
    return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
  }
  const compiled = (name: string) => {
    const source = fields[name]
    if (typeof source !== 'string') return undefined
    const made = template(source)
    if (!('problem' in made)) return made
    problems.push(`${name}: ${made.problem}`)
    return 'unsupported'
  }
  return {
    text: (name, fallback) => maybe(name) ?? fallback,
    maybe,
    number(name, fallback) {
      const value = Number(fields[name] ?? Number.NaN)
      return Number.isFinite(value) ? value : fallback
    },
    flag: (name) => fields[name] === true || fields[name] === 'true',
    texts(name) {
      const value = fields[name]
      if (!Array.isArray(value)) return []
      return value
        .filter((item) => typeof item === 'string' || typeof item === 'number')
        .slice(0, MAX_OPTIONS)
        .map((item) => String(item).slice(0, 200))
    },
    render(name) {
      const made = compiled(name)
      if (made === 'unsupported') return undefined
      if (made === undefined) return ({ text }) => text.slice(0, MAX_TEXT)
      return ({ text, json }) => made.run({ value: text, value_json: json })?.slice(0, MAX_TEXT)
    },
    written(name) {
      const made = compiled(name)
      if (made === 'unsupported') return undefined
      if (made === undefined) return (value) => String(value)
      return (value, more) => made.run({ value, ...more })
    },
    command(name) {
      const topic = fields[name]
      if (typeof topic !== 'string' || topic === '') return undefined
      commands.add(topic)
      return topic
    },
    problem: (what) => void problems.push(what),
    problems,
    commands,
  }
}

/**
 * A reading of a state topic through its template; nothing when the topic or the template is not there. A component that
 * says the same in two places (Tasmota, in an answer and in its regular report) names the second as `also_topic`.
 */
export const reading = (
  read: Reader,
  topicField: string,
  templateField: string,
  take: (text: string, old: unknown, said: Said) => News | undefined,
): Reading[] => {
  const topic = read.maybe(topicField)
  if (topic === undefined || topic === '') return []
  const render = read.render(templateField)
  if (render === undefined) return []
  const also = read.maybe('also_topic')
  return [topic, ...(also === undefined ? [] : [also])].map((one) => ({
    topic: one,
    take(said, old) {
      const text = render(said)
      return text === undefined || text === '' ? undefined : take(text, old, said)
    },
  }))
}

/** The fields of a component whose value is an object. */
export const partsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}

/** Puts one field into a component's object. */
export const part =
  (name: string, valueOf: (text: string) => unknown) =>
  (text: string, old: unknown): News | undefined => {
    const value = text === 'None' ? null : valueOf(text)
    return value === undefined ? undefined : { value: { ...partsOf(old), [name]: value } }
  }

export const finite = (text: string): number | undefined => {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) ? number : undefined
}
export const textValue = (text: string): string => text.slice(0, 500)

/** A deed of one message. A template that gives nothing is a reason. */
export const deedOf = (
  topic: string,
  payload: string | undefined,
  shows?: (value: unknown) => boolean,
  within?: number,
): Deed | string =>
  payload === undefined
    ? 'the device’s command template gives nothing for this'
    : {
        sends: [{ topic, payload }],
        ...(shows === undefined ? {} : { shows }),
        ...(within === undefined ? {} : { within }),
      }
