// Other people's conventions, outside the prefix. A fact says what is; a command makes something happen and is for the gate's plugins alone.

/** Filters of topics that make something happen in other people's conventions. Only the plugin that answers a gate command may publish them; no credential and no role can. */
export const nativeCommands: readonly string[] = [
  'zigbee2mqtt/+/set',
  'zigbee2mqtt/+/set/#',
  'zigbee2mqtt/+/get',
  'zigbee2mqtt/+/+/set',
  'zigbee2mqtt/bridge/request/#',
  'cmnd/#',
  '+/cmnd/#',
  'homeassistant/+/+/set',
  'homeassistant/+/+/+/set',
  'shellies/+/command',
  'shellies/+/+/+/command',
  'esphome/+/+/+/command',
  '+/light/+/command',
  '+/switch/+/command',
  '+/cover/+/command',
  '+/fan/+/command',
  '+/rpc',
  'uagv/+/+/+/order',
  'uagv/+/+/+/instantActions',
  'vda5050/+/+/+/order',
  'vda5050/+/+/+/instantActions',
  'frigate/+/+/set',
  'device/+/request',
]

/** Filters of topics in other people's conventions that say what is. They can be granted with a device credential. */
export const nativeFacts: readonly string[] = [
  'homeassistant/#',
  'zigbee2mqtt/#',
  'tele/#',
  'stat/#',
  'tasmota/discovery/#',
  'shellies/#',
  'esphome/#',
  'frigate/#',
  'uagv/#',
  'vda5050/#',
]
