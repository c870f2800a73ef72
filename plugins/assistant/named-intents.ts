// A part of a sentence that says an intent by its own words, such as "preheat the printer".
import type { About, Scene } from './clause-target.ts'
import { consideredOf, MOST_WISHES, type Read } from './clause-wishes.ts'
import { intentsFor, verbOf } from './intents.ts'
import { fill } from './payload.ts'
import type { Wish } from './understander.ts'
import { namedIntent } from './wishes.ts'

/** What a clause asks for by the words of an intent; undefined when it names none, or a usual verb says more. */
export const readNamed = (scene: Scene, { target, family, matched }: About): Read | undefined => {
  const { words } = scene.clause
  const named = namedIntent(target.devices.length > 0 ? target.devices : scene.all.map(({ device }) => device), words)
  const isOpen =
    family === undefined ||
    family === 'set' ||
    (family !== 'on' && family !== 'off' && target.devices.every((device) => intentsFor(device, family).length === 0))
  const meant = target.isEmpty
    ? family === undefined
      ? named
      : []
    : isOpen
      ? named.filter(({ device }) => target.devices.includes(device))
      : []
  if (meant.length === 0 || meant.length > (target.isGroup ? MOST_WISHES : 1)) return undefined
  const free = scene.spoken.notForPayload(target.numbers)
  const wishes = meant.map(({ device, intent }): Wish & { needs?: string } => {
    const { payload, needs } = fill(device.intents[intent] ?? {}, 'set', words, free, device.state)
    return { device: device.id, intent, payload, ...(needs === undefined ? {} : { needs: needs.field }) }
  })
  const [first] = wishes
  if (first?.needs !== undefined)
    return {
      meant: {
        kind: 'question',
        about: 'value',
        options: [first.device],
        intent: first.intent,
        field: first.needs,
        payload: first.payload,
      },
      confidence: 0.7,
      matched,
      considered: [],
      target,
    }
  return {
    meant: { kind: 'wishes', wishes: wishes.map(({ device, intent, payload }) => ({ device, intent, payload })) },
    confidence: 0.85,
    matched: [
      ...matched,
      ...wishes.map(({ intent, device }) => ({ words: verbOf(intent), as: `${intent} of ${device}` })),
    ],
    considered: consideredOf(target),
    target,
  }
}
