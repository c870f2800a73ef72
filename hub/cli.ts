// The commands: start (the default), doctor, health, audit, acl, keys, replay, record, types. What they print is for people; what the hub logs is for machines.
import { mkdir, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { type Config, readConfig } from './config.ts'
import { Fatal, reasonOf } from './errors.ts'
import { catchStrays } from './health/strays.ts'
import { openLog } from './health/log.ts'
import { buildUi } from './http/build-ui.ts'
import { type Hub, startHub } from './main.ts'
import { settleLater } from './settle.ts'

const EXIT_MS = 5000
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const streams = {
  out: (text: string): void => void process.stdout.write(text),
  err: (text: string): void => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
}

/** Runs the command that `args` name. Resolves when the process may end. */
export const run = async (args: readonly string[]): Promise<void> => {
  const [command = 'start', ...rest] = args
  try {
    if (command === 'start') await start()
    else if (command === 'doctor') process.exitCode = await doctor(readConfig())
    else if (command === 'health') process.exitCode = await health(readConfig())
    else if (command === 'audit') process.exitCode = await audit(readConfig(), rest)
    else if (command === 'acl') await acl(readConfig())
    else if (command === 'keys') process.exitCode = await keys(readConfig(), rest)
    else if (command === 'replay') process.exitCode = await replay(rest, readConfig())
    else if (command === 'record') process.exitCode = await record(rest, readConfig())
    else if (command === 'types') await types(readConfig())
    else
      throw new Fatal(
        `There is no command '${command}'. There are: start, doctor, health, audit, acl, keys, replay, record, types.`,
      )
  } catch (error) {
    process.stderr.write(
      `\n${error instanceof Fatal ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    )
    // Whatever a part that failed left behind must not keep the process.
    process.exit(1)
  }
}

// What only one command needs is loaded by it, so that a start does without.

const doctor = async (config: Config): Promise<number> => (await import('./health/inspect.ts')).inspect(config)

const replay = async (args: readonly string[], config: Config): Promise<number> =>
  (await import('./runner/replay/cli.ts')).replayCommand(args, config, streams)

/** This hub's devices and intents as types for flows; read from the journal, so that it works beside a running hub. */
const types = async (config: Config): Promise<void> => {
  const { tableOf } = await import('./runner/replay/cli.ts')
  const { openPast } = await import('./journal/past.ts')
  const past = openPast(join(config.DATA_DIR, 'journal'))
  const retained = past.retainedAt(Number.MAX_SAFE_INTEGER, (topic) => topic.endsWith('/about')).values()
  const file = join(import.meta.dirname, '..', 'data', 'hub-types.d.ts')
  await (
    await import('./topics/types-cli.ts')
  ).writeTypes({
    table: await tableOf(config),
    retained,
    async write(text) {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      await writeFile(file, text)
    },
    say,
  })
}

const record = async (args: readonly string[], config: Config): Promise<number> => {
  const { tableOf } = await import('./runner/replay/cli.ts')
  return (await import('./journal/record-cli.ts')).recordCommand(args, config, tableOf, streams)
}

const storeOf = async ({ DATABASE_URL, DATA_DIR }: Config) =>
  (await import('./store/open.ts')).openStore({
    url: DATABASE_URL,
    file: join(DATA_DIR, 'hub.sqlite'),
    log: openLog({ level: 'error' }),
  })

/** The rules for an external broker on standard output, what to do with them on standard error: `node hub/start.js acl > acl`. */
const acl = async (config: Config): Promise<void> => {
  const { aclOf } = await import('./broker/acl-cli.ts')
  const store = await storeOf(config)
  try {
    const made = await aclOf(config, store)
    process.stdout.write(made.acl)
    process.stderr.write(`${made.advice}\n`)
  } finally {
    await store.close()
  }
}

const keys = async ({ DATA_DIR: dataDir }: Config, args: readonly string[]): Promise<number> => {
  const { wallClock } = await import('./clock.ts')
  return (await import('./access/keys-cli.ts')).keysCommand(args, { dataDir, clock: wallClock(), say })
}

const audit = async (config: Config, args: readonly string[]): Promise<number> => {
  const { auditCommand } = await import('./gate/cli.ts')
  const store = await storeOf(config)
  try {
    return await auditCommand(args, store, say, config.DATA_DIR)
  } finally {
    await store.close()
  }
}

/** What the hub that runs says of itself; exit code 1 when it is not healthy or not there. */
const health = async ({ HTTP_PORT, BIND }: Config): Promise<number> => {
  const host = BIND === undefined || BIND === '0.0.0.0' || BIND === '::' ? '127.0.0.1' : BIND
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${HTTP_PORT}/health`
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3000) })
    const { status, parts } = Health.parse(await answer.json())
    for (const part of parts) say(`${part.status.padEnd(10)}  ${part.part}`)
    say(status)
    return status === 'healthy' ? 0 : 1
  } catch (error) {
    say(`No hub answers at ${url}: ${reasonOf(error)}. Is it running (npm start)? Does it use another HTTP_PORT?`)
    return 1
  }
}
const Health = z.object({ status: z.string(), parts: z.array(z.object({ part: z.string(), status: z.string() })) })

