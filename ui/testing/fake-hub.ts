// A fake hub for the tests of the web app: its API and its live line on 127.0.0.1, with a workshop that can be provoked.
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import formbody from '@fastify/formbody'
import files from '@fastify/static'
import websocket from '@fastify/websocket'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { fakeSeries } from '../devices/fake-series.ts'
import { matches } from '../live/topic.ts'
import { fakeApprovals } from './fake-approvals.ts'
import { auditRows, fakeAudit } from './fake-audit.ts'
import { fakeInbox } from './fake-inbox.ts'
import { fakeLine } from './fake-mqtt.ts'
import { fakeTalk } from './fake-talk.ts'
import { flowRoutes } from './fake-flows.ts'
import { fakeReplays } from './fake-replays.ts'
import { flows, manyFlows } from './flows.ts'
import { clients, health, workshop } from './world.ts'

export const PERSON = { username: 'ada', password: 'correct horse battery' }
export const CLAIM_CODE = 'MILL-7F3K-Q2'
const PREFIX = 'jarvis'

/** The policy the real app is served with: no inline script, nothing from elsewhere. */
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

interface Options {
  /** The folder of a build. */
  dist: string
  claimed?: boolean
  /** No device, flow or message yet. */
  empty?: boolean
  /** So many flows instead of the few with a story. */
  flows?: number
  /** Publish new readings this often, in ms. */
  tick?: number
  port?: number
  /** Seconds a token lives. */
  expiresIn?: number
}

/** Answers with the hub's error body. */
export type Refuse = (
  reply: FastifyReply,
  status: number,
  code: string,
  message: string,
  details?: object,
) => FastifyReply

export interface Entry {
  seq: number
  at: string
  topic: string
  payload: unknown
  origin: string
  cause: number
  correlation: string
}

interface Command {
  commandId: string
  device: string
  intent: string
  payload: unknown
  requestedBy: string
  status: string
  correlationId: string
  issuedAt: string
  expiresAt: string
  history: { at: string; status: string; detail?: string }[]
  result?: { status: string; reason?: string }
}

const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

