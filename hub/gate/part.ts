// The part of the hub that is the gate.
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { Bus } from '../bus/bus.ts'
import type { Devices } from '../devices/devices.ts'
import type { Journal } from '../journal/entry.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import { deviceLimits } from './limits.ts'
import { openGate } from './open.ts'

interface Above extends Base {
  bus: Bus
  store: Store
  devices: Devices
  access: Access
  journal: Journal
}

export const gatePart = async ({
  config,
  clock,
  log,
  health,
  later,
  bus,
  store,
  devices,
  access,
  journal,
}: Above): Promise<Gate> => {
  const gate = await openGate({
    bus,
    store,
    devices,
    access,
    clock,
    log,
    health,
    journal,
    prefix: config.TOPIC_PREFIX,
    principalOf: access.principalOf,
    limits: deviceLimits(config.file.limits),
    bounds: {
      ackMs: config.file.gate.ackSeconds * 1000,
      acceptedMs: config.file.gate.acceptedSeconds * 1000,
      expiryMs: config.file.gate.requestSeconds * 1000,
      interlockMs: config.file.gate.interlockMs,
    },
  })
  later.audit = gate.note
  for (const { event, about } of later.unaudited.splice(0)) gate.note(event, about)
  return gate
}
