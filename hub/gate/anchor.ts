// The anchor: the head of the audit chain, signed, kept outside the database. Whoever rewrites the chain does not have what was written down elsewhere.
import { createHash, type KeyObject, sign, verify } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import { GATE } from '../bus/principal.ts'
import { type Clock, iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import { message } from '../streams/message.ts'
import type { Tables } from '../store/store.ts'
import { storedHead } from './audit.ts'
import { canonical } from './canonical.ts'
import type { HeadKey } from './key-files.ts'
import type { PolicyFile } from './policy/schema.ts'

/** One line of the file, and the event `safety/events/audit-head`. */
export const SignedHead = z.looseObject({
  n: z.number().int().min(0),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  at: z.string(),
  /** Fingerprint of the key. */
  key: z.string().max(64),
  signature: z.string().max(200),
})
export type SignedHead = z.output<typeof SignedHead>

const FIRST_LOOK_MS = 60_000
const MINUTE = 60_000

export const fingerprint = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16)

const textOf = ({ n, hash, at, key }: Pick<SignedHead, 'n' | 'hash' | 'at' | 'key'>): string =>
  canonical({ n, hash, at, key })

export const signedHead = (
  { n, hash }: { n: number; hash: string },
  at: string,
  { privateKey, publicKey }: HeadKey,
): SignedHead => {
  const head = { n, hash, at, key: fingerprint(publicKey) }
  return { ...head, signature: sign(null, Buffer.from(textOf(head)), privateKey).toString('base64') }
}

/** Whether a head was signed with this key. */
export const isSigned = (head: SignedHead, publicKey: KeyObject): boolean =>
  verify(null, Buffer.from(textOf(head)), publicKey, Buffer.from(head.signature, 'base64'))

export interface AnchorParts {
  db: Kysely<Tables>
  bus: Pick<Bus, 'publish'>
  clock: Clock
  health: Pick<Health, 'set' | 'drop' | 'report'>
  key: HeadKey
  /** Read each time: the policy may change. */
  settings: () => PolicyFile['audit']
  /** The file when none is named. */
  usual: string
}

/** Writes the signed head on the schedule of the policy and at the end, when it moved. */
export const openAnchor = ({ db, bus, clock, health, key, settings, usual }: AnchorParts) => {
  let last = -1
  let failing = false
  let timer: NodeJS.Timeout | undefined
  let over = false

  /** Appends the head, and tells of it while there is somebody to tell. Never throws: what goes wrong is on the health page. */
  const anchor = async (): Promise<void> => {
    const file = settings().anchorFile ?? usual
    try {
      const head = await storedHead(db)
      if (head === undefined || head.n === last) return
      const signed = signedHead(head, iso(clock.now()), key)
      const handle = await openFile(file, 'a', 0o600)
      try {
        await handle.write(`${JSON.stringify(signed)}\n`)
        await handle.sync()
      } finally {
        await handle.close()
      }
      last = head.n
      if (failing) health.set('anchor', 'healthy')
      failing = false
      // The broker stops before the gate does.
      if (over) return
      bus.publish(
        GATE,
        message('safety/events/{event}', { event: 'audit-head' }, { ...signed, type: 'audit-head', by: 'gate' }),
      )
    } catch (error) {
      failing = true
      health.set(
        'anchor',
        'degraded',
        `The head of the audit could not be written to ${file}: ${reasonOf(error)}. See audit.anchorFile in policy.yaml.`,
      )
    }
  }

  const next = (ms: number): void => {
    if (over) return
    timer = setTimeout(() => void anchor().finally(() => next(settings().anchorMinutes * MINUTE)), ms)
    timer.unref()
  }
  next(FIRST_LOOK_MS)

  return {
    anchor,
    async close(): Promise<void> {
      over = true
      clearTimeout(timer)
      await anchor().catch(() => {})
    },
  }
}

/** The heads of a file, in order. A line that is none is told with its number. */
export async function* readHeads(file: string): AsyncGenerator<{ line: number; head: SignedHead | undefined }> {
  let line = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    line++
    if (text.trim() === '') continue
    yield { line, head: headIn(text) }
  }
}

/** As much of the end of the file as holds several heads. */
const TAIL_BYTES = 8192

/** The newest head of a file, which is not read whole; none when there is no file. Never throws. */
export const newestHead = async (
  path: string,
  publicKey: KeyObject,
): Promise<{ newest?: SignedHead; wrong?: string }> => {
  try {
    const file = await openFile(path, 'r')
    try {
      const { size } = await file.stat()
      const from = Math.max(0, size - TAIL_BYTES)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
      const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
      // A line that was cut, at either end, is no head.
      const newest = lines.map(headIn).findLast((head) => head !== undefined)
      if (newest === undefined) return size === 0 ? {} : { wrong: 'the end of the file holds no head' }
      return isSigned(newest, publicKey)
        ? { newest }
        : { newest, wrong: "the newest head was not signed by this hub's key, or was changed" }
    } finally {
      await file.close()
    }
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? {} : { wrong: reasonOf(error) }
  }
}

const headIn = (text: string): SignedHead | undefined => {
  try {
    return SignedHead.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
