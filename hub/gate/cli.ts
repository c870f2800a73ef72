// `npm run audit -- verify`: walks the audit chain and says whether anybody changed it.
import type { Store } from '../store/store.ts'
import { verifyAudit } from './audit.ts'

const USAGE = `Usage: npm run audit -- verify

  verify   walk the whole audit chain; the first row that was changed, removed or moved is named

Exit code 0 when the chain is whole, 1 when it is not, 2 for a wrong call.`

/** Runs the command line `args` (without node and script). Resolves to the exit code. */
export const auditCommand = async (
  args: readonly string[],
  store: Pick<Store, 'db'>,
  print: (line: string) => void = console.log,
): Promise<number> => {
  if (args.length !== 1 || args[0] !== 'verify') {
    print(USAGE)
    return 2
  }
  const { rows, ok, firstBad } = await verifyAudit(store.db)
  if (ok) {
    print(`The audit chain is whole: ${rows} rows.`)
    return 0
  }
  print(`The audit chain is broken at row ${firstBad?.n ?? '?'}: ${firstBad?.why ?? 'unknown'}.`)
  print(
    `${rows} rows before it are as they were written. Compare the database with a backup, and find out who had access to it.`,
  )
  return 1
}
