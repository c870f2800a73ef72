// What a flow threw, as the hub is told it: the text, and the place in the folder of flows.
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../errors.ts'
import type { Thrown } from './protocol.ts'

const STACK_LIMIT = 4000

/** The text of what was thrown, and where in the folder of flows, as `file.ts:line`. */
export const thrown = (error: unknown, flowsUrl: string, fallback?: string): Thrown => {
  const stack = error instanceof Error ? error.stack?.replaceAll(/\?v=\w+/g, '').slice(0, STACK_LIMIT) : undefined
  // In a stack files are URLs; what does not parse is named by its path.
  const place = placeIn(stack, flowsUrl) ?? placeIn(stack, fileURLToPath(flowsUrl)) ?? fallback?.slice(flowsUrl.length)
  return { message: reasonOf(error).slice(0, 1000), stack, place }
}

const placeIn = (stack: string | undefined, folder: string): string | undefined => {
  const at = stack?.indexOf(folder) ?? -1
  return at < 0 ? undefined : /^[^:?\s)]+:\d+/.exec(stack?.slice(at + folder.length) ?? '')?.[0]
}
