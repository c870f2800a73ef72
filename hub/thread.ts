// Starts a thread from a TypeScript file of the hub.
import { Worker } from 'node:worker_threads'

export interface ThreadOptions {
  /** As the system's tools show it. */
  name: string
  workerData?: unknown
}

/** The thread runs `file`. It gets none of the hub's own flags: --input-type or --inspect-brk would keep it from starting. */
export const startThread = (file: URL, { name, workerData }: ThreadOptions): Worker =>
  new Worker(new URL('./thread.js', import.meta.url), { name, workerData, execArgv: [], argv: [file.href] })
