// The app: who is signed in, which page is shown.
import { useCallback, useEffect, useMemo, useState } from 'react'
import { ApprovalPage, ApprovalsPage } from './approvals/page.tsx'
import { idOfPath } from './approvals/path.ts'
import { AuditPage } from './audit/page.tsx'
import { hubApi } from './api/client.ts'
import { Problem, sentence } from './api/problem.ts'
import { forgetSession, keepSession, keptSession, renewSession, safeReturn, type Session } from './api/session.ts'
import { renewing } from './api/sign-in.ts'
import type { Claim as ClaimState, Me } from './api/types.ts'
import { Button } from './design/button.tsx'
import { Note } from './design/parts.tsx'
import { Toasts } from './design/toast.tsx'
import { MqttClients } from './health/clients.tsx'
import { HealthErrors } from './health/errors.tsx'
import { HealthParts } from './health/health.tsx'
import { FlowPage } from './flow/detail/page.tsx'
import { FlowsPage } from './flow/page.tsx'
import { flowOfPath } from './flow/path.ts'
import { DevicePage } from './devices/device-page.tsx'
import { DevicesPage } from './devices/page.tsx'
import { words } from './devices/value.ts'
import { JarvisProvider, useJarvisContext, useTopics } from './live/jarvis.tsx'
import { Messages } from './messages/list.tsx'
import { NotificationsPage } from './notifications/page.tsx'
import { aliasOf } from './pages/alias.ts'
import { Claim } from './pages/claim.tsx'
import { Door } from './pages/door.tsx'
import { Login } from './pages/login.tsx'
import { NetworkPage } from './network/page.tsx'
import { Now, NOW_TOPICS } from './pages/now.tsx'
import { go, usePath } from './pages/route.ts'
import { Shell } from './pages/shell.tsx'
import { useWallTheme } from './pages/theme.ts'
import { Wall } from './pages/wall.tsx'
import { ReplayPage } from './replay/page.tsx'
import { Requests } from './requests/list.tsx'
import { ownConversation } from './talk/conversation.ts'
import { TalkPage } from './talk/page.tsx'

const ENDED = 'Your session has ended. Sign in again and you are back where you were.'
const RETRY_MS = 5000
const TOO_MANY = 429
/** setTimeout counts in 32 bits; a session that lasts longer is looked at again on the next load. */
const TIMER_AT_MOST = 2 ** 31 - 1

const RequestsPage = () => {
  useTopics(NOW_TOPICS)
  return (
    <div className="panel">
      <Requests limit={100} />
    </div>
  )
}

const HealthPage = () => (
  <div className="stack">
    <div className="panel">
      <HealthParts />
    </div>
    <HealthErrors />
    <MqttClients />
  </div>
)

/** The pages of one flow; undefined where the path is none of them. */
const flowPage = (path: string): { title: string; page: React.ReactNode } | undefined => {
  const found = flowOfPath(path)
  if (!found) return undefined
  const { id, page } = found
  return page === 'detail'
    ? { title: words(id), page: <FlowPage key={id} id={id} /> }
    : { title: 'Replay', page: <ReplayPage key={id} id={id} /> }
}

/** The page of one approval, device or conversation; undefined where the path is none. */
const onePage = (path: string): { title: React.ReactNode; page: React.ReactNode } | undefined => {
  const [approval, device, talk] = ['approvals', 'devices', 'talk'].map((root) => idOfPath(path, root))
  if (approval !== undefined) return { title: 'Approval', page: <ApprovalPage key={approval} id={approval} /> }
  if (device !== undefined) return { title: <DeviceName id={device} />, page: <DevicePage key={device} id={device} /> }
  if (talk !== undefined) return { title: 'Talk', page: <TalkPage key={talk} id={talk} /> }
  return undefined
}

const DeviceName = ({ id }: { id: string }) => useJarvisContext().workshop.devices.get(id)?.name ?? id

/** Without a name it is one's own conversation. */
const OwnTalk = () => <TalkPage id={ownConversation(useJarvisContext().me.id)} />

const Page = ({ path, onLogout }: { path: string; onLogout: () => void }) => {
  const wall = path === '/wall' || path.startsWith('/wall/')
  useWallTheme(wall)
  const alias = aliasOf(path, location.search)
  useEffect(() => {
    if (alias !== undefined) go(alias, { replace: true })
  }, [alias])
  if (wall) return <Wall />
  if (alias !== undefined) return null
  const pages: Record<string, { title: React.ReactNode; page: React.ReactNode }> = {
    '/': { title: 'Now', page: <Now /> },
    '/approvals': { title: 'Approvals', page: <ApprovalsPage /> },
    '/devices': { title: 'Devices', page: <DevicesPage /> },
    '/talk': { title: 'Talk', page: <OwnTalk /> },
    '/notifications': { title: 'Notifications', page: <NotificationsPage /> },
    '/audit': { title: 'Audit', page: <AuditPage /> },
    '/requests': { title: 'Requests', page: <RequestsPage /> },
    '/messages': { title: 'Messages', page: <Messages /> },
    '/flows': { title: 'Flows', page: <FlowsPage /> },
    '/network': { title: 'Network', page: <NetworkPage /> },
    '/hub': { title: 'Health', page: <HealthPage /> },
  }
  const { title, page } = pages[path] ??
    flowPage(path) ??
    onePage(path) ?? {
      title: 'Not here',
      page: <Note tone="warn">There is no page at {path}. Choose one from the list of pages.</Note>,
    }
  return (
    <Shell title={title} onLogout={onLogout}>
      {page}
    </Shell>
  )
}

