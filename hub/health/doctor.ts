// The doctor: runs every check, prints each with a hint, and says by its exit code whether the hub can run (OB-14).
import { reasonOf } from '../errors.ts'
import type { HealthWord } from './report.ts'

export interface Finding {
  word: HealthWord
  /** What was found. */
  what: string
  /** What to do about it. */
  hint?: string
}

export interface Check {
  name: string
  run(): Promise<Finding>
}

const MARK: Record<HealthWord, string> = { healthy: 'ok  ', degraded: 'warn', unhealthy: 'FAIL', unknown: '?   ' }
const CHECK_MS = 5_000

/** Runs the checks in order, each at most five seconds; prints as it goes. Resolves to the exit code: 1 when anything is unhealthy. */
export const doctor = async (
  checks: readonly Check[],
  print: (line: string) => void = (line) => console.log(line),
): Promise<number> => {
  const width = Math.max(0, ...checks.map(({ name }) => name.length))
  const counts: Record<HealthWord, number> = { healthy: 0, degraded: 0, unhealthy: 0, unknown: 0 }
  for (const check of checks) {
    const { word, what, hint } = await examine(check)
    counts[word]++
    print(`${MARK[word]}  ${check.name.padEnd(width)}  ${what}`)
    if (hint !== undefined && word !== 'healthy')
      print(`${' '.repeat(width + 8)}${hint.replaceAll('\n', `\n${' '.repeat(width + 8)}`)}`)
  }
  const told = Object.entries(counts).filter(([, count]) => count > 0)
  print(`${checks.length} checks: ${told.map(([word, count]) => `${count} ${word}`).join(', ')}.`)
  return counts.unhealthy > 0 ? 1 : 0
}

const examine = async (check: Check): Promise<Finding> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve({ word: 'unknown', what: `no result in ${CHECK_MS / 1000} s` }), CHECK_MS)
  })
  try {
    return await Promise.race([check.run(), late])
  } catch (error) {
    return { word: 'unhealthy', what: `the check itself failed: ${reasonOf(error)}` }
  } finally {
    clearTimeout(timer)
  }
}
