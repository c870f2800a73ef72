// The doctor's look at another broker (BROKER_URL, BRIDGE_URL): it is reached as the hub reaches it, and takes the hub's login.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { MqttClient } from 'mqtt'
import { type BrokerAddress, brokerAddress } from '../broker/external-url.ts'
import { isVersionRefused, sentenceFor } from '../broker/external-words.ts'
import { Fatal, Recoverable, reasonOf } from '../errors.ts'
import type { Check, Finding } from './doctor.ts'
import type { Secret } from './secret.ts'
import { demandSite, siteLookup } from './site.ts'

/** Of each of two attempts: the doctor gives a check five seconds. */
const ANSWER_MS = 2_000

export interface OtherBroker {
  variable: 'BROKER_URL' | 'BRIDGE_URL'
  url: Secret
  /** BROKER_CA_FILE. */
  caFile: string | undefined
  /** OFFLINE_MODE. */
  offline: boolean
}

/** It is reached and takes the login. Under an id of the check's own and without a session: a hub that runs keeps its line. */
export const brokerReached = ({ variable, url, caFile, offline }: OtherBroker): Check => ({
  name: variable,
  run: async () => {
    const clientId = `millrace-${randomBytes(4).toString('hex')}`
    let address: BrokerAddress
    let ca: string | undefined
    try {
      address = brokerAddress(variable, url)
      ca = caFile === undefined ? undefined : authority(caFile)
      if (offline) demandSite(address.host)
    } catch (error) {
      if (!(error instanceof Fatal) && !(error instanceof Recoverable)) throw error
      return { word: 'unhealthy', what: 'cannot be used', hint: error.message }
    }
    const told = { address, clientId, ca, offline }
    const refused = (error: unknown): Finding => ({
      word: 'unhealthy',
      what: `${address.said} does not let the hub in`,
      hint: sentenceFor(error, { address, clientId, variable }),
    })
    const version5 = await login({ ...told, protocol: 5 })
    if (version5 === undefined) return { word: 'healthy', what: `${address.said} takes the hub's login (MQTT 5)` }
    if (!isVersionRefused(version5.error) && version5.error !== undefined) return refused(version5.error)
    // Older brokers refuse MQTT 5, or hang up without a word.
    const version4 = await login({ ...told, protocol: 4 })
    return version4 === undefined
      ? { word: 'healthy', what: `${address.said} takes the hub's login (MQTT 3.1.1)` }
      : refused(version4.error)
  },
})

interface Login {
  address: BrokerAddress
  clientId: string
  ca: string | undefined
  offline: boolean
  protocol: 4 | 5
}

/** Logs in and goes. Resolves to what went wrong: an error, or none when the other end hung up without a word. */
const login = ({ address, clientId, ca, offline, protocol }: Login): Promise<{ error: unknown } | undefined> =>
  new Promise((resolve) => {
    const { host, port, tls, username, password } = address
    const at = { host, port, ...(offline ? { lookup: siteLookup() } : {}) }
    const named = { ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) }
    const client = new MqttClient(() => (tls ? connectTls({ ...at, ...named }) : connectTcp(at)), {
      clientId,
      clean: true,
      protocolVersion: protocol,
      connectTimeout: 2 * ANSWER_MS,
      reconnectPeriod: 0,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: password.reveal() }),
    })
    const settle = (wrong: { error: unknown } | undefined) => {
      clearTimeout(late)
      resolve(wrong)
      client.end(wrong !== undefined)
    }
    const late = setTimeout(() => settle({ error: new Error(`no answer within ${ANSWER_MS / 1000} s`) }), ANSWER_MS)
    client.once('connect', () => settle(undefined))
    client.on('error', (error) => settle({ error }))
    client.once('close', () => settle({ error: undefined }))
  })

const authority = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Fatal(`BROKER_CA_FILE cannot be read: ${reasonOf(error)}`, error)
  }
}
