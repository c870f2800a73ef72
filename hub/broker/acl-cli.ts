// `node hub/start.js acl`: the rules on standard output, what to do with them on standard error.
import { openCredentials } from '../access/credentials.ts'
import { wallClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { Fatal } from '../errors.ts'
import { discoverPlugins } from '../plugins/host.ts'
import type { Store } from '../store/store.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { aclAdvice, mosquittoAcl } from './acl.ts'
import { brokerAddress } from './external-url.ts'

const HUB_USER = 'millrace'

/** The hub's user is the one in BROKER_URL or BRIDGE_URL, else `millrace`. Throws Fatal when a device has its name. */
export const aclOf = async (config: Config, store: Pick<Store, 'db'>): Promise<{ acl: string; advice: string }> => {
  const { BROKER_URL, BRIDGE_URL } = config
  const address =
    BROKER_URL === undefined
      ? BRIDGE_URL && brokerAddress('BRIDGE_URL', BRIDGE_URL)
      : brokerAddress('BROKER_URL', BROKER_URL)
  const hubUser = address?.username ?? HUB_USER
  const { topicTables } = await discoverPlugins(config.PLUGINS_DIR)
  const table = topicTable([core, ...topicTables.map(({ rows }) => rows)], config.TOPIC_PREFIX)
  const credentials = (await openCredentials(store, wallClock(), () => undefined)).list()
  if (credentials.some(({ username }) => username === hubUser)) {
    throw new Fatal(
      `The device '${hubUser}' has the user name that BROKER_URL gives to the hub, and would have its rights. Give the hub another user there.`,
    )
  }
  const users = credentials.map(({ username }) => username)
  return { acl: mosquittoAcl({ hubUser, table, credentials }), advice: aclAdvice(hubUser, users) }
}
