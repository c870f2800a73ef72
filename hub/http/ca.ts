// HTTPS without a cloud: an authority of the hub's own, made at its first start, that can vouch for this hub only.
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { BlockList, isIP } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, iso } from '../clock.ts'
import { Fatal, reasonOf } from '../errors.ts'
import { isSiteAddress } from '../health/site.ts'
import type { Log } from '../health/report.ts'
import type { Routes } from './app.ts'
import { authorityCertificate, serverCertificate } from './certificate.ts'

export interface KeyPair {
  /** PEM. */
  key: string
  cert: string
}

export interface Tls extends KeyPair {
  /** The authority's certificate, PEM, for phones to install. */
  readonly ca: string
  /** Told when the certificate was renewed; returns the function that ends it. */
  onRenew(tell: (pair: KeyPair) => void): () => void
  /** Looks whether a renewal is due; also done twice a day. */
  check(): Promise<void>
  close(): void
}

export interface TlsOptions {
  /** `<data>/tls`. */
  dir: string
  names: readonly string[]
  /** A function is asked again at each check: `() => ownHosts().addresses`. */
  addresses: readonly string[] | (() => readonly string[])
  clock: Pick<Clock, 'now'>
  log: Log
}

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3_650
/** What browsers accept at most from a new certificate, less a day. */
const SERVER_DAYS = 397
const RENEW_BEFORE_DAYS = 30
const CHECK_MS = DAY_MS / 2
/** Phones and boards without a time server may be a day behind. */
const BACKDATE_MS = DAY_MS

/** The hub's own names and private addresses, for the certificate. */
export const ownHosts = (): { names: string[]; addresses: string[] } => {
  const name = hostname().toLowerCase().split('.')[0] ?? ''
  const own = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? [name, `${name}.local`] : []
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ address }) => address.split('%')[0] ?? '')
    .filter((address) => isSiteAddress(address) && !isLinkLocal(address))
  return { names: [...new Set([...own, 'localhost'])], addresses: [...new Set(['127.0.0.1', '::1', ...addresses])] }
}

const linkLocal = new BlockList()
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4')
linkLocal.addSubnet('fe80::', 10, 'ipv6')
const isLinkLocal = (address: string): boolean => linkLocal.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')

/**
 * Opens the hub's TLS: reads or makes the authority, and a server certificate of 397 days that is renewed 30 days before its
 * end and when names or addresses change. The authority's constraints are fixed when it is made: an address it does not
 * cover is left out of the certificate and logged. Rejects with Fatal when the files do not belong together.
 */
