// Where an approval has its page; notifications lead there.

export const approvalPath = (id: string): string => `/approvals/${encodeURIComponent(id)}`

/** What stands behind `/root/` in a path; undefined for another path. */
export const idOfPath = (path: string, root: string): string | undefined => {
  const [first, id, more] = path.slice(1).split('/')
  if (first !== root || id === undefined || id === '' || more !== undefined) return undefined
  try {
    return decodeURIComponent(id)
  } catch {
    return undefined
  }
}
