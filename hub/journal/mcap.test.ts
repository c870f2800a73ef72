// MCAP out of the journal, read back by another hand.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { McapIndexedReader } from '@mcap/core'
import { afterEach, expect, test } from 'vitest'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import type { Entry } from './entry.ts'
import { CAUSES, openMcap, REPLAY_PREFIX } from './mcap.ts'

const folders: string[] = []
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true })
})
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'mcap-'))
  folders.push(dir)
  return dir
}
const dirOf = (): string => folders.at(-1) ?? ''
const message = (seq: number, more: Partial<Entry> = {}): Entry => ({
  kind: 'message',
  seq,
  at: 1_000_000 + seq * 10,
  cause: 0,
  n: 0,
  topic: `jarvis/devices/d${seq % 5}/telemetry`,
  payload: Buffer.from(`{"n":${seq}}`),
  qos: 1,
  retain: false,
  origin: 'device:dust',
  correlation: '',
  ...more,
})

const table = topicTable([core], 'jarvis')

test('MCAP holds the same messages, with schemas, senders, places and causes', async () => {
  const odd: Entry[] = [
    message(6, { topic: 'tele/plug/LWT', payload: Buffer.from('Online'), origin: 'plugin:native' }),
    message(7, { topic: 'raw/bytes', payload: Buffer.from([0xff, 0, 1]) }),
    message(8, { topic: 'jarvis/devices/d1/online', payload: Buffer.from('true'), retain: true }),
    message(9, {
      topic: 'jarvis/devices/fan/request',
      payload: Buffer.from('{"intent":"fan.turn_on"}'),
      cause: 3,
      origin: 'flow:x',
      n: 4,
      correlation: 'c-1',
    }),
    message(2 ** 33, { payload: Buffer.from('{"late":1}') }),
  ]
  const entries = [...Array.from({ length: 5 }, (_, i) => message(i + 1)), ...odd]
  const file = join(folder(), 'out.mcap')
  const mcap = await openMcap(file, table)
  for (const entry of entries) await mcap.add(entry, 'recorded')
  await mcap.add(
    {
      ...message(0),
      at: 1_000_500,
      topic: 'jarvis/devices/fan/request',
      payload: Buffer.from('{"intent":"fan.turn_off"}'),
      origin: 'flow:x',
      cause: 5,
      n: 1,
    },
    'replay',
  )
  expect(readdirSync(dirOf())).toEqual(['out.mcap.part'])
  expect(await mcap.close()).toBe(entries.length + 1)
  expect(readdirSync(dirOf())).toEqual(['out.mcap'])

  const handle = await open(file)
  const size = BigInt((await handle.stat()).size)
  const reader = await McapIndexedReader.Initialize({
    readable: {
      size: async () => size,
      async read(offset, length) {
        const bytes = Buffer.alloc(Number(length))
        await handle.read(bytes, 0, Number(length), Number(offset))
        return new Uint8Array(bytes)
      },
    },
    decompressHandlers: { zstd: (bytes) => new Uint8Array(zstdDecompressSync(bytes)) },
  })
  const read: { topic: string; at: number; seq: number; payload: string; origin: string; encoding: string }[] = []
  const causes: unknown[] = []
  for await (const { channelId, logTime, sequence, data } of reader.readMessages()) {
    const channel = reader.channelsById.get(channelId)
    const text = Buffer.from(data).toString('latin1')
    if (channel?.topic === CAUSES) causes.push(JSON.parse(text))
    else if (channel?.metadata.get('source') === 'recorded')
      read.push({
        topic: channel.topic,
        at: Number(logTime / 1_000_000n),
        seq: sequence,
        payload: text,
        origin: channel.metadata.get('origin') ?? '',
        encoding: channel.messageEncoding,
      })
  }
  await handle.close()
  expect(read.sort((a, b) => a.at - b.at)).toEqual(
    entries.map(({ topic, at, seq, payload, origin }) => ({
      topic,
      at,
      seq: seq >>> 0,
      payload: payload.toString('latin1'),
      origin,
      encoding: seq === 6 ? 'text/plain' : seq === 7 ? 'application/octet-stream' : 'json',
    })),
  )
  expect(causes).toContainEqual({ seq: 9, topic: 'jarvis/devices/fan/request', cause: 3, correlation: 'c-1', n: 4 })
  const channels = [...reader.channelsById.values()]
  const replay = channels.find(({ topic }) => topic === `${REPLAY_PREFIX}jarvis/devices/fan/request`)
  expect(replay?.metadata.get('source')).toBe('replay')
  const schema = reader.schemasById.get(replay?.schemaId ?? 0)
  expect(schema).toMatchObject({ encoding: 'jsonschema', name: 'devices/{device}/request' })
  expect(JSON.parse(Buffer.from(schema?.data ?? []).toString())).toMatchObject({
    type: 'object',
    properties: { intent: { type: 'string' } },
  })
  // Viewers take schemas of objects only.
  expect(channels.find(({ topic }) => topic.endsWith('/online'))?.schemaId).toBe(0)
})

test('a file that is given up leaves nothing', async () => {
  const mcap = await openMcap(join(folder(), 'gone.mcap'), table)
  await mcap.add(message(1), 'recorded')
  await mcap.drop()
  expect(readdirSync(dirOf())).toEqual([])
})
