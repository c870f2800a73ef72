// Where a PostgreSQL is, in words without its password.

/** Host, port and database of a URL: what may be said of it aloud. */
export const placeOf = (url: string): string => {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname || 'localhost'}:${port || '5432'}${pathname}`
}
