// Loads that are under way: which flow's file the process was asked to load, and what came of it.
import { Recoverable } from '../errors.ts'
import type { Input } from './host.ts'
import type { ChildEvent, Control, Thrown } from './protocol.ts'

export interface LoadOrder {
  name: string
  file: string
  version: string
  source: string
  params: Readonly<Record<string, unknown>>
}

export interface Loaded {
  inputs: Input[]
  params?: { schema: object; values: Record<string, unknown> }
}

/** The flow's file does not give a flow. */
export class Unloadable extends Recoverable {
  readonly thrown: Thrown
  constructor(thrown: Thrown) {
    super('EXECUTION_ERROR', thrown.message, { ...(thrown.place === undefined ? {} : { place: thrown.place }) })
    this.thrown = thrown
  }
}

interface Load {
  done(loaded: Loaded): void
  failed(error: Error): void
  timer: NodeJS.Timeout
}

/** `stuck`: the process, which itself gives up on a file that waits, says nothing at all. */
export const openLoads = (loadMs: number, say: (order: Control) => void, stuck: () => void) => {
  const loads = new Map<number, Load>()
  const taken = (flow: number): Load | undefined => {
    const load = loads.get(flow)
    loads.delete(flow)
    clearTimeout(load?.timer)
    return load
  }
  return {
    get size() {
      return loads.size
    },
    load: (flow: number, at: number, { params, ...order }: LoadOrder): Promise<Loaded> =>
      new Promise((done, failed) => {
        loads.set(flow, { done, failed, timer: setTimeout(stuck, 2 * loadMs) })
        say({ do: 'load', flow, at, ...order, params: { ...params } })
      }),
    answered(event: Extract<ChildEvent, { event: 'loaded' | 'unloadable' }>): void {
      const load = taken(event.flow)
      if (event.event === 'loaded')
        load?.done({ inputs: event.inputs, ...(event.params === undefined ? {} : { params: event.params }) })
      else {
        const { message, stack, place } = event
        load?.failed(new Unloadable({ message, stack, place }))
      }
    },
    failed(error: Error): void {
      for (const flow of [...loads.keys()]) taken(flow)?.failed(error)
    },
  }
}
