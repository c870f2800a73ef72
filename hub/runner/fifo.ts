// First in, first out: a ring that begins at its front again whenever it is empty, so that a short queue stays in the same few places.
const LEAST = 8
/** A ring that grew beyond this for a while is given back when it is empty. */
const MOST_KEPT = 4096

export class Fifo<T> {
  #items = new Array<T | undefined>(LEAST).fill(undefined)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }
  push(item: T): void {
    if (this.#size === this.#items.length) this.#grow()
    this.#items[(this.#head + this.#size++) & (this.#items.length - 1)] = item
  }
  peek(): T | undefined {
    return this.#items[this.#head]
  }
  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const items = this.#items
    const item = items[this.#head]
    items[this.#head] = undefined
    this.#head = --this.#size === 0 ? 0 : (this.#head + 1) & (items.length - 1)
    if (this.#size === 0 && items.length > MOST_KEPT) this.#items = new Array<T | undefined>(LEAST).fill(undefined)
    return item
  }
  *[Symbol.iterator](): Generator<T> {
    const items = this.#items
    for (let i = 0; i < this.#size; i++) {
      const item = items[(this.#head + i) & (items.length - 1)]
      if (item !== undefined) yield item
    }
  }

  #grow(): void {
    const items = this.#items
    const room = new Array<T | undefined>(items.length).fill(undefined)
    this.#items = items.slice(this.#head).concat(items.slice(0, this.#head), room)
    this.#head = 0
  }
}
