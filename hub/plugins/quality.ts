// The sixteen rules a plugin is measured by. Each is done, or exempt with a reason, in its quality.yaml.
import { parse } from 'yaml'
import { z } from 'zod'

export const RULES = {
  'topics-declared': 'Reads and writes only the topics it declares; its own stand in topics.ts with a schema each.',
  'config-described': 'Every setting has a description and a default; settings it does not know are refused.',
  'starts-alone': 'Starts when its peer is absent, and says what is missing and what to do.',
  'comes-back': 'Finds its peer again by itself after the peer died, stalled or restarted, with backoff.',
  'stops-clean': 'Unsubscribing leaves no timer, socket, worker or child process behind.',
  bounded: 'Every queue has a bound, every wait a deadline, every retry an end or a longest pause.',
  'input-checked':
    'Whatever comes from outside passes a schema before it is believed; what does not fit is reported, never thrown.',
  'health-reported': 'Says how it is in health words, and reports errors with source, type and what to do.',
  'secrets-kept': 'Secrets are in no log line, error, topic or URL.',
  'safe-declared': 'Each device declares the intents that lead to its safe state.',
  'commands-answered':
    'Each command is acknowledged as accepted and then as done or failed; repeated and expired ones are not carried out.',
  'asks-the-gate': 'Moves nothing except on a command from the gate.',
  'stays-on-site': 'Calls nothing outside the site while OFFLINE_MODE is on.',
  'load-bounded':
    'Heavy work runs in a worker or a process of its own; the event loop is never held for more than 50 ms.',
  'tested-against-peer': 'Tested through its front door against a peer that can die, stall, lie and repeat.',
  documented: 'README.md says what it does, what it supports, its limits, and how to try it.',
} as const satisfies Record<string, string>

export type Rule = keyof typeof RULES

/** `done`, or why the rule does not apply. A reason is a sentence, not a shrug. */
const Standing = z.union([
  z.literal('done'),
  z.strictObject({ exempt: z.string().min(20, 'must say why in a sentence') }),
])

const Quality = z.strictObject({
  rules: z.strictObject(Object.fromEntries(Object.keys(RULES).map((rule) => [rule, Standing]))),
})
export type Quality = z.output<typeof Quality>

/** Reads a quality.yaml. Throws with the rule that is missing, unknown or exempt without a reason. */
export const readQuality = (text: string): Quality => Quality.parse(parse(text))
