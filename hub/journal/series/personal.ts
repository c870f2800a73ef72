// What tells where people are or who they are is not rolled up: it would outlive the journal by years.

/** Words of a device's kind; one is enough. */
const KINDS = new Set([
  'presence',
  'occupancy',
  'motion',
  'person',
  'people',
  'badge',
  'card',
  'rfid',
  'nfc',
  'tracker',
  'phone',
  'wearable',
  'face',
])

/** Words of a field's name; one is enough. */
const FIELDS = new Set([
  ...KINDS,
  'occupied',
  'present',
  'persons',
  'visitor',
  'visitors',
  'user',
  'users',
  'member',
  'members',
  'uid',
  'pin',
  'heartrate',
  'latitude',
  'longitude',
  'lat',
  'lon',
  'lng',
  'gps',
])

const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)

/** Whether everything a device of this kind says is about people: `presence`, `badge_reader`, `device_tracker`. */
export const isPersonalKind = (kind: string): boolean => wordsOf(kind).some((word) => KINDS.has(word))

/** Whether a field is about people by its name: `occupied`, `peopleCount`, `gps_lat`. */
export const isPersonalField = (field: string): boolean => wordsOf(field).some((word) => FIELDS.has(word))
