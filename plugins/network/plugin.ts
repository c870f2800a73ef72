// The network around the hub: what announces itself there is listed with how sure that is. Nothing found is ever controlled.
import { definePlugin, message, type Message, reasonOf, Recoverable } from '#hub/plugin'
import { finalize, merge, Subject } from 'rxjs'
import { z } from 'zod'
import { Found } from './thing.ts'
import type { Word } from './finding.ts'
import { openRegistry, type Registry } from './registry.ts'
import { openSearch, type Search } from './search.ts'
import { Settings } from './settings.ts'
import { shortList } from './short.ts'
import { networkTopics } from './topics.ts'

const SWEEP_MS = 5000
/** A burst of answers is one message and one write. */
const SAY_MS = 250
/** And no sooner after the last one: somebody who changes his name all day must not fill the journal. */
const SAY_GAP_MS = 10_000
const SAVE_MS = 2000
/** For this long after something new found no room, health says so. */
const FULL_MS = 10 * 60_000

interface Running {
  registry: Registry
  search: Search
  changed: () => void
  ready: Promise<unknown>
}
let running: Running | undefined
const current = async (): Promise<Running> => {
  const mine = running
  if (mine === undefined)
    throw new Recoverable('UNAVAILABLE', 'The network is not searched now: GET /api/plugins says why.')
  await mine.ready
  return mine
}

const Id = z.object({ id: z.string().regex(/^[0-9a-f]{12}$/) })
const iso = (ms: number | undefined): { searchingUntil?: string } =>
  ms === undefined ? {} : { searchingUntil: new Date(ms).toISOString() }

const decisions = {
  accept: { status: 'accepted', summary: 'Accept a found thing. It becomes known to plugins; nothing is controlled' },
  ignore: { status: 'ignored', summary: 'Ignore a found thing: it stays in the list, out of the way' },
  reset: { status: undefined, summary: 'Take back what was decided about a found thing' },
} as const

