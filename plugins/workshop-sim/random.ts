// Random numbers from a seed, so that a simulated afternoon can be had again.

export interface Random {
  /** Evenly between 0 and 1. */
  next(): number
  /** Evenly between `low` and `high`. */
  between(low: number, high: number): number
  /** Bell-shaped around 0 with the given spread (the sum of four even ones: bounded at about 3.5 spreads). */
  noise(spread: number): number
  /** True with the given probability. */
  chance(probability: number): boolean
}

/** A 32-bit linear congruential generator (constants of Numerical Recipes) with its better upper bits; not for secrets. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return ((state >>> 8) ^ (state >>> 21)) / 2 ** 24
  }
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    noise: (spread) => (next() + next() + next() + next() - 2) * Math.sqrt(3) * spread,
    chance: (probability) => next() < probability,
  }
}
