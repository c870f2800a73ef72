// What whoever understands sentences must be able to do. The rules are one; a language model can be another: both only say what was meant, and ask nothing of any device.
import type { Device } from '#hub/plugin'
import type { Synonyms } from './vocabulary.ts'

/** What was spoken of before. */
export interface Before {
  lastIntent?: string | undefined
  /** What went with it. */
  lastPayload?: Readonly<Record<string, unknown>> | undefined
  devices: readonly string[]
  zone?: string | undefined
  /** Spoken of so long ago that `it` may mean something else by now. */
  isStale?: boolean | undefined
  language?: 'en' | 'de' | undefined
  /** A question that is open: the answer may be no more than a name. */
  asked?:
    | {
        intent?: string | undefined
        family?: string | undefined
        devices: readonly string[]
        payload: Record<string, unknown>
      }
    | undefined
}

export interface World {
  devices: readonly Device[]
  synonyms: Synonyms
  before: Before
}

/** A thing to ask the gate for. */
export interface Wish {
  device: string
  intent: string
  payload: Record<string, unknown>
}

export type Meant =
  | { kind: 'wishes'; wishes: Wish[] }
  /** How something is; `aspect` is the word asked about, such as `open`. */
  | { kind: 'state'; devices: string[]; aspect: string | undefined; words: string[] }
  /** One thing has to be said yet. */
  | {
      kind: 'question'
      about: 'device' | 'value' | 'intent' | 'name'
      options: string[]
      family?: string | undefined
      intent?: string | undefined
      payload?: Record<string, unknown>
      field?: string
      said?: string
    }
  | { kind: 'confirm'; phrase: string }
  | { kind: 'cancel' }
  | { kind: 'stop' }
  | { kind: 'thanks' }
  | { kind: 'greeting' }
  | { kind: 'help' }
  /** Understood, and nothing will be done. */
  | {
      kind: 'no'
      why: 'negated' | 'told' | 'later' | 'condition' | 'duration' | 'cannot' | 'limit'
      device?: string
      said?: string
      can?: string[]
    }
  | { kind: 'unknown'; near: string[] }

export interface Understanding {
  meant: Meant
  language: 'en' | 'de'
  /** 0 to 1. */
  confidence: number
  /** Which words led where. */
  matched: { words: string; as: string }[]
  /** What else came near, and why it was not it. */
  considered: { what: string; why: string }[]
}

export interface Understander {
  id: string
  tier: string
  understand(text: string, world: World): Understanding | Promise<Understanding>
}
