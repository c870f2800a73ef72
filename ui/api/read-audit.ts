// Reading the audit: its rows, and whether the chain of them is whole.
import { count, instant, isRecord, optional, record, text, type Json } from './read.ts'

export interface AuditRow {
  n: number
  /** ms since 1970 by the hub's clock. */
  at: number
  event: string
  /** What it is about, such as the id of a command. */
  subject: string
  who: string
  device: string
  intent: string
  detail: Json
  hash: string
}

export interface AuditQuery {
  who?: string
  device?: string
  /** A name, or its beginning with a * at the end. */
  event?: string
  /** ms since 1970 by the hub's clock. */
  since?: number
  until?: number
  /** Rows before this number. */
  before?: number
  limit?: number
}

export interface AuditCheck {
  ok: boolean
  rows: number
  /** The first row that is not as it was written. */
  firstBad?: { n: number; why: string }
}

/** Where the chain ends, and what was written down of it outside the database. */
export interface AuditHead {
  /** The last row. */
  n: number
  hash: string
  /** Missing where the hub keeps no heads. */
  anchored?: {
    file: string
    everyMinutes: number
    /** Fingerprint of the key that signs. */
    key: string
    /** The newest signed head; missing while none was written. */
    newest?: { n: number; hash: string; at: number; key: string }
    /** Why the newest head does not count. */
    wrong?: string
  }
}

const readAnchored = (value: Json): NonNullable<AuditHead['anchored']> => {
  const newest = value['newest']
  return {
    file: text(value['file']) ?? '',
    everyMinutes: count(value['everyMinutes']),
    key: text(value['key']) ?? '',
    ...(isRecord(newest)
      ? {
          newest: {
            n: count(newest['n']),
            hash: text(newest['hash']) ?? '',
            at: instant(newest['at']),
            key: text(newest['key']) ?? '',
          },
        }
      : {}),
    ...optional({ wrong: text(value['wrong']) }),
  }
}

export const readAuditHead = (value: unknown): AuditHead | undefined => {
  if (!isRecord(value) || typeof value['n'] !== 'number') return undefined
  const anchored = value['anchored']
  return {
    n: value['n'],
    hash: text(value['hash']) ?? '',
    ...(isRecord(anchored) ? { anchored: readAnchored(anchored) } : {}),
  }
}

export const readAuditRow = (value: unknown): AuditRow | undefined => {
  if (!isRecord(value) || typeof value['n'] !== 'number') return undefined
  const event = text(value['event'])
  if (event === undefined) return undefined
  return {
    n: value['n'],
    at: instant(value['at']),
    event,
    subject: text(value['subject']) ?? '',
    who: text(value['who']) ?? '',
    device: text(value['device']) ?? '',
    intent: text(value['intent']) ?? '',
    detail: record(value['detail']),
    hash: text(value['hash']) ?? '',
  }
}

export const readAuditCheck = (value: unknown): AuditCheck | undefined => {
  if (!isRecord(value) || typeof value['ok'] !== 'boolean') return undefined
  const bad = value['firstBad']
  return {
    ok: value['ok'],
    rows: count(value['rows']),
    ...(isRecord(bad) ? { firstBad: { n: count(bad['n']), why: text(bad['why']) ?? '' } } : {}),
  }
}
