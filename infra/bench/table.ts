// Figures of several rounds as a table: medians, lowest and highest, and the ratio against the hub in the same run.

/** The middle one, or the mean of the two in the middle; NaN of none. */
export const median = (list: readonly number[]): number => {
  const sorted = [...list].sort((a, b) => a - b)
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return lower === undefined || upper === undefined ? Number.NaN : (lower + upper) / 2
}

export const rounded = (value: number): string => {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  return size >= 100 ? String(Math.round(value)) : size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export const spread = (list: readonly number[]): string =>
  list.length === 0 ? '–' : `${rounded(Math.min(...list))}–${rounded(Math.max(...list))}`

/** How many times the hub's figure is of a peer's, or the peer's of the hub's where less is better. */
export const ratio = (own: number, peer: number, lessIsBetter: boolean): string => {
  const value = lessIsBetter ? peer / own : own / peer
  return Number.isFinite(value) ? `${value.toFixed(2)} ×` : '–'
}

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

export interface Section {
  title: string
  /** What is measured how, and what the peers do differently. */
  notes: string
  head: readonly string[]
  rows: string[][]
}

export const print = ({ title, notes, head, rows }: Section): void =>
  console.log(`\n## ${title}\n\n${notes}\n\n${table(head, rows)}`)
