// What somebody may have meant: the closest of the names that exist.

const MOST = 3

/** At most three names close to `given`, closest first: the same verb on another noun, or a few letters apart. */
export const nearest = (given: string, names: readonly string[]): string[] =>
  names
    .map((name) => ({ name, apart: distance(given, name) - (verbOf(name) === verbOf(given) ? 3 : 0) }))
    .filter(({ name, apart }) => apart <= Math.max(2, Math.ceil(Math.max(given.length, name.length) / 3)))
    .sort((a, b) => a.apart - b.apart || (a.name < b.name ? -1 : 1))
    .filter(({ apart }, _, [best]) => apart <= (best?.apart ?? 0) + 1)
    .slice(0, MOST)
    .map(({ name }) => name)

/** `light.turn_on` → `turn_on`. */
export const verbOf = (intent: string): string => intent.slice(intent.indexOf('.') + 1)

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
export const distance = (a: string, b: string): number => {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      row.push(least)
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
