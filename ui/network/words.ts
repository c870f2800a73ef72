// Words and looks of found things.
import type { Tone } from '../design/badge.tsx'
import type { IconName } from '../design/icon.tsx'
import type { FoundItem, FoundStatus } from './read.ts'

export type Choice = 'here' | FoundStatus
export const CHOICES: readonly Choice[] = ['here', 'new', 'accepted', 'ignored', 'gone']
export const CHOICE_WORDS: Readonly<Record<Choice, string>> = {
  here: 'Here',
  new: 'New',
  accepted: 'Accepted',
  ignored: 'Ignored',
  gone: 'Gone',
}

export const isChosen = ({ status }: FoundItem, choice: Choice): boolean =>
  choice === 'here' ? status === 'new' || status === 'accepted' : status === choice

export const NOTHING: Readonly<Record<Choice, { title: string; text: string }>> = {
  here: {
    title: 'Nothing found yet',
    text: 'Switch a device on, or search once more. Some speak only every few minutes.',
  },
  new: { title: 'Nothing new', text: 'Everything that is here was accepted or ignored.' },
  accepted: { title: 'Nothing accepted', text: 'What you accept stands here with what to do next.' },
  ignored: { title: 'Nothing ignored', text: 'What you ignore stands here, and can be taken back.' },
  gone: { title: 'Nothing gone', text: 'What said goodbye or fell silent stands here for a month.' },
}

/** How sure, as a look and in words. */
export const sureness = (confidence: number): { tone: Tone; text: string } => ({
  tone: confidence >= 0.7 ? 'good' : confidence >= 0.4 ? 'warn' : 'bad',
  text: `${Math.round(confidence * 100)} % sure`,
})

export const STATUS_LOOK: Readonly<Record<FoundStatus, { tone: Tone; text: string }>> = {
  new: { tone: 'warn', text: 'New' },
  accepted: { tone: 'good', text: 'Accepted' },
  ignored: { tone: 'idle', text: 'Ignored' },
  gone: { tone: 'idle', text: 'Gone' },
}

export const placeWords = ({ addresses, port }: FoundItem): string => {
  const [first] = addresses
  if (first === undefined) return 'no address'
  const host = first.includes(':') ? `[${first}]` : first
  return port === 0 ? host : `${host}:${port}`
}

/** A weight as it adds or takes: `+45`, `−20`. */
export const weightWords = (weight: number): string => `${weight < 0 ? '−' : '+'}${Math.abs(Math.round(weight * 100))}`

const ICONS: Readonly<Record<string, IconName>> = {
  octoprint: 'printer3d',
  moonraker: 'printer3d',
  bambu: 'printer3d',
  'home-assistant': 'gate',
  mqtt: 'messages',
  shelly: 'power',
  kasa: 'power',
  yeelight: 'light',
  lifx: 'light',
  wiz: 'light',
  hue: 'light',
  wled: 'light',
}
export const foundIcon = (kind: string): IconName => ICONS[kind] ?? 'network'
