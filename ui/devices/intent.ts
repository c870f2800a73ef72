// Intents as buttons: what they are called, and which of them must be held.

import { words } from './value.ts'

/** `light.turn_on` → `Turn on`. */
export const intentLabel = (intent: string): string => words(intent.slice(intent.indexOf('.') + 1))

const RISKY =
  /(^|[._])(start|unlock|enable|open|heat|move|run|home|jog|arm|resume|override|print|fire|spin|power_on|cycle)/

/**
 * Whether an intent has to be held for 0.8 s: one that sets something going, unlocks or enables. What the device
 * declared as safe never is. This protects from a slip of the finger; what is allowed is the gate's to decide.
 */
export const mustHold = (intent: string, safe: readonly string[]): boolean =>
  !safe.includes(intent) && RISKY.test(intent)

/** The intents of a device in the order of their buttons: safe ones first, `simulate` (demo only) last. */
export const orderedIntents = (intents: readonly string[], safe: readonly string[]): string[] => {
  const place = (intent: string): number => (safe.includes(intent) ? 0 : /simulate/.test(intent) ? 2 : 1)
  return [...intents].sort((a, b) => place(a) - place(b))
}
