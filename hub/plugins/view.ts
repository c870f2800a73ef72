// How a plugin looks from outside: in the API and on the page.
import { z } from 'zod'

export const PLUGIN_STATUSES = [
  'off',
  'starting',
  'running',
  'restarting',
  'quarantined',
  'stopped',
  'failed to load',
  'misconfigured',
  'not startable',
] as const
export type PluginStatus = (typeof PLUGIN_STATUSES)[number]

export const PluginViewSchema = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(PLUGIN_STATUSES),
  /** Topics it reads and writes. */
  handles: z.array(z.string()),
  publishes: z.array(z.string()),
  restarts: z.number().int(),
  /** The last thing that went wrong, and what to do. */
  error: z.string().optional(),
})
export type PluginView = z.output<typeof PluginViewSchema>
