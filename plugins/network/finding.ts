// What one voice on the network said of one thing.

export type Source = 'mdns' | 'ssdp' | 'udp'

export interface Finding {
  source: Source
  /** Who it is within its source; the same again when it says so again. */
  key: string
  kind: string
  name: string
  /** Addresses it gives, all of the site; the first one is where it is reached. */
  addresses: readonly string[]
  port?: number | undefined
  /** A page of the thing itself, at its own address; nobody but a person opens it. */
  url?: string | undefined
  /** What was said, such as `_octoprint._tcp`. */
  what: string
  /** Few words of its own, of a list of known ones: version, model. */
  facts: Readonly<Record<string, string>>
  /** The address the datagram came from. */
  from: string
  /** ms since 1970; without another word it is gone then. */
  until: number
}

/** Something was said of a thing, or that it leaves. */
export type Word = { kind: 'found'; finding: Finding } | { kind: 'ended'; key: string; from: string }

/** Facts out of what a thing says: of known names only, cut and cleaned, so that passwords and positions stay behind. */
export const factsOf = (
  said: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
  clean: (text: string, most: number) => string,
): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = clean(said[name] ?? '', 100)
      return value === '' ? [] : [[name, value]]
    }),
  )