export const openTls = async (options: TlsOptions): Promise<Tls> => {
  const { dir, clock, log } = options
  const listeners = new Set<(pair: KeyPair) => void>()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const authority = await openAuthority(options)
  let uncovered = ''

  const current = async (): Promise<KeyPair> => {
    const wanted = authority.covers(options.names, addressesOf(options))
    if (wanted.uncovered.length > 0 && wanted.uncovered.join() !== uncovered) {
      log.warn('tls.uncovered', {
        addresses: wanted.uncovered,
        hint: `HTTPS works by name (${wanted.names.join(', ')}). To cover these addresses too, delete ${dir}, start again, and install the new /api/ca.pem on phones.`,
      })
    }
    uncovered = wanted.uncovered.join()
    const kept = await readPair(dir)
    if (kept !== undefined && fits(kept, authority.cert, wanted, clock.now())) return kept
    const key = newKey()
    const cert = serverCertificate({
      key,
      name: wanted.names[0] ?? 'localhost',
      hosts: wanted,
      authority: { key: authority.key, name: authority.name },
      from: clock.now() - BACKDATE_MS,
      until: clock.now() - BACKDATE_MS + SERVER_DAYS * DAY_MS,
    })
    const pair = { key: pemOf(key), cert: cert + authority.pem }
    await write(join(dir, 'server.key'), pair.key)
    await write(join(dir, 'server.pem'), pair.cert)
    log.info('tls.issued', { names: wanted.names, addresses: wanted.addresses, days: SERVER_DAYS })
    return pair
  }

  let pair = await current()
  const check = async (): Promise<void> => {
    const next = await current()
    if (next.cert === pair.cert) return
    pair = next
    for (const tell of listeners) tell(pair)
  }
  const timer = setInterval(() => {
    check().catch((error: unknown) => log.error('tls.not_renewed', { reason: reasonOf(error) }))
  }, CHECK_MS).unref()

  return {
    get key() {
      return pair.key
    },
    get cert() {
      return pair.cert
    },
    ca: authority.pem,
    onRenew: (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    check,
    close: () => {
      clearInterval(timer)
      listeners.clear()
    },
  }
}

interface Authority {
  key: KeyObject
  cert: X509Certificate
  pem: string
  name: string
  /** Which of these hosts it may vouch for. */
  covers(
    names: readonly string[],
    addresses: readonly string[],
  ): { names: string[]; addresses: string[]; uncovered: string[] }
}

const addressesOf = ({ addresses }: Pick<TlsOptions, 'addresses'>): readonly string[] =>
  typeof addresses === 'function' ? addresses() : addresses

/** One file, moved into place whole, so that key, certificate and constraints always belong together. */
const openAuthority = async ({ dir, names, clock, log, ...options }: TlsOptions): Promise<Authority> => {
  const path = join(dir, 'ca.json')
  const kept = await readIf(path)
  if (kept === undefined) {
    const name = `Millrace ${names[0] ?? 'hub'} ${iso(clock.now()).slice(0, 10)}`
    const key = newKey()
    const addresses = addressesOf(options)
    const from = clock.now() - BACKDATE_MS
    const cert = authorityCertificate({
      key,
      name,
      hosts: { names, addresses },
      from,
      until: from + AUTHORITY_DAYS * DAY_MS,
    })
    await write(path, JSON.stringify({ name, names, addresses, cert, key: pemOf(key) }))
    await write(join(dir, 'ca.pem'), cert)
    log.info('tls.authority_made', { name, names, addresses })
    return authorityOf(key, cert, name, { names, addresses })
  }
  try {
    const { name, cert, key: keyText, ...hosts } = Kept.parse(JSON.parse(kept))
    const key = createPrivateKey(keyText)
    if (!new X509Certificate(cert).checkPrivateKey(key))
      throw new Error('its key and certificate do not belong together')
    if ((await readIf(join(dir, 'ca.pem'))) !== cert) await write(join(dir, 'ca.pem'), cert)
    return authorityOf(key, cert, name, hosts)
  } catch (error) {
    if (error instanceof Fatal) throw error
    throw new Fatal(
      `The hub's authority in ${path} cannot be used: ${reasonOf(error)}. Restore the file from a backup, or delete ${dir} to make a new authority (phones must then install /api/ca.pem again).`,
      error,
    )
  }
}

const Kept = z.object({
  name: z.string(),
  names: z.array(z.string()),
  addresses: z.array(z.string()),
  cert: z.string(),
  key: z.string(),
})

const authorityOf = (
  key: KeyObject,
  pem: string,
  name: string,
  hosts: { names: readonly string[]; addresses: readonly string[] },
): Authority => ({
  key,
  pem,
  name,
  cert: new X509Certificate(pem),
  covers: (names, addresses) => ({
    names: names.filter((host) => hosts.names.includes(host)),
    addresses: addresses.filter((address) => hosts.addresses.includes(address)),
    uncovered: [
      ...names.filter((host) => !hosts.names.includes(host)),
      ...addresses.filter((address) => !hosts.addresses.includes(address)),
    ],
  }),
})

const readPair = async (dir: string): Promise<KeyPair | undefined> => {
  const [key, cert] = await Promise.all([readIf(join(dir, 'server.key')), readIf(join(dir, 'server.pem'))])
  return key === undefined || cert === undefined ? undefined : { key, cert }
}

/** Whether a kept pair can still be used. A torn or foreign one cannot, and is replaced. */
const fits = (
  pair: KeyPair,
  ca: X509Certificate,
  wanted: { names: string[]; addresses: string[] },
  now: number,
): boolean => {
  try {
    const cert = new X509Certificate(pair.cert)
    const days = (Date.parse(cert.validTo) - now) / DAY_MS
    return (
      days >= RENEW_BEFORE_DAYS &&
      Date.parse(cert.validFrom) <= now &&
      cert.verify(ca.publicKey) &&
      cert.checkPrivateKey(createPrivateKey(pair.key)) &&
      wanted.names.every((name) => cert.checkHost(name) !== undefined) &&
      wanted.addresses.every((address) => cert.checkIP(address) !== undefined)
    )
  } catch {
    return false
  }
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()

const readIf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new Fatal(`${path} cannot be read: ${reasonOf(error)}`, error)
  }
}

/** Written beside, synced, then moved into place: a cut start never leaves half a file under the name. */
const write = async (path: string, text: string): Promise<void> => {
  const beside = `${path}.new`
  try {
    const file = await open(beside, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    throw new Fatal(`${path} cannot be written: ${reasonOf(error)}`, error)
  }
}

/** GET /api/ca.pem: the authority's certificate, so that a phone can install it. */
export const caRoutes =
  (tls: Pick<Tls, 'ca'>): Routes =>
  (app) => {
    app.get(
      '/api/ca.pem',
      {
        config: { may: 'public' },
        schema: {
          tags: ['access'],
          description: "The hub's certificate authority, to be installed on phones and tablets.",
        },
      },
      (_, reply) =>
        reply
          .type('application/x-x509-ca-cert')
          .header('content-disposition', 'attachment; filename="millrace-ca.pem"')
          .header('cache-control', 'no-cache')
          .send(tls.ca),
    )
  }
