// A whole hub with people, dangerous things and a policy, for tests from outside: HTTP, MQTT, and the tables as they lie on disk.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { readConfig } from '../../config.ts'
import { type Hub, startHub } from '../../main.ts'
import { ADMIN, environmentIn, hubFolder } from '../../testing/hub.ts'
import {
  type Answer,
  type Asking,
  type Heard,
  type Login,
  outsider,
  type Outsider,
  type Wire,
} from '../../testing/outsider.ts'
import { eventually } from '../../testing/until.ts'

export const PASSWORD = 'staple battery horse'
export const PHRASE = 'Confirm: proceed'

/** Everybody but the admin ada, with their role. */
const STAFF = { olga: 'operator', eve: 'operator', bob: 'engineer', cleo: 'safety', dan: 'safety' } as const
export type Name = keyof typeof STAFF | 'ada'

export interface Row {
  n: number
  event: string
  subject: string
  who: string
  device: string
  intent: string
  detail: Record<string, unknown>
}

export interface View {
  id: string
  digest: string
  device: string
  intent: string
  status: string
  needed: number
  given: { by: string }[]
  [more: string]: unknown
}

/** A device that says what it is, hears its commands and answers as told. */
export interface Thing {
  wire: Wire
  login: Login
  says(leaf: string, payload: unknown): Promise<void>
  /** Its commands so far. */
  cmds(): Record<string, unknown>[]
}

/** `config` is the text of millrace.yaml. */
export const openBuilding = async (policy = '', env: Record<string, string> = {}, config = '') => {
  const dir = hubFolder()
  const dataDir = join(dir, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  if (policy !== '') writeFileSync(join(dataDir, 'policy.yaml'), policy)
  if (config !== '') writeFileSync(join(dir, 'millrace.yaml'), config)
  const tokens: Partial<Record<Name, string>> = {}
  const things = new Map<string, { about: Record<string, unknown>; login: Login; thing: Thing }>()
  let hub: Hub
  let outside: Outsider
  let watcher: Wire

  const up = async (): Promise<void> => {
    hub = await startHub(readConfig({ ...environmentIn(dir), ...env }, dir))
    outside = outsider(`http://127.0.0.1:${hub.ports.http}`, hub.ports.mqtt ?? 0, () => tokens.ada ?? '')
    tokens.ada ??= await outside.login(ADMIN.username, ADMIN.password)
    watcher = await outside.mqtt({ clientId: 'ui.ada-watch', username: 'ada', password: tokens.ada })
    await watcher.subscribe('jarvis/#')
  }
  await up()

  const api = <T = Record<string, unknown>>(
    path: string,
    who: Name | string | null,
    asking: Asking = {},
  ): Promise<Answer<T>> =>
    outside.api<T>(path, { ...asking, token: who === null ? null : (tokens[who as Name] ?? who) })

  for (const [username, role] of Object.entries(STAFF)) {
    const { status, body } = await api('/api/people', 'ada', { json: { username, password: PASSWORD, roles: [role] } })
    if (status !== 201) throw new Error(`${username}: ${status} ${JSON.stringify(body)}`)
  }
  await Promise.all(
    Object.keys(STAFF).map(async (name) => (tokens[name as Name] = await outside.login(name, PASSWORD))),
  )

  const connect = async (id: string, about: Record<string, unknown>, login: Login): Promise<Thing> => {
    const wire = await outside.mqtt(login)
    await wire.subscribe(`jarvis/devices/${id}/cmd`)
    const says: Thing['says'] = (leaf, payload) =>
      wire.publish(`jarvis/devices/${id}/${leaf}`, typeof payload === 'boolean' ? String(payload) : payload, {
        retain: ['about', 'state', 'online'].includes(leaf),
      })
    await says('about', { name: id, ...about })
    await says('online', true)
    const thing: Thing = {
      wire,
      login,
      says,
      cmds: () => wire.heard.filter(({ topic }) => topic.endsWith('/cmd')).map((heard) => heard.json()),
    }
    things.set(id, { about, login, thing })
    return thing
  }

  const rows = (after = 0): Row[] => {
    const db = new Database(join(dataDir, 'hub.sqlite'), { readonly: true })
    try {
      return db
        .prepare<[number], Row & { detail: string }>('select * from audit where n > ? order by n')
        .all(after)
        .map((row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }))
    } finally {
      db.close()
    }
  }

  return {
    dir,
    dataDir,
    api,
    tokens,
    get outside() {
      return outside
    },
    get watcher() {
      return watcher
    },
    thing: async (id: string, about: Record<string, unknown>, topics?: readonly string[]) =>
      connect(id, about, await outside.credential(id, topics)),
    /** Says it anew as the same device. */
    of: (id: string): Thing => {
      const found = things.get(id)
      if (found === undefined) throw new Error(`there is no ${id}`)
      return found.thing
    },
    rows,
    lastRow: (): number => rows().at(-1)?.n ?? 0,
    /** Waits until a row that fits is on disk. */
    row: (fits: (row: Row) => boolean, after = 0): Promise<Row> =>
      eventually(
        () => rows(after).find(fits),
        (found) => found !== undefined,
        { everyMs: 30 },
      ),
    ask: (who: Name | string, device: string, json: object, headers: Record<string, string> = {}) =>
      api(`/api/device/${device}/command`, who, { json, headers }),
    open: async (id: string): Promise<View> => (await api<View>(`/api/approvals/${id}`, 'ada')).body,
    answer: (
      who: Name | string | null,
      { id, digest }: { id: string; digest: string },
      {
        decision = 'approve',
        phrase,
        headers = {},
      }: { decision?: string; phrase?: string; headers?: Record<string, string> } = {},
    ) =>
      api('/api/safety/hazards/approve', who, {
        json: { id, digest, decision, ...(phrase === undefined ? {} : { phrase }) },
        headers,
      }),
    heard: (fits: (heard: Heard) => boolean): Heard[] => watcher.heard.filter(fits),
    /** Stops the hub, lets something happen while it is off, and starts it; devices connect again. */
    restart: async (meanwhile: () => void = () => {}): Promise<void> => {
      await outside.leave()
      await hub.close()
      meanwhile()
      await up()
      for (const [id, { about, login }] of [...things]) await connect(id, about, login)
    },
    stop: async (): Promise<void> => {
      await outside.leave()
      await hub.close()
    },
    close: async (): Promise<void> => {
      await outside.leave()
      await hub.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export type Building = Awaited<ReturnType<typeof openBuilding>>
