// What is wrong with the line to another broker, in sentences that say what to do.
import { reasonOf } from '../errors.ts'
import type { BrokerAddress } from './external-url.ts'

export interface Whereabouts {
  address: BrokerAddress
  clientId: string
  /** The variable that holds the address, such as BROKER_URL. */
  variable: string
}

/** CONNACK and DISCONNECT codes of MQTT 5 (2.4), and CONNACK of 3.1.1 (table 3.1). */
const CODE = {
  version: [1, 0x84],
  clientId: [2, 0x85],
  login: [4, 5, 0x86, 0x87, 0x8a],
  takenOver: [0x8e],
  busy: [3, 0x88, 0x89, 0x8b, 0x9f],
}
const isOf = (kind: keyof typeof CODE, code: unknown): boolean => typeof code === 'number' && CODE[kind].includes(code)

/** Whether the broker does not speak the version of MQTT it was asked in. */
export const isVersionRefused = (error: unknown): boolean => isOf('version', codeOf(error))

/** The reason code of MQTT or the error code of the system, if there is one. */
export const codeOf = (error: unknown): number | string | undefined =>
  error instanceof Error && 'code' in error && (typeof error.code === 'number' || typeof error.code === 'string')
    ? error.code
    : undefined

const UNTRUSTED = /^(UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|CERT_|ERR_TLS)/

/** Why there is no line and what to do about it. */
export const sentenceFor = (error: unknown, { address, clientId, variable }: Whereabouts): string => {
  const { said, host, tls } = address
  const code = codeOf(error)
  if (isOf('login', code)) {
    return `The broker at ${said} refuses the user name or password in ${variable}: make it known there (mosquitto_passwd), or correct ${variable}.`
  }
  if (isOf('takenOver', code)) {
    return `Another client of the broker at ${said} uses the client id ${clientId}. Run one hub with this data folder; a copied one needs its file mqtt-id deleted.`
  }
  if (isOf('clientId', code)) {
    return `The broker at ${said} refuses the client id ${clientId}: allow it there (clientid_prefixes in mosquitto.conf).`
  }
  if (isOf('version', code)) return `The broker at ${said} speaks neither MQTT 5 nor 3.1.1: use a newer one.`
  if (isOf('busy', code)) return `The broker at ${said} takes no connections at present (code ${code}): see its log.`
  if (code === 'ECONNREFUSED') return `Nothing listens at ${said}: start the broker, or correct ${variable}.`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `The name ${host} in ${variable} is not known here: correct it, or write the IP address.`
  }
  if (typeof code === 'string' && UNTRUSTED.test(code)) {
    return `The certificate of ${said} is not trusted (${code}): put the PEM of its authority in BROKER_CA_FILE, and use the host name it was made for.`
  }
  if (code === 'EPROTO') return `${said} does not speak TLS as expected: check the port, or use mqtt:// without TLS.`
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return `${said} cannot be reached (${code}): check the network and the firewall there.`
  }
  const wrong = error === undefined ? 'the connection ended' : reasonOf(error)
  return `The broker at ${said} does not keep the line (${wrong}): see its log${tls ? '' : '; a port for TLS needs mqtts://'}.`
}
