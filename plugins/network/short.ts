// The list of found things in one message, cut where it would not fit.
import type { Found } from './thing.ts'
import type { FoundList, FoundShort } from './topics.ts'

/** The hub's own topics hold 64 KiB; room is left for what surrounds the list. */
const BYTES = 60 * 1024

/** `items` in the order they come, `searchingUntil` in ms since 1970. */
export const shortList = (items: readonly Found[], searchingUntil: number | undefined): FoundList => {
  const short: FoundShort[] = []
  let size = 0
  for (const { id, kind, name, addresses, port, confidence, status } of items) {
    const one: FoundShort = {
      id,
      kind,
      name,
      ...(addresses[0] === undefined ? {} : { address: addresses[0] }),
      ...(port === undefined ? {} : { port }),
      confidence,
      status,
    }
    size += Buffer.byteLength(JSON.stringify(one)) + 1
    if (size > BYTES) break
    short.push(one)
  }
  return {
    items: short,
    more: items.length - short.length,
    ...(searchingUntil === undefined ? {} : { searchingUntil: new Date(searchingUntil).toISOString() }),
  }
}
