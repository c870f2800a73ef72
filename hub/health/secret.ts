// A secret is a value that cannot be printed: not by a log, not by JSON, not in a template string, not in a debugger's inspect.
import { inspect } from 'node:util'

const HIDDEN = '[hidden]'

/** Holds a password, token or key. Only `reveal()` gives it away, so that a search for it finds every place that does. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}
