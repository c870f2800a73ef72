// The part of the hub that is the gate.
import { join } from 'node:path'
import project from '../../package.json' with { type: 'json' }
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { Bus } from '../bus/bus.ts'
import type { Devices } from '../devices/devices.ts'
import type { Journal } from '../journal/entry.ts'
import type { Store } from '../store/store.ts'
import { fingerprint, newestHead, openAnchor } from './anchor.ts'
import { canonical, sha256 } from './canonical.ts'
import type { Gate } from './gate.ts'
import { hazardMaster, headKey } from './key-files.ts'
import { deviceLimits } from './limits.ts'
import { openGate } from './open.ts'
import { openPolicyFile } from './policy/file.ts'
import { headsIn } from './verify.ts'

interface Above extends Base {
  bus: Bus
  store: Store
  devices: Devices
  access: Access
  journal: Journal
}

export const gatePart = async ({
  config,
  clock,
  log,
  health,
  later,
  bus,
  store,
  devices,
  access,
  journal,
}: Above): Promise<Gate> => {
  const note: Gate['note'] = (event, about) => {
    if (later.audit === undefined) later.unaudited.push({ event, about })
    else later.audit(event, about)
  }
  const policy = openPolicyFile({
    dataDir: config.DATA_DIR,
    health,
    log: log.of('gate'),
    told: (event, detail) => note(event, { who: 'hub', subject: 'policy.yaml', detail }),
  })
  const key = headKey(config.DATA_DIR)
  const usualHeads = join(config.DATA_DIR, 'audit-heads.jsonl')
  const headsFile = () => policy.now.settings.audit.anchorFile ?? usualHeads
  const gate = await openGate({
    bus,
    store,
    devices,
    access,
    clock,
    log,
    health,
    journal,
    prefix: config.TOPIC_PREFIX,
    principalOf: access.principalOf,
    limits: deviceLimits(config.file.limits),
    policy,
    master: hazardMaster(config.DATA_DIR),
    heads: () => headsIn(headsFile(), key.publicKey),
    anchored: async () => ({
      file: headsFile(),
      everyMinutes: policy.now.settings.audit.anchorMinutes,
      key: fingerprint(key.publicKey),
      ...(await newestHead(headsFile(), key.publicKey)),
    }),
    steady: () => performance.now(),
    bounds: {
      ackMs: config.file.gate.ackSeconds * 1000,
      acceptedMs: config.file.gate.acceptedSeconds * 1000,
      expiryMs: config.file.gate.requestSeconds * 1000,
      interlockMs: config.file.gate.interlockMs,
    },
  })
  const anchor = openAnchor({
    db: store.db,
    bus,
    clock,
    health,
    key,
    settings: () => policy.now.settings.audit,
    usual: usualHeads,
  })
  later.audit = gate.note
  for (const { event, about } of later.unaudited.splice(0)) gate.note(event, about)
  // Which configuration it runs with: another hash than at the start before means that somebody changed the file.
  gate.note('hub.started', {
    who: 'hub',
    subject: 'millrace.yaml',
    detail: {
      version: project.version,
      config: sha256(canonical(config.file)).slice(0, 16),
      policy: policy.now.version,
    },
  })
  return {
    ...gate,
    // Read when asked: a spread copies the number.
    get open() {
      return gate.open
    },
    async close() {
      await gate.close()
      await anchor.close()
    },
  }
}
