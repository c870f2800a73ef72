// The registry of devices: built from `about`, `state` and `online`, owned by exactly one principal each.
import type { z } from 'zod'
import type { core } from '../topics/core.ts'

export type AboutDevice = z.output<(typeof core)['devices/{device}/about']['payload']>

export interface Device {
  id: string
  name: string
  kind: string
  area?: string
  online: boolean
  /** The principal that may write it: `device:dust` or `plugin:workshop-sim`. */
  owner: string
  intents: AboutDevice['intents']
  safe: readonly string[]
  maker?: string
  model?: string
  via?: string
  state: Record<string, unknown>
  /** ms since 1970 of the last message from its owner; 0 for never. */
  lastSeen: number
}

export interface Devices {
  list(): Device[]
  get(id: string): Device | undefined
  /** The owner fixed for an id, if any; the first credential or `about` fixes it. */
  ownerOf(id: string): string | undefined
  /** Fixes the owner; throws CONFLICT when another has it. Persisted. */
  claim(id: string, owner: string): void
  /** The stable id for a foreign name: slugged once, kept; a collision adds a hash, a rename keeps the id. */
  idFor(foreign: { by: string; key: string; name: string }): string
  /** Forgets a device: registry row, retained topics, owner. */
  forget(id: string): Promise<void>
  close(): Promise<void>
}
