// Foreign names become device ids once: slugged, kept, never changed by a rename.
import { createHash } from 'node:crypto'

const MAX_ID = 63
const HASH = 8

/** A foreign name in the form of a device id: `Prusa MK4 (left)` → `prusa_mk4_left`; `device` when nothing is left. */
export const slug = (name: string): string => {
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/ß/g, 'ss')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+/, '')
    .slice(0, MAX_ID)
    .replace(/_+$/, '')
  return plain === '' ? 'device' : plain
}

/** The id for a foreign name, given which ids are taken: the slug, or the slug with a hash of who calls what so. */
export const freeId = (foreign: { by: string; key: string; name: string }, taken: (id: string) => boolean): string => {
  const plain = slug(foreign.name)
  if (!taken(plain)) return plain
  for (let salt = 0; ; salt++) {
    const hash = createHash('sha256')
      .update(JSON.stringify([foreign.by, foreign.key, salt]))
      .digest('hex')
      .slice(0, HASH)
    const id = `${plain.slice(0, MAX_ID - HASH - 1)}_${hash}`
    if (!taken(id)) return id
  }
}
