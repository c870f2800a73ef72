// useJarvisContext: everything the app knows of the workshop, live, behind one hook.
import {
  createContext,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from 'react'
import type { Hub } from '../api/client.ts'
import { Problem, sentence } from '../api/problem.ts'
import { parseJson } from '../api/read.ts'
import type { Session } from '../api/session.ts'
import type { Me } from '../api/types.ts'
import { openLink, type Link } from './link.ts'
import {
  EMPTY,
  fromJournal,
  withApprovals,
  withCommands,
  withDevices,
  withInbox,
  withJournal,
  withMessage,
  type Workshop,
} from './state.ts'
import { store } from './store.ts'
import { shortTopic } from './topic.ts'

export interface LinkView {
  state: 'connecting' | 'live' | 'lost'
  since: number
  reason?: string
}

export interface Jarvis {
  hub: Hub
  me: Me
  workshop: Workshop
  link: LinkView
  /** When everything was last read as a whole; 0 before the first time. */
  readAt: number
  /** What could not be read the last time, by what it is: devices, flows, requests, approvals, messages. */
  problems: Readonly<Record<string, string>>
  /** Topic filters (without the prefix) the hub would not let this person read. */
  denied: ReadonlySet<string>
  /** Reads everything again. */
  refetch(): Promise<void>
  /** Reads the notifications, for when their topic is not heard. Rejects with a `Problem`. */
  readInbox(): Promise<void>
  /** Listens to a filter without the prefix until the returned function is called. */
  watch(filter: string): () => void
  full(topic: string): string
  short(topic: string): string
}

const Context = createContext<Jarvis | undefined>(undefined)

/** The live workshop. Only inside `JarvisProvider`. */
export const useJarvisContext = (): Jarvis => {
  const jarvis = useContext(Context)
  if (!jarvis) throw new Error('useJarvisContext needs a JarvisProvider above it')
  return jarvis
}

/** Listens to these filters (without the prefix) while the component is on the screen. */
export const useTopics = (filters: readonly string[]): void => {
  const { watch } = useJarvisContext()
  const key = filters.join(' ')
  useEffect(() => {
    const stops = key === '' ? [] : key.split(' ').map(watch)
    return () => stops.forEach((stop) => stop())
  }, [key, watch])
}

/** While the live line is down the whole picture is read this often, so that it does not rot. */
const POLL_MS = 15_000
/** Everything is read once the line is up, so that nothing falls between; a line that takes longer is not waited for. */
const LINE_FIRST_MS = 400
/** A page that gives up waiting for the line says so after this. */
const GRACE_MS = 4000

interface Props {
  hub: Hub
  me: Me
  session: Session
  /** The hub refused the token on the live line. */
  onRefused: () => void
  children: ReactNode
}

export const JarvisProvider = ({ hub, me, session, onRefused, children }: Props) => {
  const [workshop] = useState(() => store<Workshop>(EMPTY))
  const shown = useSyncExternalStore(workshop.subscribe, workshop.get)
  const [link, setLink] = useState<LinkView>(() => ({ state: 'connecting', since: Date.now() }))
  const [readAt, setReadAt] = useState(0)
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({})
  const [denied, setDenied] = useState<ReadonlySet<string>>(new Set())
  const line = useRef<Link | undefined>(undefined)
  const watched = useRef(new Map<symbol, { filter: string; stop: () => void }>())

  const refetch = useMemo(() => {
    let running: Promise<void> | undefined
    const short = (topic: string): string => shortTopic(me.prefix, topic)
    const read = async (): Promise<void> => {
      const askedAt = Date.now()
      const failed: Record<string, string> = {}
      const part = async <T,>(name: string, ask: Promise<T>, take: (answer: T) => void): Promise<void> => {
        try {
          take(await ask)
        } catch (error) {
          failed[name] = error instanceof Problem && error.status === 403 ? 'forbidden' : sentence(error)
        }
      }
      await Promise.all([
        part('devices', hub.devices(), (items) =>
          workshop.change((now) => withDevices(now, items, { offset: hub.offset(), askedAt })),
        ),
        part('flows', hub.flows(), (flows) => workshop.change((now) => ({ ...now, flows }))),
        part('requests', hub.commands(), (items) => workshop.change((now) => withCommands(now, items))),
        part('health', hub.health(), (health) => workshop.change((now) => ({ ...now, health }))),
        part('approvals', hub.approvals(), (items) => workshop.change((now) => withApprovals(now, items, askedAt))),
        part('messages', hub.journal({ topic: `${me.prefix}/devices/#` }), (items) =>
          workshop.change((now) =>
            withJournal(
              now,
              items.map((item) => fromJournal(item, short)),
              askedAt,
            ),
          ),
        ),
      ])
      workshop.flush()
      setProblems(failed)
      if (failed['devices'] === undefined) setReadAt(Date.now())
    }
    return (): Promise<void> => (running ??= read().finally(() => (running = undefined)))
  }, [hub, me.prefix, workshop])

  useEffect(() => {
    let n = 0
    const first = setTimeout(() => void refetch(), LINE_FIRST_MS)
    const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/mqtt`
    const opened = openLink(
      { url, clientId: me.clientId ?? `ui.${me.id}`, username: me.id, token: session.token },
      {
        up: () => {
          clearTimeout(first)
          setLink({ state: 'live', since: Date.now() })
          void refetch()
        },
        down: (reason) => setLink((was) => (was.state === 'lost' ? was : { state: 'lost', since: Date.now(), reason })),
        refused: onRefused,
        denied: (filter) => setDenied((was) => new Set(was).add(shortTopic(me.prefix, filter))),
        message: (topic, payload, retained) => {
          n += 1
          const message = {
            topic: shortTopic(me.prefix, topic),
            payload: parseJson(payload),
            retained,
            at: Date.now(),
            n,
          }
          workshop.change((now) => withMessage(now, message))
        },
      },
    )
    line.current = opened
    for (const one of watched.current.values()) one.stop = opened.watch(one.filter)
    const late = setTimeout(() => {
      setLink((was) =>
        was.state === 'connecting'
          ? { state: 'lost', since: Date.now(), reason: 'The live line to the hub does not open.' }
          : was,
      )
    }, GRACE_MS)
    const wake = (): void => {
      if (document.visibilityState === 'visible') opened.wake()
    }
    addEventListener('online', wake)
    document.addEventListener('visibilitychange', wake)
    return () => {
      clearTimeout(first)
      clearTimeout(late)
      removeEventListener('online', wake)
      document.removeEventListener('visibilitychange', wake)
      line.current = undefined
      opened.close()
    }
  }, [session.token, me.clientId, me.id, me.prefix, refetch, onRefused, workshop])

  useEffect(() => {
    if (link.state !== 'lost') return undefined
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void refetch()
    }, POLL_MS)
    return () => clearInterval(timer)
  }, [link.state, refetch])

  const readInbox = useMemo(
    () => async (): Promise<void> => {
      const answer = await hub.notifications()
      workshop.change((now) => withInbox(now, answer))
      workshop.flush()
    },
    [hub, workshop],
  )

  const watch = useMemo(
    () =>
      (filter: string): (() => void) => {
        const key = Symbol(filter)
        const full = `${me.prefix}/${filter}`
        watched.current.set(key, { filter: full, stop: line.current?.watch(full) ?? (() => undefined) })
        return () => {
          watched.current.get(key)?.stop()
          watched.current.delete(key)
        }
      },
    [me.prefix],
  )

  const names = useMemo(
    () => ({
      full: (topic: string): string => `${me.prefix}/${topic}`,
      short: (topic: string): string => shortTopic(me.prefix, topic),
    }),
    [me.prefix],
  )

  const value = useMemo(
    (): Jarvis => ({
      hub,
      me,
      workshop: shown,
      link,
      readAt,
      problems,
      denied,
      refetch,
      readInbox,
      watch,
      ...names,
    }),
    [hub, me, shown, link, readAt, problems, denied, refetch, readInbox, watch, names],
  )
  return <Context value={value}>{children}</Context>
}
