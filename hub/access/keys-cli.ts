// `node hub/start.js keys list|rotate|revoke <kid>`: the keys that sign the hub's tokens, also while it runs: it looks at their file once a second.
import type { Clock } from '../clock.ts'
import { Fatal, Recoverable } from '../errors.ts'
import { signingKeys } from './signing-keys.ts'

const USAGE = 'Say what to do: keys list, keys rotate, or keys revoke <kid>.'

/** Runs the command and says what it did. Resolves to the exit code. Throws Fatal when the keys cannot be read or written. */
export const keysCommand = (
  [what = 'list', kid]: readonly string[],
  { dataDir, clock, say }: { dataDir: string; clock: Pick<Clock, 'now'>; say: (text: string) => void },
): number => {
  const keys = signingKeys(dataDir, clock)
  try {
    if (what === 'rotate') {
      const made = keys.rotate()
      say(`${made.kid} signs from now on. Tokens of the key before are good until they expire, half an hour at most.`)
    } else if (what === 'revoke') {
      if (kid === undefined) throw new Fatal(USAGE)
      keys.revoke(kid)
      say(`${kid} is gone: tokens made with it are void, and a hub that runs ends the connections of people.`)
    } else if (what !== 'list') throw new Fatal(USAGE)
  } catch (error) {
    if (!(error instanceof Recoverable)) throw error
    say(error.message)
    return 1
  }
  for (const { kid: id, state, createdAt = 'before this was noted', retiredAt } of keys.list()) {
    say(`${id}  ${state.padEnd(8)}  made ${createdAt}${retiredAt === undefined ? '' : `, until ${retiredAt}`}`)
  }
  return 0
}
