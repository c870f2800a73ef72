// Who is due next: a heap of flows by their earliest timer, each at most once.

/** Something with a time at which it is due; Infinity for never. */
export interface Due {
  due: number
  /** Its place in the queue; -1 while it is in none. The queue's own. */
  place: number
}

/** The earliest first. Costs the logarithm of the number of those that wait, and nothing while nothing changes. */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = []

  get first(): T | undefined {
    return this.#heap[0]
  }

  /** When the first is due; Infinity when none is. */
  get next(): number {
    return this.#heap[0]?.due ?? Infinity
  }

  /** Says when `one` is due now. */
  set(one: T, due: number): void {
    if (due === one.due) return
    const isEarlier = due < one.due
    one.due = due
    if (due === Infinity) this.#leave(one)
    else if (one.place < 0) this.#rise(one, this.#heap.push(one) - 1)
    else if (isEarlier) this.#rise(one, one.place)
    else this.#sink(one, one.place)
  }

  #leave(one: T): void {
    const { place } = one
    const last = this.#heap.pop()
    one.place = -1
    if (last === undefined || last === one) return
    this.#sink(last, place)
    this.#rise(last, last.place)
  }

  #rise(one: T, from: number): void {
    const heap = this.#heap
    let i = from
    while (i > 0) {
      const up = (i - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || parent.due <= one.due) break
      heap[i] = parent
      parent.place = i
      i = up
    }
    heap[i] = one
    one.place = i
  }

  #sink(one: T, from: number): void {
    const heap = this.#heap
    let i = from
    for (;;) {
      let below = 2 * i + 1
      let child = heap[below]
      if (child === undefined) break
      const right = heap[below + 1]
      if (right !== undefined && right.due < child.due) {
        child = right
        below++
      }
      if (child.due >= one.due) break
      heap[i] = child
      child.place = i
      i = below
    }
    heap[i] = one
    one.place = i
  }
}