export const fakeHub = async (options: Options) => {
  const devices = options.empty === true ? [] : workshop()
  const running = options.empty === true ? [] : options.flows === undefined ? flows() : manyFlows(options.flows)
  const mqtt = options.empty === true ? [] : clients()
  const journal: Entry[] = []
  const commands: Command[] = []
  const seen = new Map(devices.map(({ id, online }) => [id, online ? Date.now() : Date.now() - 47 * 60_000]))
  const state = {
    claimed: options.claimed ?? true,
    claimOpen: true,
    person: { ...PERSON },
    token: randomUUID() as string,
    openToNetwork: undefined as boolean | undefined,
    /** Devices that never answer a command. */
    mute: new Set<string>(),
    rights: [
      'devices.read',
      'devices.request',
      'safety.stop',
      'flows.read',
      'journal.read',
      'errors.read',
      'health.read',
      'broker.read',
    ],
    /** How often the clients were asked for. */
    clientReads: 0,
  }
  const line = fakeLine({
    admits: (token) => token === state.token,
    mayRead: (filter) => filter.startsWith(`${PREFIX}/`) && filter !== `${PREFIX}/#`,
  })

  const say = (
    topic: string,
    payload: unknown,
    { origin, cause = 0, retain = false }: { origin: string; cause?: number; retain?: boolean },
  ): number => {
    const seq = journal.length + 1
    const full = `${PREFIX}/${topic}`
    journal.push({ seq, at: new Date().toISOString(), topic: full, payload, origin, cause, correlation: '' })
    line.publish(full, payload, retain)
    const device = topic.split('/')[1]
    if (origin.startsWith('device:') && device !== undefined) seen.set(device, Date.now())
    return seq
  }
  const sayState = (id: string, cause = 0): number => {
    const device = devices.find((one) => one.id === id)
    return say(`devices/${id}/state`, device?.state, { origin: `device:${id}`, cause, retain: true })
  }

  for (const { id, online, name, kind, area, intents, safe } of devices) {
    line.publish(`${PREFIX}/devices/${id}/about`, { name, kind, area, intents, safe }, true)
    line.publish(`${PREFIX}/devices/${id}/online`, online, true)
  }
  for (const { id, online } of devices) if (online) sayState(id)
  line.publish(`${PREFIX}/hub/health`, options.empty === true ? { status: 'healthy', parts: [] } : health(), true)
  const tellFlows = (): void => {
    // The list on the topic leaves out the sentence and the schema of the params.
    const items = running.map(({ about: _about, params: _params, ...rest }) => rest)
    line.publish(`${PREFIX}/hub/flows`, { items }, true)
  }
  tellFlows()

  const effect = (id: string, intent: string): void => {
    const device = devices.find((one) => one.id === id)
    if (!device) return
    const verb = intent.split('.')[1] ?? ''
    if ('on' in device.state && /turn_(on|off)/.test(verb)) device.state['on'] = verb === 'turn_on'
    if (id === 'extractor') device.state['rpm'] = device.state['on'] === true ? 2840 : 0
    if (id === 'door') device.state['locked'] = verb === 'lock'
    if (verb === 'pause') device.state['state'] = 'paused'
    if (verb === 'stop' && 'running' in device.state) device.state['running'] = false
  }

  const run = async (command: Command, cause: number): Promise<void> => {
    const { commandId: id, device, intent, payload, requestedBy, issuedAt, expiresAt, correlationId } = command
    const note = (status: string, detail?: string): void => {
      command.status = status
      command.history.push({ at: new Date().toISOString(), status, ...(detail === undefined ? {} : { detail }) })
    }
    const result = (status: string, because: number, reason?: string): void => {
      note(status, reason)
      command.result = { status, ...(reason === undefined ? {} : { reason }) }
      say(
        `devices/${device}/result`,
        { id, status, intent, correlationId, ...(reason === undefined ? {} : { reason }) },
        { origin: 'gate', cause: because },
      )
    }
    note('pending')
    const body = { id, intent, payload, requestedBy, issuedAt, expiresAt, correlationId }
    const request = say(`devices/${device}/request`, body, { origin: requestedBy, cause })
    if (intent === 'saw.enable') {
      result('refused', request, 'The extractor does not run (interlock extraction-before-cutting).')
      return
    }
    const cmd = say(`devices/${device}/cmd`, body, { origin: 'gate', cause: request })
    note('dispatched')
    if (state.mute.has(device)) {
      await wait(1500)
      result('timeout', cmd, 'The device did not answer within 5 s.')
      return
    }
    await wait(60)
    const ack = say(`devices/${device}/ack`, { id, status: 'accepted' }, { origin: `device:${device}`, cause: cmd })
    note('accepted')
    await wait(180)
    effect(device, intent)
    sayState(device, cmd)
    result('done', ack)
  }

  const ask = (
    device: string,
    intent: string,
    payload: unknown,
    requestedBy: string,
    correlationId: string,
    cause = 0,
    commandId: string = randomUUID(),
  ): Command => {
    const command: Command = {
      commandId,
      device,
      intent,
      payload,
      requestedBy,
      status: 'pending',
      correlationId,
      issuedAt: new Date().toISOString(),
      expiresAt: new Date(Date.now() + 30_000).toISOString(),
      history: [],
    }
    commands.unshift(command)
    void run(command, cause)
    return command
  }

  const app = fastify({ forceCloseConnections: true })
  await app.register(formbody)
  await app.register(websocket, { options: { handleProtocols: (names) => (names.has('mqtt') ? 'mqtt' : false) } })
  await app.register(files, { root: options.dist, index: 'index.html' })

  const error: Refuse = (reply, status, code, message, details = {}) =>
    reply
      .code(status)
      .send({ error: { code, message, details, correlation_id: 'c-1', timestamp: new Date().toISOString() } })

  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('content-security-policy', CSP)
    done()
  })
  app.addHook('preHandler', async (request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    if (!path.startsWith('/api/') || path === '/api/claim') return undefined
    if (request.headers.authorization === `Bearer ${state.token}`) return undefined
    return error(reply, 401, 'AUTH_ERROR', 'Log in first.')
  })
  app.setNotFoundHandler((request: FastifyRequest, reply) =>
    request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')
      ? reply.sendFile('index.html')
      : error(reply, 404, 'NOT_FOUND', 'There is no such thing.'),
  )

  app.get('/mqtt', { websocket: true }, (socket) => line.accept(socket))
  app.get('/health', async () => (options.empty === true ? { status: 'healthy', parts: [] } : health()))
  app.get('/api/health', async () => (options.empty === true ? { status: 'healthy', parts: [] } : health()))
  app.get('/api/claim', async () => ({ claimed: state.claimed, open: state.claimOpen }))
  app.post<{ Body: Record<string, unknown> }>('/api/claim', async ({ body }, reply) => {
    if (body['code'] !== CLAIM_CODE)
      return error(reply, 403, 'POLICY_ERROR', 'This is not the code the hub printed.', {
        field: 'code',
        constraint: 'must be the printed code',
      })
    state.person = { username: String(body['username']), password: String(body['password']) }
    state.openToNetwork = body['openToNetwork'] === true
    state.claimed = true
    return reply.code(201).send({})
  })
  app.post<{ Body: Record<string, string> }>('/token', async ({ body }, reply) =>
    body['username'] === state.person.username && body['password'] === state.person.password
      ? { access_token: state.token, token_type: 'bearer', expires_in: options.expiresIn ?? 1800 }
      : error(reply, 401, 'AUTH_ERROR', 'User name or password is wrong.'),
  )
  app.get('/api/me', async () => ({
    kind: 'person',
    id: state.person.username,
    roles: ['engineer'],
    rights: state.rights,
    prefix: PREFIX,
  }))
  app.get('/api/devices', async () => ({
    items: devices.map((device) => ({ ...device, owner: `device:${device.id}`, lastSeen: seen.get(device.id) ?? 0 })),
  }))
  flowRoutes({ app, running, journal, error, prefix: PREFIX, changed: () => tellFlows() })
  const replays = fakeReplays({ app, running, journal, error })
  const tell = (topic: string, payload: unknown): void => line.publish(`${PREFIX}/${topic}`, payload, true)
  const person = (): string => state.person.username
  const approvals = fakeApprovals({
    app,
    error,
    person,
    tell,
    approved: ({ device, intent, payload, requestedBy, commandId }) =>
      ask(device, intent, payload, requestedBy, commandId, 0, commandId),
  })
  const audit = fakeAudit(app, options.empty === true ? [] : auditRows(130))
  const talk = fakeTalk({
    app,
    error,
    person: () => `person:${person()}`,
    tell,
    ask: (device, intent) => ask(device, intent, {}, `person:${person()}`, randomUUID()),
    approval: () => approvals.open({ requestedBy: `person:${person()}` }),
  })
  const inbox = fakeInbox({
    app,
    error,
    person: () => `person:${person()}`,
    tell,
    say: (topic, payload) => void say(topic, payload, { origin: 'hub' }),
  })
  if (options.empty !== true) inbox.begin()
  app.delete<{ Params: { id: string } }>('/api/devices/:id', async ({ params }, reply) => {
    const at = devices.findIndex(({ id }) => id === params.id)
    if (at < 0) return error(reply, 404, 'NOT_FOUND', `There is no device '${params.id}'.`)
    devices.splice(at, 1)
    for (const leaf of ['state', 'online', 'about']) tell(`devices/${params.id}/${leaf}`, '')
    return reply.code(204).send()
  })
  app.get<{ Params: { id: string }; Querystring: Record<string, string> }>(
    '/api/devices/:id/series',
    async ({ params, query }, reply) =>
      fakeSeries(journal, params.id, query) ?? error(reply, 404, 'NOT_FOUND', `Nothing of ${params.id} was kept.`),
  )
  app.get<{ Querystring: { text?: string; limit?: string } }>('/api/broker/clients', async ({ query }) => {
    state.clientReads += 1
    const text = (query.text ?? '').toLowerCase()
    const items = mqtt.filter(({ clientId, principal, address = '', lastError }) =>
      [clientId, principal, address, lastError?.what ?? ''].some((field) => field.toLowerCase().includes(text)),
    )
    const sum = (name: 'queued' | 'queuedBytes' | 'dropped') => mqtt.reduce((all, one) => all + one[name], 0)
    const connected = mqtt.filter(({ online }) => online).length
    return {
      items: items.slice(0, Number(query.limit ?? 200)),
      total: items.length,
      counts: {
        connected,
        asleep: mqtt.length - connected,
        queued: sum('queued'),
        queuedBytes: sum('queuedBytes'),
        dropped: sum('dropped'),
        slowClientsCut: mqtt.length === 0 ? 0 : 1,
      },
    }
  })
  app.post<{ Params: { id: string } }>('/api/broker/clients/:id/disconnect', async ({ params }, reply) => {
    const client = mqtt.find(({ clientId, online }) => clientId === params.id && online)
    if (!client) return error(reply, 404, 'NOT_FOUND', `No client with the id ${params.id} is connected.`)
    client.online = false
    return reply.code(204).send()
  })
  app.delete<{ Params: { id: string } }>('/api/broker/clients/:id/session', async ({ params }, reply) => {
    const at = mqtt.findIndex(({ clientId }) => clientId === params.id)
    if (at < 0) return error(reply, 404, 'NOT_FOUND', `There is no session of ${params.id}.`)
    mqtt.splice(at, 1)
    return reply.code(204).send()
  })
  app.get<{ Querystring: { origin: string; topic: string } }>('/api/broker/right', async ({ query }) => {
    const [kind, id] = query.origin.split(':')
    const allowed = kind !== 'device' || query.topic.startsWith(`${PREFIX}/devices/${id}/`)
    return {
      allowed,
      why: allowed
        ? kind === 'device'
          ? `every device publishes its own topics below ${PREFIX}/devices/${id}/`
          : `only the ${kind} publishes ${query.topic}`
        : `nothing gives the right to ${query.topic}`,
    }
  })
  app.get<{ Querystring: { device?: string } }>('/api/commands', async ({ query }) => ({
    items: commands.filter(({ device }) => query.device === undefined || device === query.device).slice(0, 50),
  }))
  app.get<{ Querystring: { topic?: string; since?: string; until?: string; limit?: string } }>(
    '/api/journal',
    async ({ query }) => ({
      items: journal
        .filter(({ topic }) => query.topic === undefined || matches(query.topic, topic))
        .filter(
          ({ at }) =>
            (query.since === undefined || at >= query.since) && (query.until === undefined || at < query.until),
        )
        .slice(-Number(query.limit ?? 50))
        .reverse(),
      next: null,
    }),
  )
  app.get<{ Params: { seq: string } }>('/api/journal/:seq/why', async ({ params }) => {
    const items: Entry[] = []
    for (let seq = Number(params.seq); seq > 0;) {
      const entry = journal[seq - 1]
      if (!entry) break
      items.push(entry)
      seq = entry.cause
    }
    return { items }
  })
  app.post<{ Params: { id: string }; Body: { intent: string; payload?: Record<string, unknown> } }>(
    '/api/device/:id/command',
    async ({ params, body }, reply) => {
      const device = devices.find(({ id }) => id === params.id)
      if (!device) return error(reply, 404, 'NOT_FOUND', `There is no device ${params.id}.`)
      if (!device.online) return error(reply, 404, 'NOT_FOUND', `${device.name} is offline.`)
      if (body.payload?.['celsius'] === 449)
        return error(reply, 403, 'POLICY_ERROR', 'payload.celsius: the limit of iron is 420', {
          field: 'payload.celsius',
          value: 449,
          constraint: 'the limit of this iron is 420 °C',
        })
      const { commandId } = ask(
        params.id,
        body.intent,
        body.payload ?? {},
        `person:${state.person.username}`,
        randomUUID(),
      )
      return reply.code(202).send({ commandId, status: 'dispatched' })
    },
  )
  app.post('/api/safety/stop', async () => {
    const id = randomUUID()
    const reach = devices.filter(({ safe, online }) => safe.length > 0 && online)
    for (const { id: device, safe } of reach) ask(device, safe[0] ?? '', {}, `person:${state.person.username}`, id)
    return { id, devices: reach.map(({ id: device, safe }) => ({ device, intents: safe.slice(0, 1) })) }
  })

  const steady = new Map(devices.map(({ id, state: values }) => [id, { ...values }]))
  let beats = 0
  const beat = (): void => {
    beats += 1
    for (const device of devices) {
      if (!device.online) continue
      for (const [name, value] of Object.entries(steady.get(device.id) ?? {}))
        if (typeof value === 'number' && !Number.isInteger(value))
          device.state[name] = Number((value * (1 + Math.sin(beats / 4 + device.id.length) * 0.08)).toFixed(2))
      if (beats % 2 === device.id.length % 2) sayState(device.id)
    }
  }
  const timer = options.tick === undefined ? undefined : setInterval(beat, options.tick)

  const origin = await app.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  return {
    origin,
    state,
    line,
    journal,
    commands,
    mqtt,
    flows: running,
    replays,
    approvals,
    audit,
    talk,
    inbox,
    tellFlows,
    say,
    sayState,
    ask,
    /** The token in use is no longer taken. */
    expire: () => {
      state.token = randomUUID()
    },
    close: async () => {
      clearInterval(timer)
      line.cut()
      await app.close()
    },
  }
}

if (import.meta.main) {
  const hub = await fakeHub({ dist: fileURLToPath(new URL('../dist', import.meta.url)), tick: 1000, port: 8080 })
  process.stdout.write(`${hub.origin}  ${PERSON.username} / ${PERSON.password}\n`)
}
