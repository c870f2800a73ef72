// Names the broker treats apart, and how deep a topic is.
export { isFilter, isTopic } from '../bus/filters.ts'

/** The number of levels. */
export const levelsOf = (topic: string): number => {
  let levels = 1
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1)) levels++
  return levels
}

/** Topics of the broker itself: nobody publishes or reads them over MQTT. */
export const isReserved = (topic: string): boolean => topic === '$SYS' || topic.startsWith('$SYS/')

const SHARED = /^\$share\/[^/]*\/(.*)$/s

/** What a filter listens to, and the shared subscription `$share/{name}/{topic}` it is (MQTT 5, section 4.8.2). */
export const shared = (filter: string): { topic: string; share: string | undefined } => {
  const topic = SHARED.exec(filter)?.[1]
  return topic === undefined ? { topic: filter, share: undefined } : { topic, share: filter }
}
