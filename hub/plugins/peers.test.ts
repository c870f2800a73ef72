import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { readPeers } from './peers.ts'

const file = (text: string, mode = 0o600): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'millrace-peers-')), 'peers.yaml')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
const both = `
home-assistant:
  house: { baseUrl: 'http://ha.local:8123', auth: { kind: bearer, token: hunter2-token } }
printers:
  mk4: { baseUrl: 'http://mk4.local', auth: { kind: api-key, key: hunter2-key } }
`

test('a plugin sees its own peers and nobody else’s', () => {
  const peers = readPeers(file(both))
  expect(peers.names('printers')).toEqual(['mk4'])
  expect(peers.of('printers', 'mk4')).toMatchObject({ baseUrl: 'http://mk4.local', verifyTls: true })
  expect(() => peers.of('printers', 'house')).toThrow(/needs the address of 'house'.*under printers\.house/)
  expect(() => peers.of('__proto__', 'toString')).toThrow(/needs the address/)
})

test('no file means no peers', () => {
  expect(readPeers('/nowhere/peers.yaml').names('printers')).toEqual([])
})

test('a file that others can read stops the start', () => {
  expect(() => readPeers(file(both, 0o644))).toThrow(/chmod 600/)
})

test('what does not fit is named, and no secret is repeated', () => {
  const wrong = () => readPeers(file(both.replace('kind: bearer', 'kind: magic').replace('http://mk4', 'ftp://mk4')))
  expect(wrong).toThrow(/home-assistant\.house\.auth/)
  expect(wrong).toThrow(/printers\.mk4\.baseUrl: must be an http or https address/)
  expect(wrong).not.toThrow(/hunter2/)
})

test('a record can be printed without its secret', () => {
  const record = readPeers(file(both)).of('printers', 'mk4')
  expect(inspect(record, { depth: 5 }) + JSON.stringify(record)).not.toMatch(/hunter2/)
})
