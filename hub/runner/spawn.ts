// Starts the process of flows: no environment, Node's permission model, one descriptor to the hub and, when asked, one for the marker.
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { CACHE_DIR } from '../compile-cache.js'
import { Fatal } from '../errors.ts'

const APP = fileURLToPath(new URL('../../', import.meta.url))
const CHILD = fileURLToPath(new URL('./enter.js', import.meta.url))
const MARKER_FD = 4
/** Three numbers: whose turn, the heaviest flow, its MiB; -1 for none. */
const MARKER_BYTES = 12

export interface Started {
  readonly process: ChildProcess
  readonly socket: net.Socket
  /** Descriptor number in the child. */
  readonly markerFd: number
  /** Whose turn it was, and who took most memory, as far as the process said. Readable after it is gone. */
  culprit(): Culprit
  /** Ends it at once and gives back what was lent. */
  end(): void
}

export interface Culprit {
  /** The flow that has its turn, when it is one whose turns are marked. */
  turn?: number
  /** The flow that took most memory since memory ran short, and how much, MiB. */
  heaviest?: { flow: number; mib: number }
}

export interface SpawnOptions {
  flowsDir: string
  topicFiles: readonly string[]
  heapMb: number
}

/** What the process may read: the hub's and the plugins' code, packages, and the flows. Never the data folder, never `.env`. */
const readable = ({ flowsDir, topicFiles }: SpawnOptions): string[] => {
  const rxjs = fileURLToPath(import.meta.resolve('rxjs'))
  const packages = rxjs.slice(0, rxjs.lastIndexOf(`${path.sep}node_modules${path.sep}`))
  return [
    path.join(APP, 'hub', '*'),
    path.join(APP, 'plugins', '*'),
    path.join(APP, 'package.json'),
    path.join(packages, 'node_modules', '*'),
    path.join(path.resolve(flowsDir), '*'),
    ...topicFiles.map((file) => path.resolve(file)),
  ]
}

export const spawnChild = (options: SpawnOptions): Started => {
  const marker = openMarker()
  const child = spawn(
    process.execPath,
    [
      '--permission',
      '--no-experimental-sqlite',
      '--disable-warning=ExperimentalWarning',
      '--disallow-code-generation-from-strings',
      `--max-old-space-size=${options.heapMb}`,
      ...readable(options).map((what) => `--allow-fs-read=${what}`),
      // Given up before the first flow is loaded.
      `--allow-fs-write=${path.join(CACHE_DIR, '*')}`,
      CHILD,
    ],
    {
      env: { TZ: 'UTC' },
      cwd: APP,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', marker],
    },
  )
  const socket = child.stdio[3]
  if (!(socket instanceof net.Socket)) throw new Fatal('the process of flows has no pipe to the hub')
  // What happens to the pipe of a dead process is told by its exit.
  socket.on('error', () => {})
  let lent: number | undefined = marker
  const read = (): Culprit => {
    const bytes = Buffer.alloc(MARKER_BYTES, 0xff)
    if (lent === undefined || fs.readSync(lent, bytes, 0, MARKER_BYTES, 0) < 4) return {}
    const [turn, heaviest, mib] = [bytes.readInt32LE(0), bytes.readInt32LE(4), bytes.readInt32LE(8)]
    return {
      ...(turn < 0 ? {} : { turn }),
      ...(heaviest < 0 ? {} : { heaviest: { flow: heaviest, mib } }),
    }
  }
  return {
    process: child,
    socket,
    markerFd: MARKER_FD,
    culprit: read,
    end() {
      child.kill('SIGKILL')
      socket.destroy()
      if (lent !== undefined) fs.closeSync(lent)
      lent = undefined
    },
  }
}

/** A file without a name: what is written in it outlives the process that wrote it, and nothing remains of it. */
const openMarker = (): number => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-'))
  const file = path.join(dir, 'marker')
  const fd = fs.openSync(file, 'w+', 0o600)
  fs.rmSync(dir, { recursive: true })
  return fd
}
