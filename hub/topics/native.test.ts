import { expect, test } from 'vitest'
import { isNativeCommand } from './native.ts'

test.each([
  'zigbee2mqtt/lamp/set',
  'zigbee2mqtt/kitchen/lamp/left/set',
  'zigbee2mqtt/lamp/left/set/state',
  'zigbee2mqtt/lamp/left/get',
  'zigbee2mqtt/bridge/request/device/remove',
  'cmnd/plug/POWER',
  'home/room/cmnd/POWER',
  'shellies/command',
  'shellies/x/light/0/set',
  'shellies/x/roller/0/command/pos',
  'frigate/restart',
  'frigate/cam1/ptz',
  'frigate/notifications/set',
  'esphome/n/climate/x/mode/command',
  'x/moonraker/api/request',
  'wled/x',
  'wled/x/api',
  'shellyplus1pm-a8/rpc',
  'uagv/v2/kit/0001/order',
  'device/01S00/request',
])('%s makes something happen', (topic) => expect(isNativeCommand(topic)).toBe(true))

test.each([
  'zigbee2mqtt/lamp',
  'zigbee2mqtt/lamp/availability',
  'zigbee2mqtt/bridge/state',
  'tele/plug/SENSOR',
  'stat/plug/POWER',
  'homeassistant/sensor/x/config',
  'shellies/x/relay/0',
  'frigate/events',
  'wled/x/status',
  'uagv/v2/kit/0001/state',
  'jarvis/devices/lamp/request',
  'shop/settings',
])('%s says what is', (topic) => expect(isNativeCommand(topic)).toBe(false))
