// A plug with Tasmota as the firmware behaves on the wire: what it says when it connects, what it subscribes to, how it answers.
// Source: the firmware's MqttConnected and MqttPublishPowerState, and its documentation ("MQTT", "Commands"); MQTT 3.1.1, all QoS 0.
import mqtt, { type MqttClient } from 'mqtt'

export interface TasmotaOptions {
  url: string
  login: { clientId: string; username: string; password: string }
  /** `%prefix%/%topic%/` as it comes from the factory, or another FullTopic. */
  fullTopic?: string
  topic?: string
  /** Twelve hexadecimal digits. */
  mac?: string
  name?: string
}

export interface Tasmota {
  client: MqttClient
  readonly on: boolean
  /** Commands it heard, as `topic payload`. */
  heard: string[]
  /** Codes of its subscriptions, by filter: 128 is a refusal. */
  subscribed: Map<string, number>
  /** Its button. */
  press(): void
  /** Gives up the connection without a word. */
  die(): void
  /** Says how it is, as it does every five minutes (`TelePeriod`). */
  report(): void
  /** Its console: `DeviceName`. */
  rename(name: string): void
  /** `SetOption19 1`: it takes back its discovery. */
  hide(): void
  end(): Promise<void>
}

/** Connects it, or rejects with the broker's refusal. Resolves when it has said all it says at its start. */
export const tasmota = async ({
  url,
  login,
  fullTopic = '%prefix%/%topic%/',
  topic = 'plug',
  mac = 'A1B2C3D4E5F6',
  name = 'Plug',
}: TasmotaOptions): Promise<Tasmota> => {
  const at = (prefix: string, leaf: string, of = topic): string =>
    `${fullTopic.replace('%prefix%', prefix).replace('%topic%', of)}${leaf}`
  const heard: string[] = []
  const subscribed = new Map<string, number>()
  let on = false
  let called = name

  const client = mqtt.connect(url, {
    protocolVersion: 4,
    reconnectPeriod: 0,
    keepalive: 30,
    ...login,
    will: { topic: at('tele', 'LWT'), payload: Buffer.from('Offline'), qos: 1, retain: true },
  })
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
  })
  client.on('error', () => {})

  const say = (to: string, payload: string | object, retain = false): void =>
    void client.publish(to, typeof payload === 'string' ? payload : JSON.stringify(payload), { qos: 0, retain })
  const power = (): string => (on ? 'ON' : 'OFF')
  const sayPower = (): void => {
    say(at('stat', 'RESULT'), { POWER: power() })
    say(at('stat', 'POWER'), power())
  }
  const announce = (): void => {
    const none = (n: number): null[] => Array.from({ length: n }, () => null)
    const record = {
      ip: '192.0.2.41',
      dn: called,
      fn: [called, ...none(7)],
      hn: `${topic}-1526`,
      mac,
      md: 'Own plug S1',
      ty: 0,
      if: 0,
      ofln: 'Offline',
      onln: 'Online',
      state: ['OFF', 'ON', 'TOGGLE', 'HOLD'],
      sw: '14.4.1',
      t: topic,
      ft: fullTopic,
      tp: ['cmnd', 'stat', 'tele'],
      rl: [1, ...Array.from({ length: 31 }, () => 0)],
      swc: Array.from({ length: 28 }, () => -1),
      swn: none(28),
      btn: Array.from({ length: 32 }, () => 0),
      so: { 4: 0, 11: 0, 13: 0, 17: 0, 20: 0, 30: 0, 68: 0, 73: 0, 82: 0, 114: 0, 117: 0 },
      lk: 1,
      lt_st: 0,
      ver: 1,
    }
    say(`tasmota/discovery/${mac}/config`, record, true)
    say(`tasmota/discovery/${mac}/sensors`, { sn: { Time: '2026-01-10T08:00:00', ENERGY: { Power: 0 } }, ver: 1 }, true)
  }

  client.on('message', (to, payload) => {
    const text = payload.toString()
    heard.push(`${to} ${text}`)
    if (!to.endsWith('/POWER')) return
    if (text === 'TOGGLE') on = !on
    else if (text !== '') on = text === 'ON'
    sayPower()
  })

  say(at('tele', 'LWT'), 'Online', true)
  // To itself, so that ioBroker learns of its topic (SetOption90 0).
  say(at('cmnd', 'POWER'), '')
  const filters = [at('cmnd', '#'), at('cmnd', '#', 'tasmotas'), at('cmnd', '#', `DVES_${mac.slice(-6)}_fb`)]
  for (const filter of filters) {
    const code = await new Promise<number>((resolve, reject) => {
      client.once('close', () => reject(new Error(`the connection ended before ${filter} was subscribed`)))
      client.subscribe(filter, { qos: 0 }, (error, granted) => resolve(error ? 128 : (granted?.[0]?.qos ?? 128)))
    })
    subscribed.set(filter, code)
  }
  const report = (): void => {
    say(at('tele', 'STATE'), { Time: '2026-01-10T08:00:05', Uptime: '0T00:00:12', POWER: power() })
    say(at('tele', 'SENSOR'), { Time: '2026-01-10T08:00:05', ENERGY: { Power: on ? 7 : 0.5 } })
  }
  say(at('tele', 'INFO1'), { Info1: { Module: 'Own plug S1', Version: '14.4.1(release-tasmota)' } })
  sayPower()
  // First the report, after five seconds, and then the discovery, after ten: here without the waiting.
  report()
  announce()

  return {
    client,
    get on() {
      return on
    },
    heard,
    subscribed,
    press() {
      on = !on
      sayPower()
    },
    die: () => void client.stream.destroy(),
    report,
    rename(next) {
      called = next
      say(at('stat', 'RESULT'), { DeviceName: next })
      announce()
    },
    hide() {
      say(`tasmota/discovery/${mac}/config`, '', true)
      say(`tasmota/discovery/${mac}/sensors`, '', true)
    },
    end: () => client.endAsync(true).then(() => undefined),
  }
}
