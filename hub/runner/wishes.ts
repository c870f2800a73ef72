// What people ask of flows: one in detail, to run again, other params.
import { Invalid, Missing, Recoverable, reasonOf } from '../errors.ts'
import type { Crew } from './crew.ts'
import { readFlow } from './find-flows.ts'
import { Unloadable } from './loads.ts'
import type { MarksStore } from './marks.ts'
import type { Runner } from './runner.ts'
import { isGone, type Starts } from './starts.ts'
import type { FlowState } from './state.ts'
import type { Troubles } from './troubles.ts'
import { detailOf } from './views.ts'

export const openWishes = (
  crew: Crew,
  troubles: Troubles,
  starts: Starts,
  marks: MarksStore,
): Pick<Runner, 'flow' | 'release' | 'setParams'> => {
  const { parts, link } = crew
  const named = (id: string): FlowState => {
    const flow = crew.flows.get(id)
    if (flow === undefined) throw new Missing(`There is no flow '${id}'.`)
    return flow
  }

  return {
    flow: async (id) => detailOf(named(id), link, parts.journal, parts.clock),

    async release(id) {
      const flow = named(id)
      if (flow.status === 'running' || flow.status === 'starting')
        throw new Recoverable('CONFLICT', `Flow '${id}' runs.`)
      clearTimeout(flow.timer)
      delete flow.timer
      flow.file = await readFlow(flow.file.file).catch((error: unknown) => {
        throw new Recoverable('GONE', `The file of flow '${id}' cannot be read: ${reasonOf(error)}`)
      })
      flow.crashes = []
      flow.pause = 0
      delete flow.newer
      troubles.become(flow, 'starting')
      await crew.inLine(() => starts.launch(flow))
    },

    async setParams(id, values, by) {
      const flow = named(id)
      if (flow.run === undefined)
        throw new Recoverable(
          'CONFLICT',
          `Flow '${id}' does not run. Release it first; its params are checked by itself.`,
        )
      if (flow.status !== 'running' || link.isBehind(flow.run.number)) throw busy()
      let refused: Error | undefined
      await crew.inLine(async () => {
        const { run } = flow
        if (run === undefined) return void (refused = new Recoverable('CONFLICT', `Flow '${id}' does not run.`))
        await starts.replace(flow, run.file, values).catch((error: unknown) => {
          refused = error instanceof Error ? error : new Error(reasonOf(error))
        })
      })
      if (refused instanceof Unloadable) throw invalid(refused.message, values)
      if (isGone(refused)) throw busy()
      if (refused !== undefined) throw refused
      await marks.setParams(id, values)
      parts.journal.note('flow-params', { flow: id, params: flow.run?.params?.values ?? values, by })
    },
  }
}

const busy = (): Error =>
  new Recoverable('UNAVAILABLE', 'The flow is being brought up to date; nothing was changed. Try again in a moment.')

/** The flow's own word names the field: `params.above: must be …`. */
const invalid = (message: string, values: Record<string, unknown>): Error => {
  const found = /^params\.([^:]*): (.*)$/s.exec(message)
  if (found === null) return new Recoverable('VALIDATION_ERROR', message)
  const [, field = '', constraint = ''] = found
  return new Invalid(field === '' ? 'params' : field, values[field], constraint)
}