const start = async (): Promise<void> => {
  const config = readConfig()
  await buildUi(say)
  for (let again = true; again;) {
    const hub = await startHub(config)
    settleLater()
    await greet(hub)
    const why = await ended(hub)
    if (why.fatal !== undefined) process.stderr.write(`\nMillrace stops: ${why.fatal}\n`)
    else if (!why.reopen) say('Millrace stops.')
    // Whatever hangs, the process ends in time; what was acknowledged is on disk already.
    const late = setTimeout(() => process.exit(1), EXIT_MS - 500)
    late.unref()
    await hub.close()
    clearTimeout(late)
    again = why.reopen
    if (why.fatal !== undefined) process.exitCode = 1
  }
  process.exit()
}

/** Until a signal, a claim that opens the hub, or an error after which its state cannot be trusted. */
const ended = (hub: Hub): Promise<{ reopen: boolean; fatal?: string }> =>
  new Promise((done) => {
    const letGo: (() => unknown)[] = [() => process.off('SIGINT', quit), () => process.off('SIGTERM', quit)]
    const end = (why: { reopen: boolean; fatal?: string }) => {
      for (const go of letGo) go()
      done(why)
    }
    const quit = () => end({ reopen: false })
    process.on('SIGINT', quit)
    process.on('SIGTERM', quit)
    letGo.push(
      catchStrays({ process, log: hub.log, health: hub.health, stop: (fatal) => end({ reopen: false, fatal }) }),
    )
    void hub.reopen.then(() => end({ reopen: true }))
  })

const greet = async ({ bind, ports, claimCode, claimUrls, readyMs }: Hub): Promise<void> => {
  const everywhere = bind === '0.0.0.0' || bind === '::'
  const hosts = everywhere ? ['127.0.0.1', ...lanAddresses()] : [bind]
  say(`\nMillrace is ready after ${(readyMs / 1000).toFixed(1)} s.`)
  for (const host of hosts) {
    const at = (scheme: string, port: number | undefined) => (port === undefined ? [] : [`${scheme}://${host}:${port}`])
    const { http, https, mqtt, mqtts } = ports
    say(`  ${[...at('http', http), ...at('https', https), ...at('mqtt', mqtt), ...at('mqtts', mqtts)].join('   ')}`)
  }
  if (claimCode === undefined) return
  say('\nNobody owns this hub yet. Within 30 minutes, open this link to become its first user:')
  say(`\n  http://${everywhere ? '127.0.0.1' : bind}:${ports.http}/claim#${claimCode}\n`)
  const [far] = claimUrls
  if (far === undefined) return
  const { renderUnicodeCompact } = await import('uqr')
  const link = `${far}/claim#${claimCode}`
  say("From a phone or another machine (the certificate is the hub's own: the browser asks once):")
  say(`\n  ${link}\n\n${renderUnicodeCompact(link, { border: 2 })}`)
}

const lanAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address),
  )
