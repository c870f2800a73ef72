// What single datagrams say: SSDP, makers' protocols from documented bytes, and what is no such message.
import { expect, test } from 'vitest'
import { readHttpMessage, searchMessage } from './http-message.ts'
import { httpMessage } from './network.fake.ts'
import { ownPage, readSsdp } from './ssdp.ts'
import { kasaCipher, VENDORS } from './vendors.ts'
import { line, slug } from './words.ts'

const FROM = '192.168.7.30'
const NOW = 1_000_000
const alive = {
  HOST: '239.255.255.250:1900',
  'CACHE-CONTROL': 'max-age=1800',
  LOCATION: `http://${FROM}:7125/server/zeroconf/ssdp`,
  NT: 'upnp:rootdevice',
  NTS: 'ssdp:alive',
  SERVER: 'Moonraker SSDP/UPNP Server',
  USN: 'uuid:5cd1ba67-1345-4ce4-8a4c-6ff9b8b4f4ac::upnp:rootdevice',
}
const notify = (fields: Record<string, string> = {}) =>
  readSsdp(Buffer.from(httpMessage('NOTIFY * HTTP/1.1', { ...alive, ...fields })), FROM, NOW)
const found = (word: ReturnType<typeof notify>) => (word?.kind === 'found' ? word.finding : undefined)

test('an announcement of Moonraker is one, with its page and for as long as it says', () => {
  expect(found(notify())).toEqual({
    source: 'ssdp',
    key: 'ssdp:5cd1ba67-1345-4ce4-8a4c-6ff9b8b4f4ac',
    kind: 'moonraker',
    name: 'Moonraker SSDP/UPNP Server',
    addresses: [FROM],
    port: 7125,
    url: `http://${FROM}:7125/server/zeroconf/ssdp`,
    what: 'upnp:rootdevice',
    facts: { server: 'Moonraker SSDP/UPNP Server' },
    from: FROM,
    until: NOW + 1_800_000,
  })
})

test('a life is between a minute and a day, whatever is said', () => {
  const life = (text: string) => (found(notify({ 'CACHE-CONTROL': text }))?.until ?? 0) - NOW
  expect(life('max-age=0')).toBe(60_000)
  expect(life('max-age = 999999999')).toBe(86_400_000)
  expect(life('no-cache')).toBe(1_800_000)
})

test('byebye ends it, and only announcements and answers count', () => {
  expect(notify({ NTS: 'ssdp:byebye' })).toEqual({
    kind: 'ended',
    key: 'ssdp:5cd1ba67-1345-4ce4-8a4c-6ff9b8b4f4ac',
    from: FROM,
  })
  expect(notify({ NTS: 'ssdp:dance' })).toBeUndefined()
  expect(notify({ USN: '5cd1' })).toBeUndefined()
  const { NT: _, NTS: __, ...rest } = alive
  const answer = (start: string) =>
    readSsdp(Buffer.from(httpMessage(start, { ...rest, ST: 'upnp:rootdevice' })), FROM, NOW)
  expect(found(answer('HTTP/1.1 200 OK'))?.kind).toBe('moonraker')
  expect(answer('HTTP/1.1 500 No')).toBeUndefined()
  expect(readSsdp(searchMessage({ group: 'x', port: 1, target: 'ssdp:all', seconds: 1 }), FROM, NOW)).toBeUndefined()
})

test.each([
  ['another host', 'http://192.168.7.99/x'],
  ['a host outside', 'http://8.8.8.8/x'],
  ['the hub itself', 'http://127.0.0.1:8080/api/safety/stop'],
  ['a name', 'http://router.local/x'],
  ['a login in it', `http://ada:secret@${FROM}/x`],
  ['another scheme', `javascript://${FROM}/%0aalert(1)`],
  ['a file', 'file:///etc/passwd'],
  ['an address in disguise', `http://${FROM}.evil.example/`],
  ['something too long', `http://${FROM}/${'x'.repeat(400)}`],
  ['no address', 'nonsense'],
])('a description at %s is no link', (_name, location) => {
  expect(ownPage(location, FROM)).toBeUndefined()
  expect(found(notify({ LOCATION: location }))?.url).toBeUndefined()
})

test.each([
  ['a header twice', 'NOTIFY * HTTP/1.1\r\nUSN: uuid:1\r\nusn: uuid:2\r\n\r\n'],
  ['a line without a colon', 'NOTIFY * HTTP/1.1\r\nUSN\r\n\r\n'],
  ['a folded line', 'NOTIFY * HTTP/1.1\r\nUSN: uuid:1\r\n more\r\n\r\n'],
  ['a body', 'NOTIFY * HTTP/1.1\r\nUSN: uuid:1\r\n\r\nbody'],
  ['a control sign', 'NOTIFY * HTTP/1.1\r\nUSN: uuid:\x001\r\n\r\n'],
  ['another start', 'GET / HTTP/1.1\r\nUSN: uuid:1\r\n\r\n'],
  ['too long a line', `NOTIFY * HTTP/1.1\r\nUSN: ${'x'.repeat(2000)}\r\n\r\n`],
  ['too many lines', `NOTIFY * HTTP/1.1\r\n${Array.from({ length: 60 }, (_, n) => `X-${n}: 1`).join('\r\n')}\r\n\r\n`],
  ['nothing', ''],
])('with %s it is no message', (_name, text) => {
  expect(readHttpMessage(Buffer.from(text, 'latin1'))).toBeUndefined()
})

