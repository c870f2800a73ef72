// What somebody may have meant: devices and intents whose names come near.
import type { Device } from '#hub/plugin'
import { fillers } from './fillers.ts'
import { catalogue, verbOf } from './intents.ts'
import type { Target } from './targets.ts'
import type { Known } from './vocabulary.ts'
import { apart, type Token, tokens } from './words.ts'

const MOST_OPTIONS = 8

/** Devices whose names come near what was said. */
export const nearDevices = (
  target: Target,
  words: readonly Token[],
  all: readonly Known[],
  can: (device: Device) => boolean,
): string[] => {
  const near = target.considered.map(({ device }) => device)
  if (near.length > 0) return near.slice(0, MOST_OPTIONS)
  const said = words.filter(({ word }) => !fillers.has(word) && word.length > 2)
  const close = all
    .filter(({ device }) => can(device))
    .map(({ device, words: its }) => ({
      id: device.id,
      by: Math.min(...said.map(({ word }) => Math.min(...its.map((one) => apart(word, one, 3)), 4)), 4),
    }))
    .sort((a, b) => a.by - b.by)
  return close
    .filter(({ by }) => by <= 3)
    .slice(0, 3)
    .map(({ id }) => id)
}

/** The intents that come nearest to what was said, at most three. */
export const nearIntents = (said: string, devices: readonly Device[]): string[] => {
  const words = tokens(said.replaceAll(/[._]/g, ' '))
  const names = [
    ...new Set([...devices.flatMap((device) => Object.keys(device.intents)), ...catalogue.map(({ intent }) => intent)]),
  ]
  return names
    .map((intent) => ({
      intent,
      by: Math.min(
        ...words.flatMap(({ word }) =>
          [verbOf(intent), ...intent.split(/[._]/)].map((piece) => apart(word, piece, 3) + (word.length < 3 ? 3 : 0)),
        ),
        4,
      ),
    }))
    .sort((a, b) => a.by - b.by || (a.intent < b.intent ? -1 : 1))
    .slice(0, 3)
    .map(({ intent }) => intent)
}
