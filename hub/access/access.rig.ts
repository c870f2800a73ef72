// What the tests of access share: a clock that is set by hand, and access with honest neighbours.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Store } from '../store/store.ts'
import { Recoverable } from '../errors.ts'
import { silent } from '../testing/stores.ts'
import { isNativeCommand } from '../topics/native.ts'
import { type AccessParts, openAccess } from './open.ts'

/** A clock that stands until it is moved. */
export const handClock = () => {
  let at = 1_800_000_000_000
  return {
    now: () => at,
    stamp: () => at,
    pass(seconds: number) {
      at += seconds * 1000
    },
  }
}

/** A folder that is gone after the test. */
export const tempDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-access-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export const PASSWORD = 'correct horse battery'

/** Access over a store, with a folder and a clock of its own unless given. */
export const rig = async (store: Store, more: Partial<AccessParts> = {}) => {
  const clock = handClock()
  const owners = new Map<string, string>()
  const notes: [string, string, string, Record<string, unknown>][] = []
  const access = await openAccess({
    store,
    dataDir: tempDir(),
    clock,
    log: silent,
    prefix: 'jarvis',
    ownerOf: (device) => owners.get(device),
    claimOwner(device, owner) {
      const other = owners.get(device) ?? owner
      if (other !== owner) throw new Recoverable('CONFLICT', `Device '${device}' belongs to ${other}.`)
      owners.set(device, owner)
    },
    audit: (event, { who, subject, detail }) => notes.push([event, who, subject, detail]),
    nativeCommands: isNativeCommand,
    ...more,
  })
  const revoked: string[] = []
  access.onRevoked((origin, clientId) => revoked.push(`${origin} ${clientId}`))
  return { access, clock, owners, revoked, notes }
}
