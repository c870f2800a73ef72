// policy.yaml in the data folder: read at the start and whenever it is saved. One with an error changes nothing and is told.
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reasonOf } from '../../errors.ts'
import type { Health, Log } from '../../health/report.ts'
import { type Policy, policyOf } from './policy.ts'
import { readPolicy, wrongInWords } from './read.ts'

const LOOK_MS = 1000

export interface PolicySource {
  /** The policy that counts now. */
  readonly now: Policy
  /** What is wrong with the file as it lies there; undefined when it is the policy that counts, or there is none. */
  readonly wrong: string | undefined
  /** Set when no policy could be read since the start: everything that needs an approval is refused. */
  readonly closed: boolean
  readonly file: string
  /** Looks whether the file was saved. Called by itself each second. */
  look(): void
  close(): void
}

export interface PolicyFileParts {
  dataDir: string
  health: Pick<Health, 'set' | 'report'>
  log: Log
  /** Told of each change, and of each file that was not taken. */
  told: (event: 'policy.changed' | 'policy.refused', detail: Record<string, unknown>) => void
}

/** The hub's own rules, or a policy given, with no file behind it. */
export const fixedPolicy = (policy: Policy = policyOf()): PolicySource => ({
  now: policy,
  wrong: undefined,
  closed: false,
  file: '',
  look() {},
  close() {},
})

/**
 * Opens `policy.yaml`. The last one that was taken is kept beside it (`policy.taken.yaml`), so that an error in the file does
 * not bring back an older or weaker policy at the next start; without that everything that needs an approval is refused.
 */
export const openPolicyFile = ({ dataDir, health, log, told }: PolicyFileParts): PolicySource => {
  const file = join(dataDir, 'policy.yaml')
  const taken = join(dataDir, 'policy.taken.yaml')
  let now = policyOf()
  let wrong: string | undefined
  let closed = false
  let seen = ''
  let gone = 0

  const mark = (): string => {
    try {
      const { mtimeMs, size, ino } = statSync(file)
      return `${mtimeMs} ${size} ${ino}`
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'ENOENT'
        ? 'none'
        : `unreadable: ${reasonOf(error)}`
    }
  }

  const refuse = (why: string): void => {
    if (why === wrong) return
    wrong = why
    health.set(
      'policy',
      'degraded',
      `policy.yaml is not used: ${why}. ${closed ? 'Until it is corrected everything that needs an approval is refused.' : 'The policy before it counts until it is corrected.'}`,
    )
    health.report({
      source: 'gate',
      type: 'PolicyRefused',
      severity: 'error',
      category: 'configuration',
      message: `policy.yaml has an error and is not used; ${closed ? 'nothing that needs an approval is allowed' : `policy ${now.version} stays`}: ${why}`,
    })
    log.warn('policy-refused', { why })
    told('policy.refused', { why, version: now.version })
  }

  const accept = (policy: Policy, from: string): void => {
    const before = now.version
    now = policy
    if (wrong !== undefined) health.set('policy', 'healthy')
    wrong = undefined
    closed = false
    log.info('policy-taken', { version: policy.version, from })
    if (policy.version !== before) told('policy.changed', { version: policy.version, before, from })
  }

  const keep = (text: string): void => {
    try {
      writeFileSync(`${taken}.new`, text, { mode: 0o600 })
      renameSync(`${taken}.new`, taken)
    } catch (error) {
      health.report({
        source: 'gate',
        type: 'PolicyNotKept',
        severity: 'warning',
        category: 'system',
        message: `The policy counts, but could not be kept for the next start: ${reasonOf(error)}. Check the data folder.`,
      })
    }
  }

  /** The text of a file; undefined when there is none. */
  const textOf = (path: string): string | undefined => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  const load = (): void => {
    let text: string | undefined
    try {
      text = textOf(file)
    } catch (error) {
      return refuse(reasonOf(error))
    }
    if (text === undefined) {
      keep('')
      return accept(policyOf(), 'built-in')
    }
    const read = readPolicy(text)
    if (!read.ok) return refuse(wrongInWords(read.wrong))
    keep(text)
    accept(read.policy, 'policy.yaml')
  }

  const begin = (): void => {
    seen = mark()
    let before: string | undefined
    try {
      before = textOf(taken)
    } catch (error) {
      log.warn('policy-before-unread', { error: reasonOf(error) })
    }
    const read = before === undefined ? undefined : readPolicy(before)
    if (read?.ok === true) now = read.policy
    else closed = seen !== 'none'
    load()
  }
  begin()

  const look = (): void => {
    const mark_ = mark()
    // An editor that replaces a file takes it away for a moment.
    gone = mark_ === 'none' && seen !== 'none' ? gone + 1 : 0
    if (mark_ === seen || gone === 1) return
    seen = mark_
    gone = 0
    load()
  }
  const looking = setInterval(look, LOOK_MS)
  looking.unref()

  return {
    get now() {
      return now
    },
    get wrong() {
      return wrong
    },
    get closed() {
      return closed
    },
    file,
    look,
    close: () => clearInterval(looking),
  }
}
