// The doctor's general checks: the runtime, the data folder, the ports, the web app, the broker's patch, the clock.
import { access, constants, stat, statfs, unlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import { makeFolder } from '../store/folder.ts'
import type { Check, Finding } from './doctor.ts'

const GIB = 1024 ** 3
const CONNECT_MS = 1_500

/** Node must be of this major version: newer ones break MQTT over WebSocket, older ones do not run TypeScript. */
export const nodeVersion = (version: string, wanted = 24): Check => ({
  name: 'node',
  run: async () =>
    Number(version.replace(/^v/, '').split('.')[0]) === wanted
      ? { word: 'healthy', what: `Node ${version}` }
      : {
          word: 'unhealthy',
          what: `Node ${version}`,
          hint: `The hub runs on Node ${wanted}. Start it with "npm start", which brings its own, or install Node ${wanted}.`,
        },
})

/** The data folder can be written, is nobody else's business, and has room. */
export const dataFolder = (folder: string): Check => ({
  name: 'data folder',
  run: async () => {
    try {
      makeFolder(folder)
      const probe = join(folder, `.doctor-${process.pid}`)
      await writeFile(probe, 'x', { mode: 0o600, flush: true })
      await unlink(probe)
    } catch (error) {
      return {
        word: 'unhealthy',
        what: `${folder} cannot be written: ${reasonOf(error)}`,
        hint: 'Give the user who runs the hub this folder (chown), free some space, or set DATA_DIR to another one.',
      }
    }
    const { bavail, bsize } = await statfs(folder)
    const free = (bavail * bsize) / GIB
    const room = `${free.toFixed(1)} GiB free`
    if (free < 0.2)
      return {
        word: 'unhealthy',
        what: `${folder}: ${room}`,
        hint: 'Free some space: the journal stops when the disk is full.',
      }
    const { mode } = await stat(folder)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      return {
        word: 'degraded',
        what: `${folder} can be read by other users of this computer`,
        hint: `chmod 700 ${folder}`,
      }
    }
    if (free < 2)
      return { word: 'degraded', what: `${folder}: ${room}`, hint: 'Keep some GiB free, or lower journal.maxGiB.' }
    return { word: 'healthy', what: `${folder}: ${room}` }
  },
})

/**
 * A port is free, or used by a hub that already runs (`ours`). `variable` is the one that sets it, such as MQTT_PORT.
 * When an MQTT broker answers there, the hint says how to run beside it.
 */
export const portFree = (
  port: { variable: string; port: number; bind: string },
  ours: () => Promise<boolean>,
): Check => ({
  name: `port ${port.port}`,
  run: async () => {
    const error = await tryListen(port.port, port.bind)
    if (error === undefined) return { word: 'healthy', what: `free (${port.variable})` }
    if (error === 'EACCES')
      return blocked(
        port,
        'this user may not open it',
        `Ports below 1024 need a right of their own: set ${port.variable} to a higher one.`,
      )
    if (error === 'EADDRNOTAVAIL')
      return blocked(port, `${port.bind} is not an address of this computer`, 'Set BIND to one that is, or to 0.0.0.0.')
    if (error !== 'EADDRINUSE') return blocked(port, error, `Set ${port.variable} to another port.`)
    if (await ours()) return { word: 'healthy', what: `used by the hub that is running (${port.variable})` }
    if (await speaksMqtt(port.port, port.bind)) {
      return blocked(
        port,
        'another MQTT broker, such as Mosquitto, answers there',
        `Set ${port.variable} to another port (${port.port + 1}) to run beside it, or stop the other broker (systemctl stop mosquitto).`,
      )
    }
    return blocked(port, 'used by another program', `Set ${port.variable} to another port, or stop that program.`)
  },
})

const blocked = ({ variable }: { variable: string }, what: string, hint: string): Finding => ({
  word: 'unhealthy',
  what: `${what} (${variable})`,
  hint,
})

/** A broker that runs beside the hub on the usual port, when the hub itself uses another. */
export const otherBroker = (mqttPort: number): Check => ({
  name: 'other broker',
  run: async () =>
    mqttPort !== 1883 && (await speaksMqtt(1883, '127.0.0.1'))
      ? {
          word: 'degraded',
          what: `another MQTT broker answers on 1883; the hub uses ${mqttPort}`,
          hint: 'Devices that should reach the hub must be given its port.',
        }
      : { word: 'healthy', what: 'none on 1883 but the hub' },
})

/** Whether a hub answers on this web port. */
export const hubAnswers = async (httpPort: number, host = '127.0.0.1'): Promise<boolean> => {
  try {
    const answer = await fetch(`http://${host}:${httpPort}/healthz`, { signal: AbortSignal.timeout(CONNECT_MS) })
    const body: unknown = await answer.json()
    return typeof body === 'object' && body !== null && 'hub' in body && body.hub === 'millrace'
  } catch {
    return false
  }
}

/** The web app has been built. */
export const uiBuilt = (uiDir: string): Check => ({
  name: 'web app',
  run: () =>
    access(join(uiDir, 'index.html'), constants.R_OK).then(
      () => ({ word: 'healthy', what: uiDir }),
      () => ({
        word: 'degraded',
        what: `${uiDir} holds no index.html`,
        hint: 'npm run build (npm start does it when the developer packages are installed)',
      }),
    ),
})

/** The broker's library carries the patch without which one packet can end the process. `missing` names what is not patched. */
export const brokerPatched = (missing: () => Promise<readonly string[]> | readonly string[]): Check => ({
  name: 'broker patch',
  run: async () => {
    const unpatched = await missing()
    return unpatched.length === 0
      ? { word: 'healthy', what: 'applied' }
      : {
          word: 'unhealthy',
          what: `not applied: ${unpatched.join(', ')}`,
          hint: 'npx patch-package (npm ci does it, unless it ran with --ignore-scripts)',
        }
  },
})

/** The clock is not behind what it has already seen: the program's files and the newest stamp kept (ms since 1970). */
export const clockSane = (now: () => number, seen: () => Promise<number> | number): Check => ({
  name: 'clock',
  run: async () => {
    const at = now()
    const newest = await seen()
    if (at >= newest - 1000) return { word: 'healthy', what: iso(at) }
    return {
      word: 'degraded',
      what: `${iso(at)} is before ${iso(newest)}, which was already recorded`,
      hint: 'Set the clock (timedatectl set-ntp true). A board without a battery clock starts in the past until it reaches a time server.',
    }
  },
})

const tryListen = (port: number, bind: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve('code' in error ? String(error.code) : error.message))
    server.listen({ port, host: bind, exclusive: true }, () => server.close(() => resolve(undefined)))
  })

/** MQTT 3.1.1 CONNECT, client id empty, clean session (3.1): a broker answers with a CONNACK, whatever it thinks of us. */
const CONNECT = Buffer.from([0x10, 0x0c, 0x00, 0x04, 0x4d, 0x51, 0x54, 0x54, 0x04, 0x02, 0x00, 0x0a, 0x00, 0x00])

const speaksMqtt = (port: number, bind: string): Promise<boolean> =>
  new Promise((resolve) => {
    const host = bind === '0.0.0.0' || bind === '::' ? '127.0.0.1' : bind
    const socket = connect({ port, host, timeout: CONNECT_MS }, () => socket.write(CONNECT))
    const settle = (is: boolean) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('data', (bytes) => settle(bytes[0] === 0x20))
    socket.once('error', () => settle(false))
    socket.once('timeout', () => settle(false))
    socket.once('close', () => settle(false))
  })
