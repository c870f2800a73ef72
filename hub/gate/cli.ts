// `npm run audit -- verify | show | export`: whether anybody changed the audit, what it says, and all of it in a file.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Kysely } from 'kysely'
import { iso } from '../clock.ts'
import { Fatal, reasonOf } from '../errors.ts'
import type { Store, Tables } from '../store/store.ts'
import { readPolicy } from './policy/read.ts'
import { type Heads, headsIn, verifyAudit } from './verify.ts'

const USAGE = `Usage: npm run audit -- <verify | show | export> [options]

  verify   walk the whole audit chain; the first row that was changed, removed or moved is named,
           and an end that was cut off, by the signed heads kept outside the database
      --heads FILE   the file of signed heads (default: audit.anchorFile of policy.yaml, or audit-heads.jsonl in the data folder)
      --key FILE     the public key they were signed with (default: keys/audit-head.pub.pem in the data folder)
  show     print rows, newest last
      --limit N      so many (default 50)
      --event NAME   only these; 'refused.*' for all that begin so
      --device ID  --subject ID  --who ORIGIN   only these
  export FILE        write all rows to a new file, one JSON object per line

Exit code 0 when all is well, 1 when the chain is not whole, 2 for a wrong call.`

const PAGE = 5000
const MOST_SHOWN = 100_000

/** Runs the command line `args` (without node and script). `dataDir` is where heads and key lie. Resolves to the exit code. */
export const auditCommand = async (
  args: readonly string[],
  store: Pick<Store, 'db'>,
  print: (line: string) => void = console.log,
  dataDir?: string,
): Promise<number> => {
  const wrong = (why: string): number => {
    print(`${why}\n\n${USAGE}`)
    return 2
  }
  let call: ReturnType<typeof parsed>
  try {
    call = parsed(args)
  } catch (error) {
    return wrong(reasonOf(error))
  }
  const { values, positionals } = call
  const [command, file, ...rest] = positionals
  if (rest.length > 0) return wrong(`'${rest.join(' ')}' is too much.`)
  if (command === 'verify' && file === undefined) return verify(store, print, await headsFor(values, dataDir))
  if (command === 'show' && file === undefined) {
    const limit = Number(values.limit ?? 50)
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_SHOWN)
      return wrong(`--limit takes a number from 1 to ${MOST_SHOWN}.`)
    return show(store.db, print, { ...values, limit })
  }
  if (command === 'export')
    return file === undefined ? wrong('export takes the name of a new file.') : exportTo(store.db, print, file)
  return wrong(command === undefined ? 'Say what to do.' : `There is no '${command}'.`)
}

const parsed = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      heads: { type: 'string' },
      key: { type: 'string' },
      limit: { type: 'string' },
      event: { type: 'string' },
      device: { type: 'string' },
      subject: { type: 'string' },
      who: { type: 'string' },
    },
  })

/** The signed heads to hold the chain against; undefined when there are none to be found. */
const headsFor = async (
  { heads, key }: { heads?: string; key?: string },
  dataDir: string | undefined,
): Promise<Heads | undefined> => {
  const keyPath = key ?? (dataDir === undefined ? undefined : join(dataDir, 'keys', 'audit-head.pub.pem'))
  const file = heads ?? (dataDir === undefined ? undefined : (anchorIn(dataDir) ?? join(dataDir, 'audit-heads.jsonl')))
  if (file === undefined || keyPath === undefined) return undefined
  if (!existsSync(keyPath)) {
    if (key === undefined && heads === undefined) return undefined
    throw new Fatal(`${keyPath} is not there: name the public key with --key.`)
  }
  if (heads !== undefined && !existsSync(heads)) throw new Fatal(`${heads} is not there.`)
  return headsIn(file, publicKeyIn(keyPath))
}

const publicKeyIn = (path: string): KeyObject => {
  try {
    return createPublicKey(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Fatal(`${path} is not a public key in PEM: ${reasonOf(error)}`, error)
  }
}

const anchorIn = (dataDir: string): string | undefined => {
  const path = join(dataDir, 'policy.yaml')
  const read = existsSync(path) ? readPolicy(readFileSync(path, 'utf8')) : undefined
  return read?.ok === true ? read.policy.settings.audit.anchorFile : undefined
}

const verify = async (
  store: Pick<Store, 'db'>,
  print: (line: string) => void,
  heads: Heads | undefined,
): Promise<number> => {
  const { rows, ok, firstBad, heads: looked = 0 } = await verifyAudit(store.db, heads)
  if (ok) {
    print(
      heads === undefined || looked === 0
        ? `The audit chain is whole: ${rows} rows. No signed heads were found to hold it against (see audit.anchorFile in docs/safety.md).`
        : `The audit chain is whole: ${rows} rows, and it holds all ${looked} signed heads.`,
    )
    return 0
  }
  print(`The audit chain is broken at row ${firstBad?.n ?? '?'}: ${firstBad?.why ?? 'unknown'}.`)
  print(
    `${rows} rows before it are as they were written. Compare the database with a backup, and find out who had access to it.`,
  )
  return 1
}

interface Filters {
  limit: number
  event?: string
  device?: string
  subject?: string
  who?: string
}

const show = async (
  db: Kysely<Tables>,
  print: (line: string) => void,
  { limit, event, device, subject, who }: Filters,
): Promise<number> => {
  let query = db.selectFrom('audit').selectAll().orderBy('n', 'desc').limit(limit)
  if (event?.endsWith('*') === true)
    query = query.where('event', 'like', `${event.slice(0, -1).replace(/[%_\\]/g, '')}%`)
  else if (event !== undefined) query = query.where('event', '=', event)
  if (device !== undefined) query = query.where('device', '=', device)
  if (subject !== undefined) query = query.where('subject', '=', subject)
  if (who !== undefined) query = query.where('who', '=', who)
  for (const row of (await query.execute()).reverse()) {
    const { n, at, event: name, who: by, device: to, intent, subject: about, detail } = row
    print(
      [
        String(n).padStart(8),
        iso(Number(at)),
        name.padEnd(18),
        by,
        [to, intent].filter(Boolean).join(' '),
        about,
        detail,
      ].join('  '),
    )
  }
  return 0
}

const exportTo = async (db: Kysely<Tables>, print: (line: string) => void, file: string): Promise<number> => {
  const out = createWriteStream(file, { flags: 'wx', mode: 0o600 })
  await once(out, 'open').catch((error: unknown) => {
    throw new Fatal(`${file} cannot be made: ${reasonOf(error)}. Name a file that is not there yet.`, error)
  })
  let after = -1
  let rows = 0
  for (;;) {
    const page = await db.selectFrom('audit').selectAll().where('n', '>', after).orderBy('n').limit(PAGE).execute()
    const text = page.map((row) => `${JSON.stringify({ ...row, n: Number(row.n), at: Number(row.at) })}\n`).join('')
    if (!out.write(text)) await once(out, 'drain')
    rows += page.length
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) break
    after = Number(last.n)
  }
  out.end()
  await once(out, 'finish')
  print(
    `${rows} rows are in ${file}. Each holds the hash of the one before (prev); the hash is SHA-256 of prev and the canonical JSON of the other fields.`,
  )
  return 0
}
