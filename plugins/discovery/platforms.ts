// From an announced component's fields to a component, by its platform.
import type { AnnouncedComponent } from './announcement.ts'
import { climate, fan } from './climate.ts'
import { type Component, type Maker, reader } from './component.ts'
import { cover } from './cover.ts'
import { light } from './light.ts'
import { plain } from './plain.ts'

const MAKERS: Readonly<Record<string, Maker>> = { ...plain, light, cover, climate, fan }
const MAX_PROBLEM = 300

/** Platforms that are understood. */
export const platforms: readonly string[] = Object.keys(MAKERS)

/** A component of a platform that is not understood has no readings and no actions, and says so. */
export const componentOf = ({ platform, fields }: AnnouncedComponent): Component => {
  const make = Object.hasOwn(MAKERS, platform) ? MAKERS[platform] : undefined
  if (make === undefined)
    return { platform, readings: [], actions: [], commands: [], detail: {}, problem: `'${platform}' not supported` }
  const read = reader(fields)
  const made = make(read)
  const problem = read.problems.join('; ').slice(0, MAX_PROBLEM)
  return { platform, ...made, commands: [...read.commands], ...(problem === '' ? {} : { problem }) }
}
