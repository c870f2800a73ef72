// The key of a component within its device: plain letters, made from what its announcer calls it.

const MOST = 48

const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, MOST)

/** A key nobody has yet; it is added to `taken`. */
export const entityKey = (foreign: string, platform: string, taken: Set<string>): string => {
  const bare = plain(foreign) || plain(platform) || 'point'
  const candidates = [bare, `${bare}_${plain(platform)}`]
  let key = candidates.find((one) => !taken.has(one))
  for (let n = 2; key === undefined; n++) if (!taken.has(`${bare}_${n}`)) key = `${bare}_${n}`
  taken.add(key)
  return key
}
