// A scene that is an option of a device, said by its own word: "party mode", "Abendszene", "closing time".
import type { Clause } from './clauses.ts'
import type { Read } from './clause-wishes.ts'
import { fieldsOf } from './fields.ts'
import { fillers } from './fillers.ts'
import { isVerbish } from './verbish.ts'
import type { Known } from './vocabulary.ts'
import { meaningOf, tokens } from './words.ts'

const AROUND = new Set(['scene', 'mode', 'time', 'mood', 'programm', 'program'])
const CALLS = /^(?:activate|aktivier\w*)$/
/** Beside the name of a scene these ask for it. */
const LOADS =
  /^(?:load|call|pull|wechsl\w*|apply|trigger|select|pick|choose|run|fire|lad|lade|ladet|ruf|rufe|rufen|ruft|waehl\w?|abrufen|aufrufen|laden)$/

const optionsOf = (all: readonly Known[]) =>
  all.flatMap(({ device }) =>
    fieldsOf(device.intents['scene.activate'] ?? {}).flatMap(({ name, schema }) => {
      const among: unknown = schema['enum']
      const options = Array.isArray(among) ? among.filter((option) => typeof option === 'string') : []
      return options.map((option) => ({
        device: device.id,
        payload: { [name]: option },
        atoms: tokens(option.replaceAll('_', ' ')).flatMap((token) => meaningOf(token).atoms),
      }))
    }),
  )

/** The scene that a clause names and nothing else; undefined when it says more, or two would fit. */
export const readScene = ({ words }: Clause, all: readonly Known[]): Read | undefined => {
  const options = optionsOf(all)
  if (options.length === 0) return undefined
  const isOption = (atom: string): boolean => options.some(({ atoms }) => atoms.includes(atom))
  const meanings = words.map((token) => ({ token, atoms: meaningOf(token).atoms }))
  const around = meanings.filter(({ token, atoms }) => AROUND.has(token.word) || atoms.some((atom) => AROUND.has(atom)))
  if (around.length === 0 && !words.some(({ word }) => CALLS.test(word))) return undefined
  const said = meanings.flatMap(({ token, atoms }) => {
    if (atoms.some(isOption)) return atoms.filter((atom) => !AROUND.has(atom))
    if (fillers.has(token.word) || isVerbish(token.word) || CALLS.test(token.word) || LOADS.test(token.word)) return []
    return atoms.filter((atom) => !AROUND.has(atom))
  })
  const fitting = options.filter(({ atoms }) => said.length > 0 && said.every((atom) => atoms.includes(atom)))
  const [only] = fitting
  if (only === undefined || fitting.length > 1) return undefined
  const { device, payload } = only
  return {
    meant: { kind: 'wishes', wishes: [{ device, intent: 'scene.activate', payload }] },
    confidence: 0.9,
    matched: [{ words: words.map(({ word }) => word).join(' '), as: `scene.activate of ${device}` }],
    considered: [],
  }
}
