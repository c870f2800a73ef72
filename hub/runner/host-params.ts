// The params of a flow: a JSON Schema for a form, and values that fit it.
import { z } from 'zod'
import { reasonOf } from '../errors.ts'
import type { Flow } from '../streams/flow.ts'
import { firstIssue } from '../topics/table.ts'
import { frozen } from './kept.ts'

/** Schema and complete values; undefined when the flow has none. Throws an Error that names the field. */
export const paramsOf = (
  { params: fields }: Flow,
  given: Readonly<Record<string, unknown>> = {},
): { schema: Record<string, unknown>; values: Record<string, unknown> } | undefined => {
  if (fields === undefined) {
    const [unknown] = Object.keys(given)
    if (unknown !== undefined) throw new Error(`params.${unknown}: this flow has no params`)
    return undefined
  }
  const parsed = fields.safeParse(given)
  if (!parsed.success) {
    const { field, constraint } = firstIssue(parsed.error, given)
    throw new Error(`params.${field}: ${constraint}`)
  }
  return { schema: schemaOf(fields), values: frozen(parsed.data) }
}

const schemaOf = (fields: z.ZodObject): Record<string, unknown> => {
  try {
    return z.toJSONSchema(fields, { io: 'input' })
  } catch (error) {
    throw new Error(`params: only what a form can show (text, numbers, choices, true or false): ${reasonOf(error)}`, {
      cause: error,
    })
  }
}
