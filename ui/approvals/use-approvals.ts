// The approvals that are open, and those that ended, page by page.
import { useCallback, useEffect, useMemo, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import type { ApprovalItem } from '../api/read-approval.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import { statusAt } from './words.ts'

export const APPROVAL_TOPICS = ['approvals/+']
/** Where the live line may not tell of approvals they are read this often. */
const POLL_MS = 10_000
export const PAGE = 50

/** The hub's clock, to the second. */
export const useHubNow = (): number => {
  const { hub } = useJarvisContext()
  return useNow() + hub.offset()
}

/** Open approvals, those that end first in front. */
export const useOpenApprovals = (): ApprovalItem[] => {
  const { workshop, denied, refetch } = useJarvisContext()
  useTopics(APPROVAL_TOPICS)
  const now = useHubNow()
  const isDenied = denied.has('approvals/+')
  useEffect(() => {
    if (!isDenied) return undefined
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void refetch()
    }, POLL_MS)
    return () => clearInterval(timer)
  }, [isDenied, refetch])
  return [...workshop.approvals.values()]
    .filter((one) => statusAt(one, now) === 'pending')
    .sort((a, b) => a.expiresAt - b.expiresAt || a.id.localeCompare(b.id))
}

export interface History {
  /** Newest first. */
  items: readonly ApprovalItem[] | undefined
  problem: string | undefined
  more: (() => void) | undefined
}

/** Those that ended: what the hub keeps, with what ended while this page looked in front. */
export const useHistory = (): History => {
  const { hub, workshop } = useJarvisContext()
  const now = useHubNow()
  const [pages, setPages] = useState<readonly ApprovalItem[] | undefined>(undefined)
  const [isLast, setLast] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)

  const read = useCallback(
    (before: number | undefined) => {
      let current = true
      const query = { all: true, limit: PAGE, ...(before === undefined ? {} : { before }) }
      hub.approvals(query).then(
        (items) => {
          if (!current) return
          setPages((was) => [...(before === undefined ? [] : (was ?? [])), ...items])
          setLast(items.length < PAGE)
          setProblem(undefined)
        },
        (error: unknown) => current && setProblem(sentence(error)),
      )
      return () => {
        current = false
      }
    },
    [hub],
  )
  useEffect(() => read(undefined), [read])

  const items = useMemo(() => {
    if (!pages) return undefined
    const all = new Map(pages.map((one) => [one.id, one]))
    for (const one of workshop.approvals.values()) {
      const known = all.get(one.id)
      if (!known || known.status === 'pending') all.set(one.id, one)
    }
    return [...all.values()]
      .filter((one) => statusAt(one, now) !== 'pending')
      .sort((a, b) => b.requestedAt - a.requestedAt)
  }, [pages, workshop.approvals, now])
  const oldest = pages?.at(-1)?.requestedAt
  return { items, problem, more: isLast || oldest === undefined ? undefined : () => void read(oldest) }
}

export interface Found {
  approval: ApprovalItem | undefined
  /** Looked for and not there. */
  isGone: boolean
  problem: string | undefined
}

/** One approval by its id: open, ended while this page looked, or out of the hub's history. */
export const useApproval = (id: string): Found => {
  const { hub, workshop, readAt } = useJarvisContext()
  useTopics(APPROVAL_TOPICS)
  const live = workshop.approvals.get(id)
  const [past, setPast] = useState<{ id: string; item: ApprovalItem | undefined } | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const isMissing = live === undefined && readAt > 0
  useEffect(() => {
    if (!isMissing) return undefined
    let current = true
    hub.approval(id).then(
      (item) => current && setPast({ id, item }),
      (error: unknown) =>
        current &&
        setProblem(
          error instanceof Problem && error.status === 403 ? 'Your role may not read approvals.' : sentence(error),
        ),
    )
    return () => {
      current = false
    }
  }, [hub, id, isMissing])
  const found = past?.id === id ? past : undefined
  return { approval: live ?? found?.item, isGone: live === undefined && found !== undefined && !found.item, problem }
}
