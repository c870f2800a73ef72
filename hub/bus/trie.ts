// A trie of MQTT filters: which values listen to a topic. Remembers its answers, because few topics carry most messages.

interface Node<T> {
  next: Map<string, Node<T>>
  here: Set<T>
  below: Set<T>
}

const node = <T>(): Node<T> => ({ next: new Map(), here: new Set(), below: new Set() })
const MEMO = 10_000
const NOBODY: readonly never[] = []

/** Matching per MQTT 5 section 4.7: `+` one level (an empty one too), `#` the rest and the parent; neither matches a first level that starts with `$`. */
export class TopicTrie<T> {
  readonly #root: Node<T> = node()
  readonly #memo = new Map<string, readonly T[]>()
  #isEmpty = true

  add(filter: string, value: T): void {
    this.#memo.clear()
    this.#isEmpty = false
    let at = this.#root
    const parts = filter.split('/')
    for (const [i, part] of parts.entries()) {
      if (part === '#' && i === parts.length - 1) return void at.below.add(value)
      let next = at.next.get(part)
      if (next === undefined) at.next.set(part, (next = node()))
      at = next
    }
    at.here.add(value)
  }

  /** Removes one value from one filter, and the branches that hold nothing any more. */
  remove(filter: string, value: T): void {
    this.#memo.clear()
    const parts = filter.split('/')
    const path: Node<T>[] = [this.#root]
    for (const part of parts) {
      const at = path.at(-1)
      if (part === '#') {
        at?.below.delete(value)
        break
      }
      const next = at?.next.get(part)
      if (next === undefined) return
      path.push(next)
    }
    if (parts.at(-1) !== '#') path.at(-1)?.here.delete(value)
    for (let i = path.length - 1; i > 0; i--) {
      const at = path[i]
      if (at === undefined || at.next.size + at.here.size + at.below.size > 0) return
      path[i - 1]?.next.delete(parts[i - 1] ?? '')
    }
  }

  /** Everyone who listens to a topic, each once. The array is shared: do not change it. */
  match(topic: string): readonly T[] {
    if (this.#isEmpty) return NOBODY
    const known = this.#memo.get(topic)
    if (known !== undefined) return known
    const found = new Set<T>()
    collect(this.#root, topic.split('/'), 0, found)
    if (this.#memo.size >= MEMO) this.#memo.clear()
    const list = [...found]
    this.#memo.set(topic, list)
    return list
  }
}

const collect = <T>(at: Node<T>, parts: readonly string[], i: number, found: Set<T>): void => {
  const wild = i > 0 || !(parts[0]?.startsWith('$') ?? false)
  if (wild) for (const value of at.below) found.add(value)
  const part = parts[i]
  if (part === undefined) {
    for (const value of at.here) found.add(value)
    return
  }
  const next = at.next.get(part)
  if (next) collect(next, parts, i + 1, found)
  const any = wild ? at.next.get('+') : undefined
  if (any) collect(any, parts, i + 1, found)
}
