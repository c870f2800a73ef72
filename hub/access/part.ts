// The part of the hub that is access: people, credentials and keys, joined to owners, plugins and other people's conventions; and the claim.
import type { Base } from '../base.ts'
import { shortened } from '../gate/canonical.ts'
import type { Gate } from '../gate/gate.ts'
import type { Found } from '../plugins/host.ts'
import { pluginTopics } from '../plugins/rights.ts'
import type { Settings } from '../store/settings.ts'
import type { Store } from '../store/store.ts'
import { isNativeCommand, openGuarded } from '../topics/native.ts'
import type { TopicTable } from '../topics/table.ts'
import type { Access } from './access.ts'
import { type Claim, openClaim } from './claim.ts'
import { openAccess } from './open.ts'
import { withForbidden } from './forbidden.ts'
import { openSparing } from './sparing.ts'
import type { Issuer } from './oidc/issuer.ts'

interface Above extends Base {
  store: Store
  table: TopicTable
  found: Found
}

/** Until the gate is there to write them, notes wait. */
const noteTo =
  (later: Base['later']): Gate['note'] =>
  (event, about) =>
    later.audit === undefined ? void later.unaudited.push({ event, about }) : later.audit(event, about)

/** Loaded only where somebody configured one. */
const openIssuers = async ({ config, clock, log, health }: Base): Promise<Issuer[]> => {
  const configured = Object.entries(config.file.access.issuers)
  if (configured.length === 0) return []
  const { openIssuer } = await import('./oidc/issuer.ts')
  return configured.map(([id, settings]) => openIssuer({ id, settings, clock, log: log.of('access'), health }))
}

export const accessPart = async (above: Above): Promise<Access & { guarded: ReturnType<typeof openGuarded> }> => {
  const { config, clock, log, health, later, store, table, found } = above
  const guarded = openGuarded()
  const isCommand = (topic: string): boolean => isNativeCommand(topic) || guarded.has(topic)
  const note = noteTo(later)
  const due = openSparing(clock)
  const access = await openAccess({
    store,
    dataDir: config.DATA_DIR,
    clock,
    log: log.of('access'),
    health,
    prefix: config.TOPIC_PREFIX,
    table,
    ownerOf: (device) => later.devices?.ownerOf(device),
    claimOwner: (device, owner) => later.devices?.claim(device, owner),
    nativeCommands: isCommand,
    pluginTopics: pluginTopics(found, table),
    audit: note,
    adminUser: config.ADMIN_USER,
    adminPassword: config.ADMIN_PASSWORD,
    issuers: await openIssuers(above),
    sessionHours: config.file.access.sessionHours,
  })
  later.access = access
  return {
    ...access,
    ...withForbidden(access, { prefix: config.TOPIC_PREFIX, clock, note, isCommand }),
    guarded,
    denied: (by, { route, ...detail }) => {
      const more = due(by, `${route} ${detail.reason}`)
      if (more === undefined) return
      note('refused.right', {
        who: by,
        subject: route.slice(0, 128),
        detail: more === 0 ? detail : { ...detail, more },
      })
    },
    changed: (by, { route, params, body }) =>
      note('config.changed', { who: by, subject: route.slice(0, 128), detail: { params, body: shortened(body) } }),
    get claimed() {
      return access.claimed
    },
  }
}

export const claimPart = (above: Base & { access: Access; settings: Settings }): Claim => {
  const { config, clock, log, later, access, settings, reopening } = above
  const claim = openClaim({ access, settings, clock, log: log.of('access'), audit: noteTo(later) })
  claim.onClaimed(({ openToNetwork }) => {
    if (openToNetwork && config.BIND === undefined) reopening.ask()
  })
  return claim
}
