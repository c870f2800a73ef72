// X.509 certificates (RFC 5280) for the hub's own authority and server: ECDSA P-256, written in DER, signed by node:crypto.
import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'
import * as der from './der.ts'

/** Host names and IP addresses. */
export interface Hosts {
  names: readonly string[]
  addresses: readonly string[]
}

interface Validity {
  /** ms since 1970. */
  from: number
  until: number
}

const ECDSA_SHA256 = der.sequence(der.oid('1.2.840.10045.4.3.2'))
const COMMON_NAME = '2.5.4.3'
const ORGANIZATION = '2.5.4.10'
const SUBJECT_KEY_ID = '2.5.29.14'
const KEY_USAGE = '2.5.29.15'
const ALT_NAMES = '2.5.29.17'
const BASIC_CONSTRAINTS = '2.5.29.19'
const NAME_CONSTRAINTS = '2.5.29.30'
const AUTHORITY_KEY_ID = '2.5.29.35'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** The certificate of an authority that can vouch for nothing but these hosts: its name constraints are critical (RFC 5280, 4.2.1.10). PEM. */
export const authorityCertificate = (authority: { key: KeyObject; name: string; hosts: Hosts } & Validity): string => {
  const { key, name, hosts } = authority
  const permitted = [
    ...hosts.names.map((host) => der.sequence(dnsName(host))),
    // An address and a mask of all ones: exactly this one.
    ...hosts.addresses.map((address) => {
      const bytes = addressBytes(address)
      return der.sequence(der.primitive(7, Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)])))
    }),
  ]
  return certificate(authority, nameOf(name), nameOf(name), key, key, [
    extension(BASIC_CONSTRAINTS, der.sequence(der.yes(), der.integer(Buffer.from([0]))), true),
    // keyCertSign and cRLSign.
    extension(KEY_USAGE, der.bits(Buffer.from([0x06]), 1), true),
    extension(SUBJECT_KEY_ID, der.octets(keyId(key))),
    extension(NAME_CONSTRAINTS, der.sequence(der.context(0, ...permitted)), true),
  ])
}

/** The certificate of a server, signed by the authority. PEM. */
export const serverCertificate = (
  server: { key: KeyObject; name: string; hosts: Hosts; authority: { key: KeyObject; name: string } } & Validity,
): string => {
  const { key, name, hosts, authority } = server
  const names = [
    ...hosts.names.map(dnsName),
    ...hosts.addresses.map((address) => der.primitive(7, addressBytes(address))),
  ]
  return certificate(server, nameOf(name), nameOf(authority.name), key, authority.key, [
    extension(BASIC_CONSTRAINTS, der.sequence(), true),
    // digitalSignature.
    extension(KEY_USAGE, der.bits(Buffer.from([0x80]), 7), true),
    extension(EXTENDED_KEY_USAGE, der.sequence(der.oid(SERVER_AUTH))),
    extension(SUBJECT_KEY_ID, der.octets(keyId(key))),
    extension(AUTHORITY_KEY_ID, der.sequence(der.primitive(0, keyId(authority.key)))),
    extension(ALT_NAMES, der.sequence(...names)),
  ])
}

const certificate = (
  { from, until }: Validity,
  subject: Buffer,
  issuer: Buffer,
  key: KeyObject,
  signer: KeyObject,
  extensions: readonly Buffer[],
): string => {
  const serial = randomBytes(16)
  // Positive and of full length.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const body = der.sequence(
    der.context(0, der.integer(Buffer.from([2]))),
    der.integer(serial),
    ECDSA_SHA256,
    issuer,
    der.sequence(der.time(from), der.time(until)),
    subject,
    publicInfo(key),
    der.context(3, der.sequence(...extensions)),
  )
  const signature = sign('sha256', body, { key: signer, dsaEncoding: 'der' })
  const base64 = der.sequence(body, ECDSA_SHA256, der.bits(signature)).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/(.{64})/g, '$1\n').trimEnd()}\n-----END CERTIFICATE-----\n`
}

const extension = (id: string, value: Buffer, critical = false): Buffer =>
  der.sequence(der.oid(id), ...(critical ? [der.yes()] : []), der.octets(value))

const nameOf = (commonName: string): Buffer =>
  der.sequence(
    der.set(der.sequence(der.oid(ORGANIZATION), der.utf8('Millrace'))),
    der.set(der.sequence(der.oid(COMMON_NAME), der.utf8(commonName))),
  )

const dnsName = (host: string): Buffer => der.primitive(2, Buffer.from(host, 'ascii'))

const publicInfo = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' })

/** SHA-1 of the public key's bits, as RFC 5280, 4.2.1.2 suggests: a name, not a protection. For P-256 these are the last 65 bytes. */
const keyId = (key: KeyObject): Buffer => createHash('sha1').update(publicInfo(key).subarray(-65)).digest()

/** The bytes of an IPv4 or IPv6 address. */
export const addressBytes = (address: string): Buffer => {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail)
  const all =
    tail === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
