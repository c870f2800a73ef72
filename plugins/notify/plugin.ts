// Notifications: errors, approvals, quarantined flows and stops, in the app and, where a person configured it, by ntfy and webhook.
import { definePlugin, type Log, message, type Message, reasonOf, Recoverable } from '#hub/plugin'
import { finalize, ignoreElements, interval, map, merge, Subject, tap, throttleTime } from 'rxjs'
import { z } from 'zod'
import { ntfyChannel, webhookChannel, type Channel } from './channels.ts'
import { flowsIn, type Incident, ofApproval, ofError, ofSafety } from './incidents.ts'
import { type Inbox, openInbox } from './inbox.ts'
import { post } from './post.ts'
import { openQueue, type Queue } from './queue.ts'
import { QuietHours, quietFor } from './quiet.ts'
import { LEVELS, Notification, notifyTopics } from './topics.ts'

const SWEEP_MS = 10_000
/** The inbox is told and kept this often at most: a flood of errors is one count that grows. */
const TELL_MS = 250
const DAY_MS = 86_400_000

let running: { inbox: Inbox; changed: () => void } | undefined
const inbox = () => {
  if (running === undefined)
    throw new Recoverable('UNAVAILABLE', 'Notifications do not run: GET /api/plugins says why.')
  return running
}

