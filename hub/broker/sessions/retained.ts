// The retained message of each topic.
import { isExact, matches } from '../../bus/filters.ts'
import { bytesOf, kept, type Packet, payloadOf, textOf } from './packets.ts'
import type { SessionLimits } from './limits.ts'
import { DO } from './schema.ts'
import { type Change, change, type Writing } from './writing.ts'

interface Kept {
  packet: Packet
  bytes: number
  stored: Change | undefined
}

export class Retained {
  readonly #kept = new Map<string, Kept>()
  readonly #limits: SessionLimits
  bytes = 0

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#kept.size
  }

  restore(packet: Packet): void {
    this.#set(packet, undefined)
  }

  /** Whether there is room for this message. */
  fits(packet: Packet): boolean {
    const before = this.#kept.get(packet.topic)
    if (before === undefined && this.#kept.size >= this.#limits.retainedTopics) return false
    return this.bytes - (before?.bytes ?? 0) + bytesOf(packet) <= this.#limits.retainedBytes
  }

  /** Keeps a message in place of the one before; an empty payload removes it [MQTT-3.3.1-6]. */
  set(packet: Packet, writing: Writing): Change[] {
    const before = this.#kept.get(packet.topic)
    if (before?.stored !== undefined) writing.cancel(before.stored)
    if (packet.payload.length === 0) {
      if (before === undefined) return []
      this.#kept.delete(packet.topic)
      this.bytes -= before.bytes
      return [change(DO.unkeep, packet.topic)]
    }
    const stored = change(DO.keep, packet.topic, textOf(packet), payloadOf(packet))
    this.#set(kept({ ...packet }), stored)
    return [stored]
  }

  *matching(filters: readonly string[]): Generator<Packet> {
    for (const filter of filters) {
      if (isExact(filter)) {
        const kept = this.#kept.get(filter)
        if (kept !== undefined) yield kept.packet
        continue
      }
      for (const [topic, { packet }] of this.#kept) if (matches(filter, topic)) yield packet
    }
  }

  *all(): Generator<Packet> {
    for (const { packet } of this.#kept.values()) yield packet
  }

  #set(packet: Packet, stored: Change | undefined): void {
    this.bytes += bytesOf(packet) - (this.#kept.get(packet.topic)?.bytes ?? 0)
    this.#kept.set(packet.topic, { packet, bytes: bytesOf(packet), stored })
  }
}
