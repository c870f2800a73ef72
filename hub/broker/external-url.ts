// The address of another broker: where it is and who the hub is there. The password stays in a type that cannot be printed.
import { Fatal } from '../errors.ts'
import { Secret } from '../health/secret.ts'

export interface BrokerAddress {
  host: string
  port: number
  tls: boolean
  username: string | undefined
  password: Secret | undefined
  /** For people and logs: scheme, host and port, nothing else. */
  said: string
}

const PORTS = { 'mqtt:': 1883, 'mqtts:': 8883 } as const
const isScheme = (scheme: string): scheme is keyof typeof PORTS => Object.hasOwn(PORTS, scheme)
/** MQTT strings [MQTT-1.5.4]; a user name also becomes a line of an ACL file. */
// eslint-disable-next-line no-control-regex
const UNFIT = /[\u0000-\u001f\u007f-\u009f]/

/**
 * Reads `mqtt://user:password@host:1883` or `mqtts://…`. `variable` is its name in the configuration. Throws Fatal with
 * what to write; the message never repeats the value, which holds a password.
 */
export const brokerAddress = (variable: string, value: Secret): BrokerAddress => {
  const wrong = (why: string): Fatal =>
    new Fatal(`${variable} ${why}. It must look like mqtt://user:password@host:1883, or mqtts://… for TLS.`)
  const url = URL.parse(value.reveal())
  if (url === null) throw wrong('is not an address (letters such as @ : / # % in a password are written as %40 %3A …)')
  const { protocol, hostname, port, pathname, search, hash } = url
  if (!isScheme(protocol)) throw wrong(`starts with '${protocol}//'`)
  if (hostname === '') throw wrong('names no host')
  if (!['', '/'].includes(pathname) || search !== '' || hash !== '') {
    throw wrong('has something after the port (write / ? # in a password as %2F %3F %23)')
  }
  const [username, password] = [decoded(url.username), decoded(url.password)]
  if (username === undefined || password === undefined) throw wrong('has a % in it that stands for no character')
  if (UNFIT.test(username)) throw wrong('has a control character in the user name')
  if (username === '' && password !== '') throw wrong('has a password but no user name')
  const host = hostname.replace(/^\[|\]$/g, '')
  const real = port === '' ? PORTS[protocol] : Number(port)
  return {
    host,
    port: real,
    tls: protocol === 'mqtts:',
    username: username === '' ? undefined : username,
    password: password === '' ? undefined : new Secret(password),
    said: `${protocol}//${hostname}:${real}`,
  }
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