const Waiting = ({ problem, onRetry }: { problem: Trouble | undefined; onRetry: () => void }) =>
  problem === undefined ? (
    <main className="door" aria-busy="true" aria-label="Loading" />
  ) : (
    <Door title={problem.isBusy ? 'The hub asks you to wait' : 'The hub is out of reach'}>
      <Note tone="warn" alert>
        {problem.text}
      </Note>
      <p className="small soft">This page tries again by itself.</p>
      <Button onPress={onRetry}>Try now</Button>
    </Door>
  )

interface Trouble {
  text: string
  /** The hub answers, but has answered this person too often. */
  isBusy: boolean
}

/** How long to wait before asking again, in ms: as long as the hub says, a minute at most. */
const pauseAfter = (error: unknown): number => {
  const seconds = error instanceof Problem && error.status === TOO_MANY ? Number(error.details['retryAfter']) : 0
  return Math.max(RETRY_MS, Math.min(60, Number.isFinite(seconds) ? seconds : 0) * 1000)
}

/** Asks until there is an answer: at once, then every five seconds, or when the hub says. */
const useAnswer = <T,>(ask: (() => Promise<T>) | undefined) => {
  const [answer, setAnswer] = useState<T | undefined>(undefined)
  const [problem, setProblem] = useState<Trouble | undefined>(undefined)
  const [round, setRound] = useState(0)
  useEffect(() => {
    if (!ask) return undefined
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    ask().then(
      (value) => {
        if (!current) return
        setAnswer(value)
        setProblem(undefined)
      },
      (error: unknown) => {
        if (!current || (error instanceof Problem && error.status === 401)) return
        setProblem({ text: sentence(error), isBusy: error instanceof Problem && error.status === TOO_MANY })
        timer = setTimeout(() => setRound((n) => n + 1), pauseAfter(error))
      },
    )
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [ask, round])
  return { answer: ask ? answer : undefined, problem, again: () => setRound((n) => n + 1) }
}

interface SignedInProps {
  session: Session
  path: string
  onRenewed: (next: Session) => void
  onExpired: () => void
  onLogout: () => void
}

const SignedIn = ({ session, path, onRenewed, onExpired, onLogout }: SignedInProps) => {
  const hub = useMemo(() => hubApi({ token: () => session.token, expired: onExpired }), [session.token, onExpired])
  const { answer: me, problem, again } = useAnswer<Me>(hub.me)
  // The live line refuses a token it does not like; whether the session is over is for the API to say.
  const refused = useCallback(() => void hub.me().catch(() => undefined), [hub])
  useEffect(() => {
    if (session.expiresAt === 0) return undefined
    const timer = setTimeout(onExpired, Math.min(Math.max(0, session.expiresAt - Date.now()), TIMER_AT_MOST))
    return () => clearTimeout(timer)
  }, [session.expiresAt, onExpired])
  useEffect(() => renewing(session, onRenewed), [session, onRenewed])
  if (!me) return <Waiting problem={problem} onRetry={again} />
  return (
    <JarvisProvider hub={hub} me={me} session={session} onRefused={refused}>
      <Page path={path} onLogout={onLogout} />
    </JarvisProvider>
  )
}

const SignedOut = ({
  path,
  notice,
  onSession,
}: {
  path: string
  notice: string | undefined
  onSession: (session: Session, stay: boolean) => void
}) => {
  const hub = useMemo(() => hubApi({ token: () => undefined, expired: () => undefined }), [])
  const { answer: claim, problem, again } = useAnswer<ClaimState>(hub.claim)
  useWallTheme(false)
  const claimed = claim?.claimed
  useEffect(() => {
    if (claimed === undefined) return
    if (!claimed && path !== '/claim') go('/claim', { replace: true })
    if (claimed && path !== '/login')
      go(`/login?return=${encodeURIComponent(safeReturn(location.pathname + location.search))}`, { replace: true })
  }, [claimed, path])
  if (!claim) return <Waiting problem={problem} onRetry={again} />
  if (!claim.claimed) return <Claim isOpen={claim.open} onSession={(session) => onSession(session, false)} />
  return <Login notice={notice} onSession={onSession} />
}

export const App = () => {
  const path = usePath()
  const [session, setSession] = useState<Session | undefined>(() => keptSession())
  const [notice, setNotice] = useState<string | undefined>(undefined)

  const signedIn = useCallback((next: Session, stay: boolean) => {
    keepSession(next, stay)
    setNotice(undefined)
    setSession(next)
    if (location.pathname === '/login' || location.pathname === '/claim')
      go(safeReturn(new URLSearchParams(location.search).get('return')), { replace: true })
  }, [])
  const end = useCallback((why: string | undefined) => {
    forgetSession()
    setNotice(why)
    setSession(undefined)
  }, [])
  const renewed = useCallback((next: Session) => {
    renewSession(next)
    setSession(next)
  }, [])
  const expired = useCallback(() => end(ENDED), [end])
  const logout = useCallback(() => {
    end(undefined)
    go('/login', { replace: true })
  }, [end])
  useEffect(() => {
    if (session && (path === '/login' || path === '/claim')) go('/', { replace: true })
  }, [session, path])

  return (
    <>
      {session ? (
        <SignedIn
          key={session.username}
          session={session}
          path={path}
          onRenewed={renewed}
          onExpired={expired}
          onLogout={logout}
        />
      ) : (
        <SignedOut path={path} notice={notice} onSession={signedIn} />
      )}
      <Toasts />
    </>
  )
}
