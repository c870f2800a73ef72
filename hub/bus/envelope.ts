// An envelope is a message as the hub carries it: bytes with the hub's own data beside them. It never travels on MQTT.
import type { Heard } from '../streams/message.ts'

export interface Envelope {
  /** Place in the hub's order; never reused. */
  readonly seq: number
  /** Stamp in ms since 1970; never goes backwards. */
  readonly at: number
  /** Full MQTT topic, prefix included. */
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** The authenticated principal: `device:dust`, `person:ada`, `flow:door-open-too-long`, `plugin:workshop-sim`, `gate`, `hub`. */
  readonly origin: string
  /** `seq` of the message that led to this one; 0 when none is known. */
  readonly cause: number
  /** Correlation id; '' when none. */
  readonly correlation: string
  /** For outputs of flows: which one, counted from the flow's recorded start at 1; otherwise 0. */
  readonly n: number
  /** The payload does not fit its topic's schema: delivered to MQTT subscribers only. Set once, by whoever decodes first. */
  bad?: boolean
  /** Decoded once, by whoever inside asks first. */
  message?: Heard
}

/** An envelope before the hub has given it its place and time. */
export interface Draft {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  retain: boolean
  origin: string
  cause?: number
  correlation?: string
  n?: number
}
