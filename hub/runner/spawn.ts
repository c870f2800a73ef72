// Starts the process of flows: no environment, Node's permission model, one descriptor to the hub and, when asked, one for the marker.
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fatal } from '../errors.ts'

const APP = fileURLToPath(new URL('../../', import.meta.url))
const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))
const MARKER_FD = 4

export interface Started {
  readonly process: ChildProcess
  readonly socket: net.Socket
  /** Descriptor number in the child. */
  readonly markerFd?: number
  /** The flow whose turn it was last; undefined when none, or when no marker was lent. Readable after the process is gone. */
  culprit(): number | undefined
  /** Ends it at once and gives back what was lent. */
  end(): void
}

export interface SpawnOptions {
  flowsDir: string
  topicFiles: readonly string[]
  heapMb: number
  /** Lend a marker, at about a microsecond per turn. */
  marker: boolean
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
  const marker = options.marker ? openMarker() : undefined
  const child = spawn(
    process.execPath,
    [
      '--permission',
      '--no-experimental-sqlite',
      '--disallow-code-generation-from-strings',
      `--max-old-space-size=${options.heapMb}`,
      ...readable(options).map((what) => `--allow-fs-read=${what}`),
      CHILD,
    ],
    {
      env: { TZ: 'UTC' },
      cwd: APP,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(marker === undefined ? [] : [marker])],
    },
  )
  const socket = child.stdio[3]
  if (!(socket instanceof net.Socket)) throw new Fatal('the process of flows has no pipe to the hub')
  // What happens to the pipe of a dead process is told by its exit.
  socket.on('error', () => {})
  let lent = marker
  const read = (): number | undefined => {
    if (lent === undefined) return undefined
    const bytes = Buffer.alloc(4, 0xff)
    if (fs.readSync(lent, bytes, 0, 4, 0) < 4) return undefined
    const flow = bytes.readInt32LE(0)
    return flow < 0 ? undefined : flow
  }
  return {
    process: child,
    socket,
    ...(marker === undefined ? {} : { markerFd: MARKER_FD }),
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
