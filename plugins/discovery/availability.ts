// Whether a component is there, by what its availability topics say. Until they say something it is not.
import type { Fields } from './announcement.ts'
import type { Said } from './component.ts'
import { template } from './template.ts'

export interface Availability {
  topics: readonly string[]
  /** Takes a message of one of its topics. */
  hear(topic: string, said: Said): void
  isThere(): boolean
}

interface Entry {
  topic: string
  there: string
  away: string
  render: (said: Said) => string | undefined
}

const MAX_ENTRIES = 16

const textOf = (value: unknown, fallback: string): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : fallback

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

/** What stands for itself among the components of one device, so that equal availabilities are kept once. */
export const signatureOf = (fields: Fields): string =>
  JSON.stringify([
    fields['availability'],
    fields['availability_topic'],
    fields['availability_template'],
    fields['availability_mode'],
    fields['payload_available'],
    fields['payload_not_available'],
  ])

/** Undefined when the component is always there; a text when its availability is beyond what is supported. */
export const availabilityOf = (fields: Fields): Availability | string | undefined => {
  const list = Array.isArray(fields['availability']) ? fields['availability'].filter(isFields) : []
  const single = fields['availability_topic']
  const raw: Fields[] =
    typeof single === 'string'
      ? [{ ...fields, topic: single, value_template: fields['availability_template'] }]
      : list.slice(0, MAX_ENTRIES)
  if (raw.length === 0) return undefined
  const entries: Entry[] = []
  for (const one of raw) {
    const { topic, value_template: source } = one
    if (typeof topic !== 'string' || topic === '') return 'an availability without a topic'
    const made = typeof source === 'string' ? template(source) : undefined
    if (made !== undefined && 'problem' in made) return `availability: ${made.problem}`
    entries.push({
      topic,
      there: textOf(one['payload_available'], 'online'),
      away: textOf(one['payload_not_available'], 'offline'),
      render: made === undefined ? ({ text }) => text : ({ text, json }) => made.run({ value: text, value_json: json }),
    })
  }
  const mode = textOf(fields['availability_mode'], 'latest')
  const known = new Map<Entry, boolean>()
  let latest = false
  return {
    topics: [...new Set(entries.map(({ topic }) => topic))],
    hear(topic, said) {
      for (const entry of entries) {
        if (entry.topic !== topic) continue
        const word = entry.render(said)
        if (word !== entry.there && word !== entry.away) continue
        known.set(entry, word === entry.there)
        latest = word === entry.there
      }
    },
    isThere() {
      if (mode === 'all') return entries.every((entry) => known.get(entry) === true)
      if (mode === 'any') return entries.some((entry) => known.get(entry) === true)
      return latest
    },
  }
}
