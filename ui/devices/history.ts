// What a chart draws: the points of the hub, what was heard since at the right end, and gaps where nothing was said.
import type { Past } from './past.ts'

/** A value that was heard on the live line; `at` in ms by the hub's clock. */
export interface Live {
  at: number
  value: number
}

/** One place a finger or an arrow key can stop at. Times in ms. */
export interface Stop {
  from: number
  to: number
  /** Where it is drawn. */
  at: number
  min: number
  max: number
  mean: number
  last: number
  /** How many readings the hub counted: 0 for what was heard since, and for a switch that stayed as it was. */
  n: number
}

export interface Drawn {
  isSwitch: boolean
  stops: Stop[]
  /** Edges of the shown time, ms. */
  from: number
  until: number
}

/** Columns as uPlot takes them: seconds, highest, lowest, middle; null where there is a gap. */
export type Columns = [at: number[], high: (number | null)[], low: (number | null)[], mean: (number | null)[]]

/** As many live values as are kept beside a chart. */
export const MOST_LIVE = 600

/** Takes what was heard since the hub rolled up to the right end of its points. `now` by the hub's clock. */
export const drawnOf = (past: Past, live: readonly Live[], now: number): Drawn => {
  const length = past.to - past.from
  const until = Math.max(past.to, now)
  const from = until - length
  const stops: Stop[] = past.points
    .filter(({ at }) => at + past.step > from)
    .map(({ at, ...rest }) => {
      const to = Math.min(at + past.step, until)
      return { ...rest, from: at, to, at: past.isSwitch ? at : (at + to) / 2 }
    })
  const newer = live.filter(({ at }) => at > past.upTo && at <= until)
  return {
    isSwitch: past.isSwitch,
    from,
    until,
    stops: past.isSwitch ? withLiveSwitch(stops, newer, until) : withLiveNumbers(stops, newer),
  }
}

/** Each live number is a stop of its own, right of the last point. */
const withLiveNumbers = (stops: Stop[], live: readonly Live[]): Stop[] => {
  const last = stops.at(-1)
  const first = live[0]?.at
  // The last point ends where the live values begin.
  if (last !== undefined && first !== undefined && last.at >= first) {
    last.to = Math.max(last.from, Math.min(last.to, first))
    last.at = (last.from + last.to) / 2
  }
  const edge = last?.at ?? -Infinity
  return [
    ...stops,
    ...live
      .filter(({ at }) => at > edge)
      .map(({ at, value }) => ({ from: at, to: at, at, min: value, max: value, mean: value, last: value, n: 0 })),
  ]
}

/** A switch stays as it was last heard until now. */
const withLiveSwitch = (stops: Stop[], live: readonly Live[], until: number): Stop[] => {
  const last = stops.at(-1)
  const changes = live.filter(({ value }, n) => value !== (n === 0 ? last?.last : live[n - 1]?.value))
  let edge = changes[0]?.at ?? until
  if (last !== undefined && last.to < edge && last.mean === last.last) last.to = edge
  else if (last !== undefined) edge = Math.max(last.to, edge)
  return [
    ...stops,
    ...changes.map(({ at, value }, n) => {
      const from = Math.max(at, edge)
      const to = Math.max(from, changes[n + 1]?.at ?? until)
      return { from, to, at: from, min: value, max: value, mean: value, last: value, n: 0 }
    }),
  ]
}

/** After how many ms without a word a line is broken: some of its own usual distances, and more than two points. */
export const gapOf = (stops: readonly Stop[], step: number): number => {
  const apart = stops
    .slice(1)
    .map(({ at }, n) => at - (stops[n]?.at ?? at))
    .sort((a, b) => a - b)
  return Math.max(2.5 * step, 3 * (apart[apart.length >> 1] ?? 0))
}

/** Numbers as columns, with a gap where nothing was said for long. */
export const columnsOf = ({ stops }: Pick<Drawn, 'stops'>, step: number): Columns => {
  const gap = gapOf(stops, step)
  const columns: Columns = [[], [], [], []]
  const push = (at: number, high: number | null, low: number | null, mean: number | null): void => {
    columns[0].push(at / 1000)
    columns[1].push(high)
    columns[2].push(low)
    columns[3].push(mean)
  }
  stops.forEach(({ at, min, max, mean }, n) => {
    const before = stops[n - 1]
    if (before !== undefined && at - before.at > gap) push((at + before.at) / 2, null, null, null)
    push(at, max, min, mean)
  })
  return columns
}

/** The stop that is nearest to a time. */
export const nearestStop = (stops: readonly Stop[], at: number): number => {
  let [low, high] = [0, stops.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((stops[middle]?.at ?? 0) < at) low = middle + 1
    else high = middle
  }
  const [before, after] = [stops[low - 1], stops[low]]
  if (before === undefined || after === undefined) return low
  return at - before.at < after.at - at ? low - 1 : low
}

/** Lowest, highest, last, how many readings, and for a switch the share of the time it was on. */
export const extent = (
  stops: readonly Stop[],
): { low: number; high: number; last: number; n: number; on: number } | undefined => {
  const last = stops.at(-1)
  if (last === undefined) return undefined
  const length = stops.reduce((sum, { from, to }) => sum + to - from, 0)
  return {
    low: stops.reduce((low, { min }) => Math.min(low, min), Infinity),
    high: stops.reduce((high, { max }) => Math.max(high, max), -Infinity),
    last: last.last,
    n: stops.reduce((sum, { n }) => sum + n, 0),
    on: length > 0 ? stops.reduce((sum, { from, to, mean }) => sum + (to - from) * mean, 0) / length : last.last,
  }
}
