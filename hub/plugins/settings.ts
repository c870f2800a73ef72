// What the config file says of plugins: which are switched on, and their settings as their schemas read them.
import { Fatal } from '../errors.ts'
import type { Found } from './discover.ts'
import type { Plugin } from './plugin.ts'

/** Settings by plugin id, unchecked. */
export type Settings = Readonly<Record<string, unknown>>

/** A plugin says itself when it runs: always, in the demo, or when the config file has settings for it. */
export const isEnabled = (plugin: Plugin, settings: Settings, demo: boolean): boolean => {
  if (plugin.enabled === 'demo') return demo
  if (plugin.enabled === 'configured') return settings[plugin.id] !== undefined
  return true
}

/** The settings as the plugin's schema reads them, or what to mend, with plugin and field named. */
export const configOf = (plugin: Plugin, settings: Settings): { config: unknown } | { error: string } => {
  const checked = plugin.config.safeParse(settings[plugin.id] ?? {})
  if (checked.success) return { config: checked.data }
  const wrong = checked.error.issues.map(({ path, message }) => `plugins.${[plugin.id, ...path].join('.')}: ${message}`)
  return { error: `${wrong.join('; ')}. Mend it in the config file.` }
}

/** Throws Fatal when the config file has settings for a plugin that does not exist. */
export const assertKnown = (found: Found, settings: Settings): void => {
  const known = [...found.plugins, ...found.bad].map(({ id }) => id)
  const stray = Object.keys(settings).find((id) => !known.includes(id))
  if (stray === undefined) return
  const names = known.length > 0 ? `Known plugins: ${known.join(', ')}.` : 'There are no plugins.'
  throw new Fatal(
    `plugins.${stray}: there is no such plugin. Correct the name in the config file, or remove it. ${names}`,
  )
}
