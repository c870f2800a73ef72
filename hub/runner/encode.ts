// What a flow returns becomes bytes on a full topic, once it fits the topic's row.
import { Buffer } from 'node:buffer'
import { reasonOf } from '../errors.ts'
import { firstIssue, type TopicTable } from '../topics/table.ts'

/** Full topic and JSON of a message. Throws, naming the field, when it is no message, has no topic of the table, or does not fit. */
export const encode = (table: TopicTable, message: unknown): { topic: string; payload: Buffer } => {
  if (!isMessage(message)) throw new Error(`a flow may only return messages made by message(), not ${shown(message)}`)
  const row = table.rows.get(message.topic)
  if (row === undefined) throw new Error(`output: no topic table knows '${message.topic}'`)
  const parsed = row.payload.safeParse(message.payload)
  if (!parsed.success) {
    const { field, constraint } = firstIssue(parsed.error, message.payload)
    throw new Error(`output on '${message.topic}': ${field === '' ? 'payload' : field}: ${constraint}`)
  }
  return { topic: table.address(message.topic, message.params), payload: Buffer.from(JSON.stringify(message.payload)) }
}

interface AnyMessage {
  topic: string
  params: Readonly<Record<string, string>>
  payload: unknown
}

const isMessage = (value: unknown): value is AnyMessage =>
  typeof value === 'object' &&
  value !== null &&
  'topic' in value &&
  typeof value.topic === 'string' &&
  'params' in value &&
  typeof value.params === 'object' &&
  value.params !== null &&
  'payload' in value &&
  value.payload !== undefined

const shown = (value: unknown): string => {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 120)
  } catch (error) {
    return `what cannot be written as JSON (${reasonOf(error)})`
  }
}
