// `npm run types`: this hub's devices and what each can be asked, as literal types, so that a wrong name does not compile.
import { core } from './core.ts'
import type { TopicTable } from './table.ts'

/** A device as its flows' types know it. */
export interface Known {
  id: string
  intents: readonly string[]
}

export interface TypesParts {
  table: TopicTable
  /** Retained messages; only `devices/{device}/about` counts. An empty payload is a device that is gone. */
  retained: Iterable<{ topic: string; payload: Uint8Array }>
  /** Puts the text in `data/hub-types.d.ts`, which flows/tsconfig.json includes. */
  write(text: string): Promise<void> | void
  say(line: string): void
}

const ABOUT = 'devices/{device}/about'

/** Writes the types of the devices that are known now, and says how many. Returns them. */
export const writeTypes = async ({ table, retained, write, say }: TypesParts): Promise<Known[]> => {
  const known = knownOf(table, retained)
  await write(typesOf(known))
  say(
    known.length === 0
      ? 'No device has said what it is yet: the types are as they were. Start the hub, connect a device, and try again.'
      : `The types of ${known.length} ${known.length === 1 ? 'device' : 'devices'} are written: a flow that names another, or asks for what it cannot do, does not compile.`,
  )
  return known
}

const knownOf = (table: TopicTable, retained: TypesParts['retained']): Known[] => {
  const known = new Map<string, readonly string[]>()
  for (const { topic, payload } of retained) {
    const match = table.match(topic)
    const id = match?.params['device']
    if (match?.key !== ABOUT || id === undefined) continue
    known.delete(id)
    if (payload.length === 0) continue
    const decoded = table.decode(match.row, payload)
    if (decoded.ok) known.set(id, Object.keys(core[ABOUT].payload.parse(decoded.payload).intents))
  }
  return [...known].map(([id, intents]) => ({ id, intents }))
}

/** The declarations for these devices. */
export const typesOf = (known: readonly Known[]): string => {
  const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const union = (intents: readonly string[]) =>
    intents.length === 0
      ? 'never'
      : [...intents]
          .sort(byName)
          .map((intent) => JSON.stringify(intent))
          .join(' | ')
  const lines = [...known]
    .sort((a, b) => byName(a.id, b.id))
    .map(({ id, intents }) => `      ${JSON.stringify(id)}: ${union(intents)}\n`)
  const body = known.length === 0 ? '' : `    devices: {\n${lines.join('')}    }\n`
  return `// Written by \`npm run types\`: the devices of this hub and what each can be asked. Not for the repository.
export type {} from '#hub'

declare module '#hub' {
  interface Known {
${body}  }
}
`
}
