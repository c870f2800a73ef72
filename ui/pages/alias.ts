// Addresses that stand for others: how notifications name what they are about, and where that is in the app.
import { safeReturn } from '../api/session.ts'
import { approvalPath } from '../approvals/path.ts'
import { flowPath } from '../flow/path.ts'

export const ERRORS_PATH = '/hub#errors'

/** The place an address such as `/approvals?id=a1` stands for; undefined when it stands for itself. */
export const aliasOf = (path: string, search: string): string | undefined => {
  const id = new URLSearchParams(search).get('id') ?? ''
  if (path === '/approvals' && id !== '') return approvalPath(id)
  if (path === '/flows' && id !== '') return flowPath(id)
  if (path === '/errors') return ERRORS_PATH
  if (path === '/now' || path === '/dashboard') return '/'
  return undefined
}

/** Where a link of the hub leads inside the app; what leads out of it leads to Now. */
export const placeOfLink = (link: string): string => {
  const [path = '', search = ''] = safeReturn(link).split('?')
  return aliasOf(path, search) ?? safeReturn(link)
}
