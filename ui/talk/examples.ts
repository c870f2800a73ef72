// Sentences to begin with, about devices that are there.
import type { DeviceView } from '../live/state.ts'

type Known = Pick<DeviceView, 'name' | 'kind' | 'state' | 'area' | 'intents'>

const USUAL = [
  'Turn on the bench light',
  'Turn it off',
  'Is the door closed?',
  'How warm is it in the workshop?',
  'Schalte die Absaugung ein',
]

/** A name inside a sentence: `Bench light` → `bench light`; abbreviations and names with figures stay. */
const inside = (name: string): string => (/^[A-Z][a-z ]+$/.test(name) ? name.toLowerCase() : name)

/** What could be said to these devices; of the workshop everybody has in mind when there are none yet. */
export const examplesFor = (devices: readonly Known[]): readonly string[] => {
  const light = devices.find(({ intents }) => 'light.turn_on' in intents)
  const door = devices.find(({ state }) => typeof state['open'] === 'boolean')
  const warm = devices.find(
    ({ state, area, kind }) => area !== undefined && /climate|therm/.test(kind) && 'temperature_c' in state,
  )
  const found = [
    ...(light ? [`Turn on the ${inside(light.name)}`, 'Turn it off'] : []),
    ...(door ? [`Is the ${inside(door.name)} closed?`] : []),
    ...(warm?.area === undefined ? [] : [`How warm is it in the ${inside(warm.area)}?`]),
    ...(light ? [`Schalte ${light.name} ein`] : []),
  ]
  return found.length === 0 ? USUAL : found
}
