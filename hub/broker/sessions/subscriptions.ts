// Who has a lasting subscription that matches a topic: a trie over the levels of the filters.

/** What a subscription says beside its filter (MQTT 5, section 3.8.3.1). */
export interface Options {
  qos: number
  rh?: number
  rap?: boolean
  nl?: boolean
  subscriptionIdentifier?: number
}

export interface Match extends Omit<Options, 'subscriptionIdentifier'> {
  clientId: string
  /** The filter; without `$share/{name}/` where it is shared. */
  topic: string
  /** The whole filter of a shared subscription: of all that have the same, one gets each message (MQTT 5, section 4.8.2). */
  share?: string
}

/** A client may have a filter for itself and shared ones beside; a client id has no NUL [MQTT-1.5.4-2]. */
const keyOf = (clientId: string, share: string | undefined): string =>
  share === undefined ? clientId : `${clientId}\0${share}`

interface Level {
  next: Map<string, Level>
  /** Subscriptions whose filter ends here, by client and share. */
  here: Map<string, Match>
}

const level = (): Level => ({ next: new Map(), here: new Map() })

export class Subscriptions {
  readonly #root = level()
  count = 0

  add(match: Match): void {
    let at = this.#root
    for (const name of match.topic.split('/')) {
      let next = at.next.get(name)
      if (next === undefined) at.next.set(name, (next = level()))
      at = next
    }
    const key = keyOf(match.clientId, match.share)
    if (!at.here.has(key)) this.count++
    at.here.set(key, match)
  }

  remove(clientId: string, filter: string, share?: string): void {
    const path: { from: Level; name: string }[] = []
    let at = this.#root
    for (const name of filter.split('/')) {
      const next = at.next.get(name)
      if (next === undefined) return
      path.push({ from: at, name })
      at = next
    }
    if (at.here.delete(keyOf(clientId, share))) this.count--
    for (const { from, name } of path.reverse()) {
      const child = from.next.get(name)
      if (child === undefined || child.here.size > 0 || child.next.size > 0) return
      from.next.delete(name)
    }
  }

  /** All that match a topic, wildcards first. A wildcard at the first level does not match a topic that begins with `$` [MQTT-4.7.2-1]. */
  match(topic: string): Match[] {
    const names = topic.split('/')
    const found: Match[] = []
    const walk = (at: Level, depth: number): void => {
      const wild = depth > 0 || !topic.startsWith('$')
      if (wild) for (const one of at.next.get('#')?.here.values() ?? []) found.push(one)
      const name = names[depth]
      if (name === undefined) {
        for (const one of at.here.values()) found.push(one)
        return
      }
      const exact = at.next.get(name)
      // A level called '+' or '#' in a topic is not a wildcard match twice; topics cannot hold them.
      if (exact !== undefined && name !== '+' && name !== '#') walk(exact, depth + 1)
      const any = wild ? at.next.get('+') : undefined
      if (any !== undefined) walk(any, depth + 1)
    }
    walk(this.#root, 0)
    return found
  }
}