export default definePlugin({
  id: 'network',
  title: 'Network search',
  config: Settings,
  handles: [],
  publishes: ['network/found'],
  needs: ['memory'],
  topics: networkTopics,
  enabled: 'configured',
  routes: (app) => {
    app.get(
      '/api/network/found',
      {
        config: { may: 'devices.read' },
        schema: {
          summary: 'What was found on the network, the most certain first, with reasons',
          tags: ['network'],
          response: {
            200: z.object({
              items: z.array(Found),
              networks: z.array(z.string()).describe('The networks that are searched.'),
              searchingUntil: z.iso.datetime({ offset: true }).optional(),
              refused: z
                .record(z.string(), z.number())
                .describe('Datagrams that were not read: from elsewhere, too large, too many, not understood.'),
            }),
          },
        },
      },
      async () => {
        const { registry, search } = await current()
        return {
          items: registry.list(),
          networks: search.networks(),
          ...iso(search.until()),
          refused: { ...search.refused() },
        }
      },
    )
    app.post(
      '/api/network/search',
      {
        config: { may: 'devices.manage' },
        schema: {
          summary: 'Search the network now; while a search runs it is the same one',
          tags: ['network'],
          response: { 202: z.object({ searchingUntil: z.iso.datetime({ offset: true }) }) },
        },
      },
      async (request, reply) => {
        const { search } = await current()
        request.log.info({ by: request.principal.id }, 'network.search')
        return reply.code(202).send({ searchingUntil: new Date(search.now()).toISOString() })
      },
    )
    for (const [verb, { status, summary }] of Object.entries(decisions))
      app.post(
        `/api/network/found/:id/${verb}`,
        {
          config: { may: 'devices.manage' },
          schema: { summary, tags: ['network'], params: Id, response: { 200: Found } },
        },
        async (request) => {
          const { registry, changed } = await current()
          const { principal, params } = request
          const found = await registry.decide(params.id, status, `${principal.kind}:${principal.id}`)
          if (found === undefined)
            throw new Recoverable(
              'NOT_FOUND',
              `There is no found thing '${params.id}' any more. GET /api/network/found lists them.`,
            )
          changed()
          return found
        },
      )
  },
  start: ({ config, use, now, log, health, report, settle }) => {
    const out = new Subject<Message<'network/found'>>()
    let sayTimer: NodeJS.Timeout | undefined
    let saveTimer: NodeJS.Timeout | undefined
    let isEnded = false
    let fullAt = -Infinity
    let searchTroubles: readonly string[] = []
    let keepTrouble: string | undefined
    const tellHealth = (): void => {
      const all = [
        ...searchTroubles,
        ...(keepTrouble === undefined ? [] : [`What was found cannot be kept: ${keepTrouble}`]),
        ...(now() - fullAt < FULL_MS
          ? [
              'There is no room for more found things: raise plugins.network.most, or mostOfOne where one address tells of many.',
            ]
          : []),
      ]
      if (all.length === 0) health('healthy')
      else health('degraded', all.slice(0, 4).join(' '))
    }
    const registry = openRegistry({
      memory: use.memory,
      now,
      most: config.most,
      mostOfOne: config.mostOfOne,
      keepMs: config.keepDays * 86_400_000,
      reopened: ({ id, name, reopened }) => {
        log.warn('network.reopened', { id, name, why: reopened })
        report({
          type: 'NetworkThingChanged',
          severity: 'warning',
          category: 'network',
          message: `'${name}' is no longer accepted: ${reopened ?? ''} Look at it on the page Network.`,
        })
      },
    })
    const save = (): void => {
      saveTimer = undefined
      registry.save().then(
        () => {
          if (keepTrouble === undefined) return
          keepTrouble = undefined
          tellHealth()
        },
        (error: unknown) => {
          keepTrouble = reasonOf(error)
          tellHealth()
          if (!isEnded) saveTimer ??= setTimeout(save, SAVE_MS * 3)
        },
      )
    }
    let saidAt = -Infinity
    let said = ''
    const say = (): void => {
      sayTimer = undefined
      const list = shortList(registry.list(), search.until())
      const text = JSON.stringify(list)
      if (text === said) return
      said = text
      saidAt = now()
      out.next(message('network/found', {}, list))
    }
    const changed = (): void => {
      if (isEnded) return
      sayTimer ??= setTimeout(say, Math.max(SAY_MS, Math.min(SAY_GAP_MS, saidAt + SAY_GAP_MS - now())))
      saveTimer ??= setTimeout(save, SAVE_MS)
    }
    const early: Word[] = []
    let isLoaded = false
    const hear = (word: Word): void => {
      // What is kept comes first, so that a decision is not missed; the search begins a moment before it is read.
      if (!isLoaded) {
        if (early.length < config.most) early.push(word)
        return
      }
      const outcome = registry.take(word)
      if (outcome === 'changed') changed()
      if (outcome === 'full') full()
    }
    const full = (): void => {
      const isNews = now() - fullAt >= FULL_MS
      fullAt = now()
      if (isNews) tellHealth()
    }
    const search = openSearch({
      config,
      now,
      log,
      heard: hear,
      changed,
      full,
      troubles: (all) => {
        searchTroubles = all
        tellHealth()
      },
    })
    const ready = registry.load().then(
      () => {
        isLoaded = true
        early.splice(0).forEach(hear)
        tellHealth()
        changed()
      },
      // Without what people decided the list would be wrong: the hub starts the plugin again.
      (error: unknown) => out.error(error),
    )
    const sweep = setInterval(() => {
      if (registry.sweep()) changed()
      if (fullAt > -Infinity && now() - fullAt >= FULL_MS) {
        fullAt = -Infinity
        tellHealth()
      }
    }, SWEEP_MS)
    const mine = { registry, search, changed, ready }
    running = mine
    return merge(out).pipe(
      finalize(() => {
        isEnded = true
        if (running === mine) running = undefined
        clearInterval(sweep)
        clearTimeout(sayTimer)
        clearTimeout(saveTimer)
        settle(Promise.all([search.close(), ready.then(() => registry.save()).catch(() => undefined)]))
      }),
    )
  },
})
