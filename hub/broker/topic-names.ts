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
