// Writes messages of the journal as MCAP, which Foxglove and other tools open. One channel per topic, sender and source.
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { isUtf8 } from 'node:buffer'
import { zstdCompressSync } from 'node:zlib'
import { McapWriter } from '@mcap/core'
import { z } from 'zod'
import type { TopicTable } from '../topics/table.ts'

/** A message for the file. */
export interface McapMessage {
  /** Place in the journal; 0 for what a replay said. */
  seq: number
  /** ms since 1970. */
  at: number
  topic: string
  payload: Uint8Array
  origin: string
  cause: number
  correlation: string
  n: number
}

export interface McapFile {
  /** `replay`: said by a flow that ran now; it stands on a channel of its own. */
  add(message: McapMessage, source: 'recorded' | 'replay'): Promise<void>
  /** Ends the file and gives it its name; resolves to how many messages it holds. */
  close(): Promise<number>
  /** Leaves nothing behind. */
  drop(): Promise<void>
}

/** Topic of the channel that carries, for each message with a cause, what MCAP has no place for. */
export const CAUSES = 'millrace/causes'
/** Before the topic of what a replay said. */
export const REPLAY_PREFIX = 'replay/'

const CausesSchema = z.object({
  seq: z.number().describe('Place in the journal; 0 for what a replay said'),
  topic: z.string(),
  cause: z.number().describe('seq of the message that led to this one'),
  correlation: z.string().optional(),
  n: z.number().optional().describe('Which output of the flow, counted from its start'),
})

const CHUNK_BYTES = 1 << 20
const NS_PER_MS = 1_000_000n
const MOST_CHANNELS = 60_000

/** Begins the file under a temporary name beside `path`. Rejects when it cannot be written. */
export const openMcap = async (path: string, table: TopicTable, library = 'millrace'): Promise<McapFile> => {
  const temporary = `${path}.part`
  const file = await open(temporary, 'w', 0o600)
  const writer = new McapWriter({
    writable: writableTo(file),
    chunkSize: CHUNK_BYTES,
    compressChunk: (bytes) => ({ compression: 'zstd', compressedData: zstdCompressSync(bytes) }),
  })
  await writer.start({ profile: '', library })
  const channels = new Map<string, number>()
  const schemas = new Map<string, number>()
  let messages = 0

  const schemaOf = async (name: string, schema: z.ZodType): Promise<number> => {
    const known = schemas.get(name)
    if (known !== undefined) return known
    const json = jsonSchemaOf(schema)
    const id =
      json === undefined
        ? 0
        : await writer.registerSchema({
            name,
            encoding: 'jsonschema',
            data: Buffer.from(JSON.stringify({ title: name, ...json })),
          })
    schemas.set(name, id)
    return id
  }

  const channelOf = async (
    { topic, origin }: McapMessage,
    source: 'recorded' | 'replay',
    encoding: string,
  ): Promise<number> => {
    const key = `${source} ${encoding} ${origin} ${topic}`
    const known = channels.get(key)
    if (known !== undefined) return known
    if (channels.size >= MOST_CHANNELS)
      throw new Error(`more than ${MOST_CHANNELS} topics and senders: choose a shorter range`)
    const match = encoding === 'json' ? table.match(topic) : undefined
    const id = await writer.registerChannel({
      topic: source === 'replay' ? `${REPLAY_PREFIX}${topic}` : topic,
      schemaId: match === undefined ? 0 : await schemaOf(match.key, match.row.payload),
      messageEncoding: encoding,
      metadata: new Map([
        ['source', source],
        ['origin', origin],
        ['topic', topic],
        ...(match === undefined
          ? []
          : [
              ['qos', String(match.row.qos)] as const,
              ['retain', String(match.row.retain)] as const,
              ['about', match.row.about] as const,
            ]),
      ]),
    })
    channels.set(key, id)
    return id
  }

  const causesChannel = async (): Promise<number> => {
    const known = channels.get(CAUSES)
    if (known !== undefined) return known
    const id = await writer.registerChannel({
      topic: CAUSES,
      schemaId: await schemaOf(CAUSES, CausesSchema),
      messageEncoding: 'json',
      metadata: new Map([['source', 'journal']]),
    })
    channels.set(CAUSES, id)
    return id
  }

  const put = (channelId: number, seq: number, at: number, data: Uint8Array): Promise<void> => {
    const time = BigInt(Math.round(at)) * NS_PER_MS
    return writer.addMessage({ channelId, sequence: seq >>> 0, logTime: time, publishTime: time, data })
  }

  return {
    async add(message, source) {
      const { seq, at, topic, payload, cause, correlation, n } = message
      await put(await channelOf(message, source, encodingOf(payload)), seq, at, payload)
      messages++
      if (cause === 0 && correlation === '') return
      const more = {
        seq,
        topic: source === 'replay' ? `${REPLAY_PREFIX}${topic}` : topic,
        cause,
        ...(correlation === '' ? {} : { correlation }),
        ...(n === 0 ? {} : { n }),
      }
      await put(await causesChannel(), seq, at, Buffer.from(JSON.stringify(more)))
    },
    async close() {
      await writer.end()
      await file.sync()
      await file.close()
      await rename(temporary, path)
      return messages
    },
    async drop() {
      await file.close().catch(() => {})
      await rm(temporary, { force: true })
    },
  }
}

const writableTo = (file: FileHandle) => {
  let position = 0n
  return {
    position: () => position,
    async write(bytes: Uint8Array) {
      for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten
      position += BigInt(bytes.length)
    },
  }
}

/** What the payload is: JSON, other text, or bytes. An empty one clears a retained message. */
const encodingOf = (payload: Uint8Array): string => {
  if (!isUtf8(payload)) return 'application/octet-stream'
  try {
    JSON.parse(Buffer.from(payload).toString('utf8'))
    return 'json'
  } catch {
    return 'text/plain'
  }
}

/** JSON Schema of a payload; undefined unless it is an object's: viewers take nothing else. */
const jsonSchemaOf = (schema: z.ZodType): Record<string, unknown> | undefined => {
  try {
    const json: Record<string, unknown> = z.toJSONSchema(schema, { unrepresentable: 'any', target: 'draft-7' })
    return json['type'] === 'object' ? json : undefined
  } catch {
    return undefined
  }
}
