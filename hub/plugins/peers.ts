// The addresses and secrets of plugins' peers: one file, readable by the hub's user alone, of which each plugin sees its own part (CF-10).
import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { Fatal, Missing, reasonOf } from '../errors.ts'
import { Credential, type CredentialRecord } from '../health/credential.ts'

/** By plugin id, then by the name the plugin asks for. */
const Peers = z.record(z.string(), z.record(z.string(), Credential))

export interface Peers {
  /** The names a plugin has. */
  names(plugin: string): string[]
  /** Throws NOT_FOUND, saying what to write where, when the plugin has none of this name. */
  of(plugin: string, name: string): CredentialRecord
}

/** Reads the file; none means no peers. Throws Fatal naming the entry that does not fit, or when others can read the file. */
export const readPeers = (path: string): Peers => {
  const peers = read(path)
  return {
    names: (plugin) => Object.keys(peers[plugin] ?? {}),
    of(plugin, name) {
      const record = Object.hasOwn(peers, plugin) ? peers[plugin]?.[name] : undefined
      if (record !== undefined) return record
      throw new Missing(
        `Plugin '${plugin}' needs the address of '${name}': write it to ${path} under ${plugin}.${name}.`,
      )
    },
  }
}

const read = (path: string): z.output<typeof Peers> => {
  let raw: unknown
  try {
    const { mode } = statSync(path)
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      throw new Fatal(`${path} holds secrets and can be read by other users of this computer: chmod 600 ${path}`)
    }
    raw = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Fatal) throw error
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new Fatal(`${path} cannot be read: ${reasonOf(error).split('\n')[0] ?? ''}`)
  }
  const parsed = Peers.safeParse(raw ?? {})
  if (parsed.success) return parsed.data
  // The path and the rule only: the value may be the secret.
  const wrong = parsed.error.issues.map(({ path: at, message }) => `${at.map(String).join('.')}: ${message}`)
  throw new Fatal(`${path} is not valid:\n  ${wrong.join('\n  ')}`)
}