export default definePlugin({
  id: 'notify',
  title: 'Notifications',
  config: z.strictObject({
    minimum: z.enum(LEVELS).default('warning').describe('What is less than this stays in the app.'),
    quiet: QuietHours.nullable()
      .default(null)
      .describe('Hours in which only critical ones leave the hub; the others wait.'),
    windowMinutes: z
      .number()
      .min(1)
      .max(1440)
      .default(30)
      .describe('The same error within this time is one incident: counted, not told again.'),
    days: z.number().int().min(1).max(90).default(7).describe('Days a notification stays in the inbox.'),
    ntfyTopic: z
      .string()
      .regex(/^[\w-]{1,64}$/)
      .default('millrace')
      .describe('Topic on the ntfy server of peers.yaml.'),
    appUrl: z
      .union([z.literal(''), z.url({ protocol: /^https?$/ })])
      .default('')
      .describe('Address of the app, so that a notification can open what it is about; empty for none.'),
    timeoutMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(10_000)
      .describe('How long a peer has for its answer, in ms.'),
    firstPauseMs: z
      .number()
      .int()
      .min(10)
      .max(60_000)
      .default(1000)
      .describe('Pause after the first failure, in ms; doubled each time up to five minutes.'),
  }),
  handles: ['errors/{severity}/{source}', 'approvals/{approval}', 'safety/events/{event}', 'hub/flows'],
  publishes: ['notify/inbox'],
  needs: ['memory', 'peers'],
  topics: notifyTopics,
  routes: (app) => {
    app.get(
      '/api/notifications',
      {
        config: { may: 'errors.read' },
        schema: {
          summary: 'Notifications, the newest first',
          tags: ['notifications'],
          response: { 200: z.object({ items: z.array(Notification) }) },
        },
      },
      async () => ({ items: inbox().inbox.list() }),
    )
    app.post(
      '/api/notifications/seen',
      {
        config: { may: 'errors.read' },
        schema: {
          summary: 'Mark every notification as seen',
          tags: ['notifications'],
          response: { 200: z.object({ seen: z.number().int().min(0) }) },
        },
      },
      async (request) => {
        const { inbox: box, changed } = inbox()
        const seen = box.allSeen(`${request.principal.kind}:${request.principal.id}`)
        if (seen > 0) changed()
        return { seen }
      },
    )
    app.post(
      '/api/notifications/:id/seen',
      {
        config: { may: 'errors.read' },
        schema: {
          summary: 'Mark a notification as seen',
          tags: ['notifications'],
          params: z.object({ id: z.string().min(1).max(64) }),
          response: { 200: Notification },
        },
      },
      async (request) => {
        const { inbox: box, changed } = inbox()
        const found = box.seen(request.params.id, `${request.principal.kind}:${request.principal.id}`)
        if (found === undefined)
          throw new Recoverable(
            'NOT_FOUND',
            `There is no notification '${request.params.id}' any more. GET /api/notifications lists them.`,
          )
        changed()
        return found
      },
    )
  },
  start: ({ config, use, from, now, health, report, log, settle, offline }) => {
    const out = new Subject<undefined>()
    const box = openInbox({
      memory: use.memory,
      now,
      windowMs: config.windowMinutes * 60_000,
      keepMs: config.days * DAY_MS,
    })
    const ending = new AbortController()
    const failing = new Map<string, string>()
    const tellHealth = (): void => {
      const [[name, why] = ['', '']] = failing
      if (failing.size === 0) health('healthy')
      else
        health(
          'degraded',
          `Notifications by ${name} do not get through: ${why}. They are tried again; check its entry under notify in peers.yaml.`,
        )
    }
    const stateOf =
      (name: string) =>
      (why: string | undefined): void => {
        if (failing.get(name) === why) return
        if (why === undefined) failing.delete(name)
        else failing.set(name, why)
        tellHealth()
      }
    const queues = channelsOf(use.peers, config.ntfyTopic, log, stateOf).map((channel): Queue =>
      openQueue({
        name: channel.name,
        memory: use.memory,
        now,
        firstMs: config.firstPauseMs,
        send: (notification) =>
          post({
            ...channel.request(notification, linkOf(config.appUrl, notification), now()),
            timeoutMs: config.timeoutMs,
            offline,
            signal: ending.signal,
          }),
        holdFor: ({ severity }) => (severity === 'critical' ? 0 : quietFor(config.quiet, now())),
        state: stateOf(channel.name),
        lost: ({ id, key }, why) => {
          log.warn('notification.lost', { channel: channel.name, id, key, why })
          report({
            type: 'NotificationLost',
            severity: 'warning',
            category: 'external_api',
            message: `A notification did not get out by ${channel.name}: ${why}. It stands in the app.`,
          })
        },
      }),
    )
    const keep = (error: unknown): void => {
      log.warn('inbox.not_kept', { reason: reasonOf(error) })
      health('degraded', `The inbox cannot be kept: ${reasonOf(error)}`)
    }
    let isLoaded = false
    let isUntold = false
    const changed = (): void => {
      isUntold = true
      out.next(undefined)
    }
    const tell = (): Message<'notify/inbox'> => {
      isUntold = false
      box.save().catch(keep)
      return message('notify/inbox', {}, { items: box.list() })
    }
    const untell = (ended: readonly Notification[]): void => {
      for (const { id } of ended) for (const queue of queues) queue.drop(id)
    }
    const isWorth = ({ severity }: Notification): boolean => LEVELS.indexOf(severity) >= LEVELS.indexOf(config.minimum)
    const take = (incident: Incident | undefined): void => {
      if (incident === undefined) return
      const outcome = box.take(incident)
      if (outcome.kind === 'unchanged') return
      if (outcome.kind === 'ended') untell([outcome.notification])
      else if (outcome.kind !== 'counted' && isWorth(outcome.notification))
        for (const queue of queues) queue.add(outcome.notification)
      changed()
    }
    const release = (): void => {
      const ended = box.end('stop')
      untell(ended)
      if (ended.length > 0) changed()
    }
    const sweep = (): void => {
      const { ended, changed: isChanged } = box.sweep()
      untell(ended)
      if (isChanged) changed()
    }
    let quarantined: ReadonlySet<string> = new Set()
    const mine = { inbox: box, changed }
    running = mine
    Promise.all([box.load(), ...queues.map((queue) => queue.load())]).then(() => {
      isLoaded = true
      box.sweep()
      changed()
    }, keep)
    return merge(
      out.pipe(throttleTime(TELL_MS, undefined, { leading: true, trailing: true }), map(tell)),
      merge(
        from('errors/{severity}/{source}').pipe(tap((heard) => take(ofError(heard)))),
        from('approvals/{approval}').pipe(tap((heard) => take(ofApproval(heard)))),
        from('safety/events/{event}').pipe(
          tap((heard) => (heard.payload.type === 'latch.released' ? release() : take(ofSafety(heard)))),
        ),
        from('hub/flows', { overload: 'latest' }).pipe(
          tap((heard) => {
            const now = flowsIn(heard, quarantined)
            quarantined = now.quarantined
            now.incidents.forEach(take)
          }),
        ),
        interval(SWEEP_MS).pipe(tap(sweep)),
      ).pipe(ignoreElements()),
    ).pipe(
      finalize(() => {
        if (running === mine) running = undefined
        ending.abort()
        const kept = isLoaded && isUntold ? box.save().catch(keep) : undefined
        settle(Promise.all([kept, ...queues.map((queue) => queue.close())]))
      }),
    )
  },
})

const linkOf = (appUrl: string, { link }: Notification): string | undefined =>
  appUrl === '' || link === undefined ? undefined : appUrl.replace(/\/+$/, '') + link

/** `ntfy` is an ntfy server, every name that begins with `webhook` a webhook; another name is a mistake somebody should hear of. */
const channelsOf = (
  peers: { names(): string[]; get(name: string): Parameters<typeof webhookChannel>[1] },
  ntfyTopic: string,
  log: Log,
  stateOf: (name: string) => (why: string | undefined) => void,
): Channel[] =>
  peers.names().flatMap((name) => {
    if (/^ntfy/.test(name)) return [ntfyChannel(name, peers.get(name), ntfyTopic)]
    if (/^webhook/.test(name)) return [webhookChannel(name, peers.get(name))]
    log.warn('channel.unknown', { name })
    stateOf(name)(`'${name}' is no channel: call it ntfy or webhook…`)
    return []
  })
