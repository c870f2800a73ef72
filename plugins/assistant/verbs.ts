// Finds the verbs of a sentence. Of several patterns that fit, the one that explains most words counts.
import { type Family, PATTERNS, SHARES } from './verb-patterns.ts'
import type { Token } from './words.ts'

export interface Found {
  family: Family
  language: 'en' | 'de'
  /** Places of the words it explains. */
  at: readonly number[]
  /** The words themselves, for the explanation. */
  text: string
}

const AFTER_PARTICLE = new Set(
  'in im am auf bei beim und bitte jetzt mal wieder mit fuer sofort gleich danke oder ueber neben hinter vorne hinten oben unten draussen drinnen ueberall please now again and or for at thanks thank for immediately too also auch right everywhere there here dort hier da to so kurz schnell lassen sein werden wird ist gehen machen , ? ; : then dann of with inside outside as when um if falls wenn sobald until bis nach except excluding but without ausser ohne except'.split(
    ' ',
  ),
)
/** After an `on` in mid-sentence these begin a place, and the `on` is a preposition. */
const isParticleAt = (words: readonly Token[], i: number): boolean => {
  const next = words[i + 1]
  if (next === undefined) return true
  if (
    /^(?:up|down|hoch|runter|rauf|herunter)$/.test(words[i]?.word ?? '') &&
    /^(?:a|ein|etwas|little|bit|some)$/.test(next.word)
  )
    return true
  if (next.number !== undefined && !['an', 'auf', 'ein', 'zu', 'um'].includes(words[i]?.word ?? '')) return true
  return AFTER_PARTICLE.has(next.word)
}

type Step = { gap: true } | { gap: false; word: RegExp; particle: RegExp | undefined; isNumber: boolean }
const stepOf = (element: string): Step => {
  if (element === '..') return { gap: true }
  const parts = element.split('|')
  const particles = parts.filter((part) => part.startsWith('>')).map((part) => part.slice(1))
  return {
    gap: false,
    word: new RegExp(`^(?:${element})$`),
    particle: particles.length > 0 ? new RegExp(`^(?:${particles.join('|')})$`) : undefined,
    isNumber: element === '#',
  }
}
const compiled = PATTERNS.map(([family, language, ...elements]) => ({ family, language, steps: elements.map(stepOf) }))

const fits = (step: Exclude<Step, { gap: true }>, words: readonly Token[], i: number): boolean => {
  const token = words[i]
  if (token === undefined) return false
  if (step.isNumber) return token.number !== undefined || SHARES[token.word] !== undefined
  if (step.particle !== undefined) return step.particle.test(token.word) && isParticleAt(words, i)
  return step.word.test(token.word)
}

const MOST_BETWEEN = 14

/** The places of the words a pattern explains from `i` on; undefined when it does not fit there. */
const matched = (steps: readonly Step[], s: number, words: readonly Token[], i: number): number[] | undefined => {
  const step = steps[s]
  if (step === undefined) return []
  if (step.gap) {
    for (let j = i; j <= Math.min(words.length, i + MOST_BETWEEN); j++) {
      const rest = matched(steps, s + 1, words, j)
      if (rest !== undefined) return rest
    }
    return undefined
  }
  if (!fits(step, words, i)) return undefined
  const rest = matched(steps, s + 1, words, i + 1)
  return rest === undefined ? undefined : [i, ...rest]
}

/** Every verb that fits, the best first: most words explained, then the earliest. */
export const verbsIn = (words: readonly Token[]): Found[] => {
  const found: (Found & { rank: number })[] = []
  for (const [rank, { family, language, steps }] of compiled.entries()) {
    for (let i = 0; i < words.length; i++) {
      const at = matched(steps, 0, words, i)
      if (at === undefined) continue
      found.push({ family, language, at, rank, text: at.map((place) => words[place]?.word ?? '').join(' ') })
      break
    }
  }
  return found.sort((a, b) => b.at.length - a.at.length || (a.at[0] ?? 0) - (b.at[0] ?? 0) || a.rank - b.rank)
}
