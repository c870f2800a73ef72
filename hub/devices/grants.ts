// Native command topics are never granted with a credential; the other rules for grants are those of hub/access, which issues it.
import { contains } from '../bus/filters.ts'
import { type Verdict, YES, no } from '../broker/broker.ts'
import { nativeCommands } from '../topics/native.ts'

/** Whether a full MQTT filter names something else than commands of other people's conventions. A wider one may be granted: publishing the commands within it is refused message by message. */
export const namesNoCommand = (filter: string): Verdict => {
  const command = nativeCommands.find((native) => contains(native, filter))
  return command === undefined
    ? YES
    : no(
        `makes something happen past the gate (${command}): name the topics that say what is, and ask the device by its request topic`,
      )
}
