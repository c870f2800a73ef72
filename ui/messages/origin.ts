// Who said something, in words.
import { words } from '../devices/value.ts'
import type { IconName } from '../design/icon.tsx'

const KINDS: Record<string, { word: string; icon: IconName }> = {
  person: { word: '', icon: 'person' },
  device: { word: 'device', icon: 'device' },
  flow: { word: 'flow', icon: 'flows' },
  plugin: { word: 'plugin', icon: 'plugin' },
  gate: { word: 'the gate', icon: 'gate' },
  hub: { word: 'the hub', icon: 'health' },
}

const parts = (origin: string): { kind: string; id: string } => {
  const at = origin.indexOf(':')
  return at < 0 ? { kind: origin, id: '' } : { kind: origin.slice(0, at), id: origin.slice(at + 1) }
}

/** `person:ada` → `ada`; `flow:dust-starts-extractor` → `flow Dust starts extractor`; `gate` → `the gate`. */
export const originWords = (origin: string): string => {
  if (origin === '') return 'unknown'
  const { kind, id } = parts(origin)
  const known = KINDS[kind]
  if (!known) return origin
  if (id === '') return known.word === '' ? origin : known.word
  if (kind === 'person') return id
  return `${known.word} ${kind === 'flow' ? words(id) : id}`
}

export const originIcon = (origin: string): IconName => KINDS[parts(origin).kind]?.icon ?? 'messages'
