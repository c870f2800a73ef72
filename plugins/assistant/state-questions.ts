// Questions about how things are, to the devices they are about.
import type { Device } from '#hub/plugin'
import { consideredOf } from './clause-wishes.ts'
import { spell } from './clauses.ts'
import { aspectOf, QUESTION_WORDS } from './questions.ts'
import { targetsOf } from './targets.ts'
import type { Understanding, World } from './understander.ts'
import type { Known } from './vocabulary.ts'
import type { Token } from './words.ts'

const MOST_OPTIONS = 8

/** What only some devices of a place measure. */
const READINGS = new Set(['temperature', 'humidity', 'occupied'])

/** Words for the whole of where one is, when no area is called so. */
const WHOLE =
  /^(?:workshop|shop|werkstatt|house|home|haus|hause|building|gebaeude|hall|halle|room|raum|place|hier|here|inside|drinnen)$/

export const readQuestion = (
  bare: readonly Token[],
  all: readonly Known[],
  { before }: World,
  language: 'en' | 'de',
): Understanding => {
  const taken = new Set(bare.flatMap(({ word }, i) => (QUESTION_WORDS.has(word) ? [i] : [])))
  const aspect = aspectOf(bare)
  const isReading = aspect !== undefined && READINGS.has(aspect)
  const target = targetsOf({
    words: bare,
    taken,
    all,
    can: () => true,
    zone: before.zone,
    fits: isReading ? (device) => readsOf(device, aspect) : undefined,
    byAbility: isReading || aspect === 'level' ? undefined : 'all',
  })
  const matched = [{ words: spell(bare), as: `question${aspect === undefined ? '' : ` about ${aspect}`}` }]
  const isBare =
    isReading &&
    target.devices.length === 0 &&
    target.unknown.every((word) => aspectOf([{ word }]) === aspect || WHOLE.test(word))
  if (target.isEmpty || isBare) {
    const about = isReading ? all.filter(({ device }) => readsOf(device, aspect)).map(({ device }) => device.id) : []
    const ids = about.length > 0 ? about : before.devices.filter((id) => all.some(({ device }) => device.id === id))
    if (ids.length > 0)
      return {
        meant: { kind: 'state', devices: [...ids], aspect, words: [] },
        language,
        confidence: 0.8,
        matched,
        considered: [],
      }
    return { meant: { kind: 'unknown', near: [] }, language, confidence: 0.2, matched, considered: [] }
  }
  const devices = isReading ? preferReading(target.devices, aspect, all) : target.devices
  if (devices.length === 0 || (target.unknown.length > 0 && !(target.considered[0]?.why.includes('100 %') ?? false)))
    return {
      meant: {
        kind: 'question',
        about: 'name',
        options: target.considered.map(({ device }) => device).slice(0, 3),
        said: target.unknown.join(' ').slice(0, 80),
      },
      language,
      confidence: 0.3,
      matched,
      considered: consideredOf({ ...target, devices: [] }),
    }
  return {
    meant: {
      kind: 'state',
      devices: devices.map(({ id }) => id).slice(0, MOST_OPTIONS),
      aspect,
      words: bare.map(({ word }) => word),
    },
    language,
    confidence: 0.9,
    matched: [...matched, ...devices.slice(0, MOST_OPTIONS).map(({ id }) => ({ words: spell(bare), as: id }))],
    considered: consideredOf(target),
  }
}

const readsOf = (device: Device, aspect: string): boolean =>
  aspect === 'temperature'
    ? ['celsius', 'temperature', 'current_temperature'].some((key) => typeof device.state[key] === 'number') &&
      /climate|thermo|temp|sensor/.test(`${device.kind} ${device.id}`)
    : aspect === 'humidity'
      ? typeof device.state['humidity'] === 'number'
      : ['occupied', 'people', 'presence'].some((key) => Object.hasOwn(device.state, key))

/** A place was asked about: of its devices the one that measures it. */
const preferReading = (devices: readonly Device[], aspect: string, all: readonly Known[]): Device[] => {
  const reading = devices.filter((device) => readsOf(device, aspect))
  if (reading.length > 0) return reading
  const area = devices[0]?.area
  const near = all
    .map(({ device }) => device)
    .filter((device) => device.area === area && area !== undefined && readsOf(device, aspect))
  return devices.length > 1 && near.length > 0 ? near : [...devices]
}
