// Which further topics a device credential may be given: valid filters that reach neither commands nor results nor the broker's own topics.
import { isFilter, overlaps } from '../access/filters.ts'
import { type Verdict, YES, no } from '../broker/broker.ts'
import { nativeCommands } from '../topics/native.ts'

/** Whether a full MQTT filter (prefix included) may be granted with a credential. */
export const mayGrant = (filter: string, prefix: string): Verdict => {
  if (!isFilter(filter))
    return no(`'${filter}' is not an MQTT filter: '+' and '#' stand alone between slashes, '#' last`)
  if (filter.startsWith('$')) return no(`'${filter}' starts with '$': such topics are the broker's own`)
  for (const leaf of ['cmd', 'result']) {
    if (overlaps(filter, `${prefix}/devices/+/${leaf}`)) {
      return no(`'${filter}' reaches ${prefix}/devices/+/${leaf}, which only the gate writes: name narrower topics`)
    }
  }
  const command = nativeCommands.find((native) => overlaps(filter, native))
  return command === undefined
    ? YES
    : no(`'${filter}' reaches ${command}, which makes something happen past the gate: name the topics that say what is`)
}
