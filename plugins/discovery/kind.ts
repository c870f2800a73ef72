// The kind of an announced device: its most telling platform, and stricter when its name sounds like a machine that hurts.

/** The first of these that a device has is its kind. */
const ORDER = [
  'climate',
  'lock',
  'cover',
  'light',
  'fan',
  'siren',
  'switch',
  'button',
  'number',
  'select',
  'text',
  'binary_sensor',
  'sensor',
]

/** Words, English and German, and the machine they mean. Kinds with such a word are of a hazard class. */
const MACHINES: readonly (readonly [RegExp, string])[] = [
  [/weld|schwei(ss|ß)/, 'welder'],
  [/laser/, 'laser'],
  [/\bcnc\b|fr(ä|ae)s|router table/, 'cnc'],
  [/\bmill(ing)?\b/, 'mill'],
  [/lathe|drehbank|drehmaschine/, 'lathe'],
  [/plasma/, 'plasma'],
  [/furnace|schmelzofen/, 'furnace'],
  [/\bkiln\b|brennofen/, 'kiln'],
  [/\bsaw\b|(table|band|chain|circular|mitre|miter)saw|s(ä|ae)ge\b/, 'saw'],
]

/** A name can only make a device stricter: no word in it takes a hazard away. */
export const kindOf = (platforms: readonly string[], names: readonly (string | undefined)[]): string => {
  const platform = ORDER.find((one) => platforms.includes(one)) ?? 'sensor'
  const text = names
    .filter((name) => name !== undefined)
    .join(' \n ')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[_-]/g, ' ')
  const machine = MACHINES.find(([word]) => word.test(text))?.[1]
  return machine === undefined ? platform : `${machine}_${platform}`
}
