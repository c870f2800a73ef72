// The part of the hub that is the registry of devices.
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { Bus } from '../bus/bus.ts'
import type { Store } from '../store/store.ts'
import { openDevices } from './open.ts'

export const devicesPart = async ({
  config,
  clock,
  log,
  health,
  later,
  bus,
  store,
  access,
}: Base & { bus: Bus; store: Store; access: Access }) => {
  const devices = await openDevices({ bus, store, clock, log, health, prefix: config.TOPIC_PREFIX, access })
  later.devices = devices
  return devices
}
