// Threads of cause: an ack is caused by the command it answers, and carries its correlation. Found by id, because devices know nothing of seq.
import type { Heard } from '../streams/message.ts'
import type { TopicMatch } from '../topics/table.ts'
import type { Envelope } from './envelope.ts'

const REMEMBERED = 20_000

export interface Threads {
  /** The envelope with cause and correlation filled in where the payload's id tells them. */
  place(envelope: Envelope, match: TopicMatch, message: Heard | undefined): Envelope
}

export const openThreads = (): Threads => {
  /** Command ids with the seq and correlation of their `cmd`; the oldest are forgotten. */
  const commands = new Map<string, { seq: number; correlation: string }>()

  const remember = (id: string, envelope: Envelope): void => {
    commands.set(id, { seq: envelope.seq, correlation: envelope.correlation })
    if (commands.size > REMEMBERED) for (const oldest of commands.keys()) return void commands.delete(oldest)
  }

  return {
    place(envelope, { key }, message) {
      if (key === 'devices/{device}/cmd') {
        const id = idOf(envelope.payload)
        if (id !== undefined) remember(id, envelope)
        return envelope
      }
      if (message?.topic === 'devices/{device}/ack') {
        const command = commands.get(message.payload.id)
        if (command === undefined) return envelope
        return {
          ...envelope,
          message,
          cause: envelope.cause || command.seq,
          correlation: envelope.correlation || command.correlation,
        }
      }
      if (message?.topic === 'devices/{device}/request') {
        const { correlationId } = message.payload
        return correlationId === undefined || envelope.correlation !== ''
          ? envelope
          : { ...envelope, message, correlation: correlationId }
      }
      return envelope
    },
  }
}

/** The id of a command the gate itself made: its JSON is known to fit. */
const idOf = (payload: Buffer): string | undefined => {
  const value: unknown = JSON.parse(payload.toString())
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
    ? value.id
    : undefined
}