test('a Kasa plug is read, without where it stands', () => {
  const info = {
    alias: 'Lamp\u202e\u0007',
    model: 'HS100(EU)',
    mac: '50:C7:BF:01:02:03',
    latitude_i: 1,
    deviceId: 'AB',
  }
  const bytes = kasaCipher.hide(JSON.stringify({ system: { get_sysinfo: info } }))
  expect(bytes[0]).toBe(0x7b ^ 171)
  expect(found(VENDORS.kasa.read(bytes, FROM, NOW))).toMatchObject({
    key: 'udp:kasa:50c7bf010203',
    name: 'Lamp',
    facts: { model: 'HS100(EU)' },
    addresses: [FROM],
  })
  expect(VENDORS.kasa.read(Buffer.from('{}'), FROM, NOW)).toBeUndefined()
})

const yeelight = {
  'Cache-Control': 'max-age=3600',
  Date: '',
  Ext: '',
  Location: `yeelight://${FROM}:55443`,
  Server: 'POSIX UPnP/1.0 YGLC/1',
  id: '0x000000000015243f',
  model: 'color',
  fw_ver: '18',
  support: 'get_prop set_default set_power toggle',
  power: 'on',
  name: '',
}
test('a Yeelight lamp is read when it speaks for its own address', () => {
  const read = (fields = {}) =>
    VENDORS.yeelight.read(Buffer.from(httpMessage('HTTP/1.1 200 OK', { ...yeelight, ...fields })), FROM, NOW)
  expect(found(read())).toMatchObject({ kind: 'yeelight', name: 'Yeelight 15243f', port: 55443, until: NOW + 3600_000 })
  expect(read({ Location: 'yeelight://192.168.7.99:55443' })).toBeUndefined()
  expect(read({ Location: `yeelight://${FROM}:99999` })).toBeUndefined()
})

test('a Bambu printer is read from its announcement', () => {
  const printer = {
    HOST: '239.255.255.250:1900',
    Server: 'UPnP/1.0',
    Location: FROM,
    NT: 'urn:bambulab-com:device:3dprinter:1',
    USN: '01P00A123456789',
    'Cache-Control': 'max-age=1800',
    'DevModel.bambu.com': 'C12',
    'DevName.bambu.com': 'Workshop P1S',
    'DevVersion.bambu.com': '01.07.00.00',
  }
  const read = (fields = {}) =>
    VENDORS.bambu.read(Buffer.from(httpMessage('NOTIFY * HTTP/1.1', { ...printer, ...fields })), FROM, NOW)
  expect(found(read())).toMatchObject({
    kind: 'bambu',
    name: 'Workshop P1S',
    port: 8883,
    facts: { serial: '01P00A123456789', model: 'C12', version: '01.07.00.00' },
  })
  expect(read({ Location: '192.168.7.99' })).toBeUndefined()
  expect(read({ NT: 'upnp:rootdevice' })).toBeUndefined()
})

/** A CoIoT state: CoAP header, `cit` and `s` as path, option 3332 with the device, payload. */
const coiot = (device: string, code = 30): Buffer => {
  const name = Buffer.from(device)
  return Buffer.concat([
    Buffer.from([0x50, code, 0, 1]),
    Buffer.from([0xb3]),
    Buffer.from('cit'),
    Buffer.from([0x01]),
    Buffer.from('s'),
    // From 11 to 3332: 3321 = 269 + 3052, in two bytes; the length in one.
    Buffer.from([0xed, 0x0b, 0xec, name.length - 13]),
    name,
    Buffer.from([0xff]),
    Buffer.from('{"G":[[0,112,0]]}'),
  ])
}
test('a Shelly of the first generation is read from its state', () => {
  expect(found(VENDORS.shelly.read(coiot('SHSW-25#68C63AFB1234#2'), FROM, NOW))).toMatchObject({
    kind: 'shelly',
    key: 'udp:shelly:68c63afb1234',
    facts: { model: 'SHSW-25' },
  })
  expect(VENDORS.shelly.read(coiot('SHSW-25#68C63AFB1234#2', 1), FROM, NOW)).toBeUndefined()
  expect(VENDORS.shelly.read(coiot('no device here at all'), FROM, NOW)).toBeUndefined()
})

test('a LIFX lamp and a WiZ lamp are read', () => {
  const ask = VENDORS.lifx.ask?.bytes() ?? Buffer.alloc(0)
  expect(ask.toString('hex')).toBe(`2400003402000000${'00'.repeat(24)}02000000`)
  const state = Buffer.alloc(41)
  state.writeUInt16LE(41, 0)
  state.writeUInt16LE(0x1400, 2)
  state.write('d073d5010203', 8, 'hex')
  state.writeUInt16LE(3, 32)
  state.writeUInt8(1, 36)
  state.writeUInt32LE(56700, 37)
  expect(found(VENDORS.lifx.read(state, FROM, NOW))).toMatchObject({ key: 'udp:lifx:d073d5010203', port: 56700 })
  expect(VENDORS.lifx.read(ask, FROM, NOW)).toBeUndefined()
  const pilot = '{"method":"getPilot","env":"pro","result":{"mac":"a8bb509f71d1","rssi":-54,"state":true}}'
  expect(found(VENDORS.wiz.read(Buffer.from(pilot), FROM, NOW))).toMatchObject({ key: 'udp:wiz:a8bb509f71d1' })
  expect(
    VENDORS.wiz.read(Buffer.from('{"method":"setPilot","result":{"mac":"a8bb509f71d1"}}'), FROM, NOW),
  ).toBeUndefined()
})

test('names lose what deceives a reader', () => {
  expect(line('Lamp\u202egnp.exe\r\n\u0000 \u200bx', 64)).toBe('Lamp gnp.exe x')
  expect(line('a'.repeat(10_000), 64)).toHaveLength(64)
  expect(line('🦊'.repeat(64), 5)).toBe('🦊🦊')
  expect(slug("Ada's OctoPi: #1\nx: y", 'device')).toBe('ada-s-octopi-1-x-y')
  expect(slug('漢字', 'device')).toBe('device')
})
