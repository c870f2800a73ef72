// From a device and a verb to the intent that is meant, with its payload.
import type { Device } from '#hub/plugin'
import { familyOf, intentsFor, isGrave, verbOf } from './intents.ts'
import { fieldsOf, fill, quoted } from './payload.ts'
import type { Wish } from './understander.ts'
import type { Family } from './verb-patterns.ts'
import { meaningOf, type Token, tokens } from './words.ts'

/** An intent of a device that only its own words name, such as `printer.preheat`. */
export const namedIntent = (
  devices: readonly Device[],
  words: readonly Token[],
): { device: Device; intent: string }[] => {
  const said = new Set(words.flatMap((token) => meaningOf(token).atoms))
  return devices.flatMap((device) =>
    Object.keys(device.intents)
      .filter((intent) => familyOf(intent) === undefined || verbOf(intent).startsWith('set_'))
      .filter((intent) => {
        const verb = tokens(verbOf(intent).replaceAll('_', ' ')).flatMap((token) => meaningOf(token).atoms)
        return verb.length > 0 && verb.every((atom) => said.has(atom) || (atom === 'set' && said.has('stell')))
      })
      .map((intent) => ({ device, intent })),
  )
}

const textField = (schema: Record<string, unknown>): string | undefined =>
  fieldsOf(schema).find(({ schema: field }) => field['type'] === 'string' && !Array.isArray(field['enum']))?.name

/** The best intent of a device for a verb, with its payload; or what stands against it. */
export const wishFor = (
  device: Device,
  family: Family,
  clause: readonly Token[],
  taken: ReadonlySet<number>,
  text: string,
): { wish: Wish; over: boolean; needs?: string } | undefined => {
  const isSet = family === 'set' || family === 'more' || family === 'less'
  const options = intentsFor(device, family).filter((intent) => !isSet || !isGrave(device, intent))
  const open =
    isSet && options.every((intent) => familyOf(intent) !== 'set')
      ? options
      : [
          ...options,
          ...(isSet
            ? intentsFor(device, 'on').filter((intent) => familyOf(intent) === 'on' && !isGrave(device, intent))
            : []),
        ]
  const filled = [...new Set(open)].map((intent) => {
    const schema = device.intents[intent] ?? {}
    const result = fill(schema, family, clause, taken, device.state)
    const field = textField(schema)
    const words = quoted(text)
    if (field !== undefined && words !== undefined && result.payload[field] === undefined) {
      result.payload[field] = words
      if (result.needs?.field === field) delete result.needs
    }
    return { intent, ...result }
  })
  const rank = ({ payload, needs, over }: (typeof filled)[number]): number =>
    Object.keys(payload).length * 2 - (needs === undefined ? 0 : 3) - (over ? 2 : 0)
  const [best] = filled.sort((a, b) => rank(b) - rank(a))
  if (best === undefined) return undefined
  if (isSet && Object.keys(best.payload).length === 0 && best.needs === undefined && familyOf(best.intent) !== 'set')
    return fieldsOf(device.intents[best.intent] ?? {}).length === 0
      ? undefined
      : {
          wish: { device: device.id, intent: best.intent, payload: {} },
          over: best.over,
          needs: fieldsOf(device.intents[best.intent] ?? {})[0]?.name ?? '',
        }
  return {
    wish: { device: device.id, intent: best.intent, payload: best.payload },
    over: best.over,
    ...(best.needs === undefined ? {} : { needs: best.needs.field }),
  }
}

/** Stopping something that has a safe way to stop takes that way. */
export const safest = (device: Device, intents: readonly string[]): string[] => {
  const safe = intents.filter((intent) => device.safe.includes(intent))
  return safe.length > 0 ? safe : [...intents]
}

/** Whether a device has anything a verb may mean; for more and less, a number to change. */
export const canBeAsked = (device: Device, family: Family): boolean =>
  family === 'more' || family === 'less' || family === 'set'
    ? intentsFor(device, family).some(
        (intent) => !isGrave(device, intent) && fieldsOf(device.intents[intent] ?? {}).length > 0,
      )
    : intentsFor(device, family).length > 0
