// The workshop simulator: a dozen devices that do not exist, as MQTT clients that do. Runs in the demo only.
import { concatMap, defer, from, map, switchMap, toArray } from 'rxjs'
import { z } from 'zod'
import { definePlugin } from '#hub/plugin'
import { machines } from './machines.ts'
import { workshop } from './workshop.ts'

export default definePlugin({
  id: 'workshop-sim',
  title: 'Workshop simulator',
  enabled: 'demo',
  config: z.strictObject({
    seed: z.number().int().default(20).describe('Where the random numbers begin: the same seed gives the same noise.'),
    speed: z.number().min(0.1).max(60).default(1).describe('Simulated seconds per second.'),
  }),
  handles: [],
  publishes: [],
  needs: ['credentials'],
  start: ({ config, use, prefix, now, health, settle }) =>
    from(machines).pipe(
      concatMap(({ id }) => defer(() => use.credentials.issue(id)).pipe(map((login) => [id, login] as const))),
      toArray(),
      switchMap((logins) =>
        workshop({ ...config, broker: use.credentials.broker(), logins: new Map(logins), prefix, now, health, settle }),
      ),
    ),
})
