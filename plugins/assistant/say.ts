// What is said back, in English and German. Names and states of devices are quoted as they are: they are data, and nothing reads them as a sentence.
import type { Device } from '#hub/plugin'
import { familyOf } from './intents.ts'
import type { Meant } from './understander.ts'
import type { Family } from './verb-patterns.ts'

export type Language = 'en' | 'de'

const LONGEST_NAME = 60

/** A text of a device as it may be repeated: one line, short. */
export const tame = (text: string, most = LONGEST_NAME): string => {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ').trim()
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

const DONE: Readonly<Record<Language, Partial<Record<Family, string>>>> = {
  en: {
    on: 'turned on',
    off: 'turned off',
    toggle: 'switched over',
    start: 'started',
    stop: 'stopped',
    pause: 'paused',
    resume: 'resumed',
    cancel: 'cancelled',
    open: 'opened',
    close: 'closed',
    lock: 'locked',
    unlock: 'unlocked',
    set: 'set',
    show: 'shown',
    record: 'recording',
    up: 'raised',
    down: 'lowered',
    press: 'pressed',
    play: 'playing',
    preheat: 'preheating',
    status: 'asked how it is',
  },
  de: {
    on: 'eingeschaltet',
    off: 'ausgeschaltet',
    toggle: 'umgeschaltet',
    start: 'gestartet',
    stop: 'gestoppt',
    pause: 'angehalten',
    resume: 'läuft weiter',
    cancel: 'abgebrochen',
    open: 'geöffnet',
    close: 'geschlossen',
    lock: 'verriegelt',
    unlock: 'entriegelt',
    set: 'eingestellt',
    show: 'wird gezeigt',
    record: 'nimmt auf',
    up: 'hochgefahren',
    down: 'heruntergefahren',
    press: 'gedrückt',
    play: 'spielt',
    preheat: 'heizt vor',
    status: 'nach dem Stand gefragt',
  },
}

const verbFor = (intent: string, language: Language): string => {
  const family = familyOf(intent)
  return (family === undefined ? undefined : DONE[language][family]) ?? intent
}

const names = (devices: readonly (Pick<Device, 'name'> | undefined)[]): string =>
  devices.map((device) => tame(device?.name ?? '?')).join(', ')

const amount = (payload: Readonly<Record<string, unknown>>): string => {
  const values = Object.entries(payload).map(
    ([key, value]) => `${key} ${tame(typeof value === 'string' ? value : JSON.stringify(value), 40)}`,
  )
  return values.length === 0 ? '' : ` (${values.join(', ')})`
}

export const saying = {
  done: (
    devices: readonly (Device | undefined)[],
    intent: string,
    payload: Readonly<Record<string, unknown>>,
    language: Language,
  ): string => `${names(devices)}: ${verbFor(intent, language)}${amount(payload)}.`,
  dispatched: (
    devices: readonly (Device | undefined)[],
    intent: string,
    payload: Readonly<Record<string, unknown>>,
    language: Language,
  ): string =>
    language === 'de'
      ? `${names(devices)}: ${intent}${amount(payload)} ist unterwegs; das Gerät hat noch nicht geantwortet.`
      : `${names(devices)}: ${intent}${amount(payload)} is on its way; the device has not answered yet.`,
  refused: (device: Device | undefined, reason: string, language: Language): string =>
    language === 'de'
      ? `${names([device])}: nicht ausgeführt. ${tame(reason, 300)}`
      : `${names([device])}: not done. ${tame(reason, 300)}`,
  failed: (device: Device | undefined, status: string, reason: string, language: Language): string =>
    language === 'de'
      ? `${names([device])}: misslungen (${status}). ${tame(reason, 300)}`
      : `${names([device])}: failed (${status}). ${tame(reason, 300)}`,
  approval: (device: Device | undefined, effect: string, needed: number, language: Language): string =>
    language === 'de'
      ? `${names([device])} wartet auf Freigabe durch ${needed === 1 ? 'eine Person' : `${needed} Personen`}: ${tame(effect, 300)} Beantwortet wird auf der Seite Freigaben; „abbrechen“ nimmt es zurück.`
      : `${names([device])} waits for the yes of ${needed === 1 ? 'one person' : `${needed} people`}: ${tame(effect, 300)} It is answered on the page Approvals; "cancel" takes it back.`,
}

/** What is said to everything that asks nothing of a device. */
export const sayMeant = (meant: Meant, device: (id: string) => Device | undefined, language: Language): string => {
  const de = language === 'de'
  switch (meant.kind) {
    case 'question': {
      const list = meant.options.slice(0, 8).map((id) => {
        const found = device(id)
        return found === undefined
          ? id
          : `${tame(found.name)}${found.area === undefined ? '' : ` (${tame(found.area)})`}`
      })
      const options = list.length === 0 ? '' : list.join(', ')
      if (meant.about === 'name')
        return de
          ? `Das kenne ich nicht${meant.said ? `: „${tame(meant.said)}“` : ''}.${options === '' ? '' : ` Am nächsten kommen: ${options}.`}`
          : `I do not know that${meant.said ? `: "${tame(meant.said)}"` : ''}.${options === '' ? '' : ` The nearest: ${options}.`}`
      if (meant.about === 'value')
        return de
          ? `Auf welchen Wert${meant.field === undefined ? '' : ` (${tame(meant.field)})`}? ${options}`
          : `To what value${meant.field === undefined ? '' : ` (${tame(meant.field)})`}? ${options}`
      if (meant.about === 'intent')
        return de ? `Was soll damit geschehen: ${options}?` : `What shall be done with: ${options}?`
      if (meant.options.length === 1)
        return de ? `Bitte beim Namen nennen: ${options}.` : `Please say it by its name: ${options}.`
      return options === ''
        ? de
          ? 'Nichts hier kann das.'
          : 'Nothing here can do that.'
        : de
          ? `Welches davon: ${options}?`
          : `Which one: ${options}?`
    }
    case 'no':
      if (meant.why === 'negated') return de ? 'Verstanden: es geschieht nichts.' : 'Understood: nothing is done.'
      if (meant.why === 'told')
        return de
          ? 'Gut zu wissen; es geschieht nichts. Was soll ich tun?'
          : 'Good to know; nothing is done. What shall I do?'
      if (meant.why === 'later')
        return de
          ? 'Für später kann ich nichts vormerken; es geschieht nichts. Dafür gibt es Flows.'
          : 'I cannot keep that for later; nothing is done. Flows are for that.'
      if (meant.why === 'condition')
        return de
          ? 'Bedingungen kann ich nicht überwachen; es geschieht nichts. Dafür gibt es Flows.'
          : 'I cannot watch for a condition; nothing is done. Flows are for that.'
      if (meant.why === 'duration')
        return de
          ? 'Ich kann es nach dieser Zeit nicht wieder zurückstellen; es geschieht nichts.'
          : 'I could not put it back after that time; nothing is done.'
      if (meant.why === 'limit')
        return de
          ? `${names([device(meant.device ?? '')])} kann mit der Zahl ${tame(meant.said ?? '')} nichts anfangen; es geschieht nichts.`
          : `${names([device(meant.device ?? '')])} has no use for the number ${tame(meant.said ?? '')}; nothing is done.`
      return de
        ? `${names([device(meant.device ?? '')])} kann das nicht.${(meant.can ?? []).length > 0 ? ` Möglich ist: ${(meant.can ?? []).slice(0, 8).join(', ')}.` : ''}`
        : `${names([device(meant.device ?? '')])} cannot do that.${(meant.can ?? []).length > 0 ? ` It can: ${(meant.can ?? []).slice(0, 8).join(', ')}.` : ''}`
    case 'greeting':
      return de ? 'Hallo. Was soll geschehen?' : 'Hello. What shall be done?'
    case 'thanks':
      return de ? 'Gern.' : 'You are welcome.'
    case 'help':
      return de
        ? 'Sag zum Beispiel: „Schalte das Licht in der Werkstatt ein“, „Dimm es auf 30 Prozent“, „Ist das Tor offen?“, „Alles anhalten“.'
        : 'Say for example: "turn on the workshop lights", "dim them to 30 percent", "is the gate open?", "stop everything".'
    case 'unknown':
    case 'wishes':
    case 'state':
    case 'confirm':
    case 'cancel':
    case 'stop':
      return de ? 'Das habe ich nicht verstanden.' : 'I did not understand that.'
  }
}

const SHOWN = 4
const scalar = (value: unknown, language: Language): string => {
  if (value === true) return language === 'de' ? 'ja' : 'yes'
  if (value === false) return language === 'de' ? 'nein' : 'no'
  return tame(typeof value === 'string' ? value : JSON.stringify(value), 40)
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  open: ['open', 'is_open', 'contact', 'position', 'state', 'status'],
  closed: ['open', 'is_open', 'contact', 'position', 'state', 'status'],
  locked: ['locked', 'is_locked', 'state', 'status'],
  on: ['on', 'running', 'state', 'status', 'power'],
  off: ['on', 'running', 'state', 'status', 'power'],
  running: ['running', 'on', 'status', 'state'],
  temperature: ['celsius', 'temperature', 'current_temperature'],
  humidity: ['humidity'],
  progress: ['progress', 'status'],
  level: ['level', 'brightness', 'position'],
  occupied: ['occupied', 'people', 'presence'],
}
const YES = /^(?:true|on|open|opened|offen|locked|running|printing|ein|an|occupied|home)$/i

const claim = (aspect: string, value: unknown): boolean | undefined => {
  const yes =
    typeof value === 'boolean'
      ? value
      : typeof value === 'number'
        ? value > 0
        : typeof value === 'string'
          ? YES.test(value)
          : undefined
  return yes === undefined ? undefined : aspect === 'closed' || aspect === 'off' ? !yes : yes
}

const ASPECT_WORDS: Readonly<Record<Language, Readonly<Record<string, readonly [string, string]>>>> = {
  en: {
    open: ['open', 'closed'],
    closed: ['closed', 'open'],
    locked: ['locked', 'not locked'],
    on: ['on', 'off'],
    off: ['off', 'on'],
    running: ['running', 'not running'],
    occupied: ['occupied', 'empty'],
  },
  de: {
    open: ['offen', 'geschlossen'],
    closed: ['geschlossen', 'offen'],
    locked: ['verriegelt', 'nicht verriegelt'],
    on: ['an', 'aus'],
    off: ['aus', 'an'],
    running: ['in Betrieb', 'nicht in Betrieb'],
    occupied: ['besetzt', 'leer'],
  },
}

/** How a device is, as far as it said so itself. */
export const sayState = (device: Device, aspect: string | undefined, language: Language): string => {
  const de = language === 'de'
  const lost = device.online
    ? ''
    : de
      ? ' Es ist nicht verbunden; das war sein letzter Stand.'
      : ' It is not connected; this is what it said last.'
  const key = (aspect === undefined ? [] : (KEYS[aspect] ?? [])).find((one) => Object.hasOwn(device.state, one))
  const value = key === undefined ? undefined : device.state[key]
  const words = aspect === undefined ? undefined : ASPECT_WORDS[language][aspect]
  const isSo = aspect === undefined || words === undefined || value === undefined ? undefined : claim(aspect, value)
  if (words !== undefined && isSo !== undefined) {
    const answer = isSo ? (de ? 'Ja' : 'Yes') : de ? 'Nein' : 'No'
    return de
      ? `${answer}, ${tame(device.name)} ist ${isSo ? words[0] : words[1]}.${lost}`
      : `${answer}, ${tame(device.name)} is ${isSo ? words[0] : words[1]}.${lost}`
  }
  if (value !== undefined) {
    const unit =
      aspect === 'temperature'
        ? ' °C'
        : aspect === 'humidity' || aspect === 'progress' || aspect === 'level'
          ? ' %'
          : ''
    return `${tame(device.name)}: ${scalar(value, language)}${typeof value === 'number' ? unit : ''}.${lost}`
  }
  const shown = Object.entries(device.state)
    .filter(([, one]) => typeof one !== 'object' || one === null)
    .slice(0, SHOWN)
  if (shown.length === 0)
    return de
      ? `${tame(device.name)} hat noch nichts von sich gesagt.${lost}`
      : `${tame(device.name)} has said nothing of itself yet.${lost}`
  return `${tame(device.name)}: ${shown.map(([name, one]) => `${tame(name, 30)} ${scalar(one, language)}`).join(', ')}.${lost}`
}
