// A responder nobody here wrote (python-zeroconf, which Moonraker, OctoPrint and Home Assistant use) on loopback: found, moved, gone.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../hub/testing/until.ts'
import type { Finding, Word } from './finding.ts'
import { LOOPBACK } from './network.fake.ts'
import { openSearch } from './search.ts'
import { Settings } from './settings.ts'

const INSTALL =
  'python3 -m venv ~/.cache/millrace-zeroconf && ~/.cache/millrace-zeroconf/bin/pip install zeroconf==0.154.0'
const python = process.env['ZEROCONF_PYTHON'] ?? 'python3'
const asked = spawnSync(python, ['-c', 'import zeroconf; print(zeroconf.__version__)'], {
  encoding: 'utf8',
  timeout: 30_000,
})
const version = asked.status === 0 ? asked.stdout.trim() : undefined
const why = version === undefined ? ` (skipped: not installed: ${INSTALL})` : ` ${version}`

/** Does what it is told line by line, and says when it is done. */
const SCRIPT = `
import socket, sys
from zeroconf import IPVersion, ServiceInfo, Zeroconf
zc = Zeroconf(interfaces=['127.0.0.1'], ip_version=IPVersion.V4Only)
T = '_moonraker._tcp.local.'
def info(address):
    return ServiceInfo(T, 'Moonraker @ voron.' + T, addresses=[socket.inet_aton(address)], port=7125,
        properties={'uuid': 'f00d', 'https_port': '', 'version': 'v0.9.3'}, server='voron.local.')
print('ready', flush=True)
for line in sys.stdin:
    verb, _, address = line.strip().partition(' ')
    if verb == 'register': zc.register_service(info(address))
    if verb == 'update': zc.update_service(info(address))
    if verb == 'unregister': zc.unregister_service(info(address))
    if verb == 'end': break
    print('done ' + verb, flush=True)
zc.close()
`
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, of: () => log }

describe.skipIf(version === undefined)(`with python-zeroconf${why}`, { timeout: 60_000 }, () => {
  let peer: ChildProcess
  let said = ''
  let search: ReturnType<typeof openSearch>
  const words: Word[] = []
  const found = (): Finding[] => words.flatMap((word) => (word.kind === 'found' ? [word.finding] : []))
  const says = (what: string) =>
    eventually(
      () => said,
      (all) => all.includes(what),
      { ms: 20_000 },
    )
  const tell = async (order: string): Promise<void> => {
    said = ''
    peer.stdin?.write(`${order}\n`)
    await says(`done ${order.split(' ')[0] ?? ''}`)
  }
  beforeAll(async () => {
    peer = spawn(python, ['-c', SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] })
    peer.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()))
    await says('ready')
    await tell('register 127.0.0.21')
    search = openSearch({
      config: Settings.parse({ interfaces: [LOOPBACK], ssdp: [], vendors: [] }),
      now: Date.now,
      log,
      heard: (word) => words.push(word),
      troubles: () => {},
      changed: () => {},
    })
  }, 45_000)
  afterAll(async () => {
    await search?.close()
    const gone = new Promise((done) => peer?.once('exit', done))
    peer?.stdin?.end('end\n')
    const late = setTimeout(() => peer?.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(late)
  }, 20_000)

  test('it answers our question, and everything it says is read', async () => {
    await eventually(found, (all) => all.some(({ addresses }) => addresses.length > 0), { ms: 20_000 })
    expect(found().at(-1)).toMatchObject({
      kind: 'moonraker',
      name: 'Moonraker @ voron',
      addresses: ['127.0.0.21'],
      port: 7125,
      facts: { version: 'v0.9.3' },
      from: LOOPBACK,
    })
  })

  test('it moves: the new address takes the place of the old one', async () => {
    // RFC 6762 10.2: what was said less than a second before is of the same burst, and stays beside.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await tell('update 127.0.0.22')
    await eventually(
      () => found().at(-1)?.addresses,
      (addresses) => addresses?.[0] === '127.0.0.22' && addresses.length === 1,
      { ms: 20_000 },
    )
  })

  test('it says goodbye, and is gone a second later', async () => {
    await tell('unregister 127.0.0.22')
    await eventually(
      () => words.at(-1),
      (word) => word?.kind === 'ended' && word.key === 'mdns:moonraker @ voron._moonraker._tcp.local',
      { ms: 20_000 },
    )
  })

  test('it comes back', async () => {
    await tell('register 127.0.0.21')
    await eventually(
      () => words.at(-1),
      (word) => word?.kind === 'found' && word.finding.addresses[0] === '127.0.0.21',
      { ms: 20_000 },
    )
  })
})
