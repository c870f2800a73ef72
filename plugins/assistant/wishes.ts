// From a device and a verb to the intent that is meant, with its payload.
import type { Device } from '#hub/plugin'
import { amountsIn } from './amounts.ts'
import { fieldsOf, isMeantFor } from './fields.ts'
import { familyOf, intentsFor, isGrave, switchOf, verbOf } from './intents.ts'
import { fill, quoted } from './payload.ts'
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

/** Verbs that may come with an amount of something else: "open the gate halfway", "run the extractor at 40 percent". */
const WITH_AMOUNT: readonly Family[] = ['on', 'start', 'open', 'close', 'up', 'down', 'play', 'resume']

const isChange = (family: Family): boolean => family === 'set' || family === 'more' || family === 'less'

/** An amount that a verb does not say by itself: "open it fully" is no amount, "open it halfway" is. */
const hasAmount = (clause: readonly Token[], taken: ReadonlySet<number>, isSpeed: boolean): boolean =>
  amountsIn(clause, taken).some(
    ({ share, value, at }) =>
      !share || (value > 0 && value < 1) || (value === 1 && isSpeed && clause[at]?.word !== 'ganz'),
  )

/** The intents of a device that a verb may mean with what else was said. */
export const candidates = (
  device: Device,
  family: Family,
  clause: readonly Token[],
  taken: ReadonlySet<number>,
): readonly string[] => {
  const calm = (intent: string): boolean => !isGrave(device, intent)
  const usual = intentsFor(device, family)
  if (isChange(family)) {
    // What could hurt is not set by the way, but by its own unit or word: "85 amps".
    const own = Object.keys(device.intents).filter((intent) => isMeantFor(device.intents[intent] ?? {}, clause, taken))
    return [
      ...usual.filter(calm),
      ...intentsFor(device, 'on').filter((one) => familyOf(one) === 'on' && calm(one)),
      ...own,
    ]
  }
  if (!WITH_AMOUNT.includes(family) || !hasAmount(clause, taken, family === 'on' || family === 'start')) return usual
  return [...usual, ...Object.keys(device.intents).filter((intent) => familyOf(intent) === 'set' && calm(intent))]
}

/** A wish as far as it was said. */
export interface Made {
  wish: Wish
  /** An amount was said that nothing takes. */
  over: boolean
  /** A field that nobody named and it cannot do without. */
  needs?: string
}

/** The best intent of a device for a verb, with its payload; or what stands against it. */
export const wishFor = (
  device: Device,
  family: Family,
  clause: readonly Token[],
  taken: ReadonlySet<number>,
  text: string,
): Made | undefined => {
  const filled = [...new Set(candidates(device, family, clause, taken))].map((intent) => {
    const schema = device.intents[intent] ?? {}
    const result = fill(schema, family, clause, taken, device.state)
    const switched = familyOf(intent) === family ? undefined : switchOf(schema, family)
    if (switched !== undefined) {
      result.payload[switched.field] = switched.option
      if (result.needs?.field === switched.field) delete result.needs
    }
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
  if (
    isChange(family) &&
    Object.keys(best.payload).length === 0 &&
    best.needs === undefined &&
    familyOf(best.intent) !== 'set'
  )
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
