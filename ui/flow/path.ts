// Where a flow has its pages.

export const flowPath = (id: string): string => `/flows/${encodeURIComponent(id)}`
export const replayPath = (id: string): string => `${flowPath(id)}/replay`

/** The flow a path is about, and which of its pages; undefined for another path. */
export const flowOfPath = (path: string): { id: string; page: 'detail' | 'replay' } | undefined => {
  const [root, part, page, more] = path.slice(1).split('/')
  if (root !== 'flows' || part === undefined || part === '' || more !== undefined) return undefined
  if (page !== undefined && page !== 'replay') return undefined
  try {
    return { id: decodeURIComponent(part), page: page === 'replay' ? 'replay' : 'detail' }
  } catch {
    return undefined
  }
}
