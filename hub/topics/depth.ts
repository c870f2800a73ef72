// How deep a JSON value goes: what is deeper than anything meant would overflow the stack of whoever walks it.
export const MAX_DEPTH = 32

/** Whether no object or array lies deeper than `depth`. Never goes deeper itself. */
export const isShallow = (value: unknown, depth = MAX_DEPTH): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth > 0 && Object.values(value).every((part) => isShallow(part, depth - 1)))
