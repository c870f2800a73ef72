// Words from the network: cut, on one line, without signs that deceive a reader.

/** What cannot be seen or turns the reading direction: controls, formats, surrogates, private and unassigned signs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]+/gu

/** A text of at most `most` UTF-16 units that a page can show as it is. */
export const line = (text: string, most: number): string =>
  text
    .slice(0, most * 4)
    .replace(UNSEEN, ' ')
    .trim()
    .slice(0, most)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trim()

/** A word for keys and examples: a-z, 0-9 and single hyphens; `otherwise` when nothing is left. */
export const slug = (text: string, otherwise: string): string =>
  text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-$/, '') || otherwise
