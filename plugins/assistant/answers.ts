// An answer to a question that is open: no more than a name, perhaps.
import type { Device } from '#hub/plugin'
import { spell } from './clauses.ts'
import { everyword } from './fillers.ts'
import { isGrave } from './intents.ts'
import { fill } from './payload.ts'
import type { Read } from './clause-wishes.ts'
import { targetsOf } from './targets.ts'
import type { Before, Wish } from './understander.ts'
import type { Family } from './verb-patterns.ts'
import type { Known } from './vocabulary.ts'
import type { Token } from './words.ts'
import { wishFor } from './wishes.ts'

/** An answer to an open question that names one of its options. */
export const answered = (
  words: readonly Token[],
  all: readonly Known[],
  asked: NonNullable<Before['asked']>,
  text: string,
): Read | undefined => {
  const options = all.filter(({ device }) => asked.devices.includes(device.id))
  if (options.length === 0) return undefined
  const family = asked.family as Family | undefined
  const chosen = ((): Device[] => {
    if (words.some(({ word }) => everyword.has(word))) return options.map(({ device }) => device)
    if (options.length === 1) return options.map(({ device }) => device)
    const target = targetsOf({ words, taken: new Set(), all: options, can: () => true })
    return target.isAmbiguous ? [] : target.devices
  })()
  if (chosen.length === 0 || (family === undefined && asked.intent === undefined)) return undefined
  const wishes = chosen.flatMap((device): Wish[] => {
    const intent = asked.intent !== undefined && Object.hasOwn(device.intents, asked.intent) ? asked.intent : undefined
    const made =
      intent === undefined
        ? family === undefined
          ? undefined
          : wishFor(device, family, words, new Set(), text)
        : {
            wish: {
              device: device.id,
              intent,
              payload: {
                ...asked.payload,
                ...fill(device.intents[intent] ?? {}, 'set', words, new Set(), device.state).payload,
              },
            },
          }
    return made === undefined ? [] : [{ ...made.wish, payload: { ...asked.payload, ...made.wish.payload } }]
  })
  const [first] = wishes
  const device = chosen[0]
  if (first === undefined || device === undefined || (wishes.length > 1 && isGrave(device, first.intent)))
    return undefined
  return {
    meant: { kind: 'wishes', wishes },
    confidence: 0.85,
    matched: [{ words: spell(words), as: `answer: ${chosen.map(({ id }) => id).join(', ')}` }],
    considered: [],
  }
}
