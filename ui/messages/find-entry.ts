// Which entry of the journal a message heard live is.
import type { JournalItem } from '../api/types.ts'

/** The journal's entry of a heard message: the one with the same topic and payload nearest in time. */
export const findEntry = (
  items: readonly JournalItem[],
  heard: { payload: unknown; at: number },
): JournalItem | undefined => {
  const text = JSON.stringify(heard.payload)
  return items
    .filter((item) => JSON.stringify(item.payload) === text)
    .sort((a, b) => Math.abs(a.at - heard.at) - Math.abs(b.at - heard.at))[0]
}
