// The roster: which commands are open, how many of each device, and which closed ones are remembered.
import type { Bounds } from './bounds.ts'
import { type Command, type Known, knownOf } from './command.ts'

export const openRoster = (bounds: Pick<Bounds, 'open' | 'openPerDevice' | 'remembered'>) => {
  const open = new Map<string, Command>()
  /** Closed commands, oldest first. */
  const closed = new Map<string, Known>()
  /** Open commands of each device: all, and the safe ones among them. */
  const counts = new Map<string, { all: number; safe: number }>()
  let safeOpen = 0

  const countOf = (device: string) => counts.get(device) ?? { all: 0, safe: 0 }

  return {
    take(command: Command): void {
      const { id, device } = command.request
      open.set(id, command)
      const { all, safe } = countOf(device)
      counts.set(device, { all: all + 1, safe: safe + (command.safe ? 1 : 0) })
      if (command.safe) safeOpen++
    },
    release(command: Command): void {
      const { id, device } = command.request
      if (open.get(id) !== command) return
      open.delete(id)
      command.calm()
      const { all, safe } = countOf(device)
      if (all <= 1) counts.delete(device)
      else counts.set(device, { all: all - 1, safe: safe - (command.safe ? 1 : 0) })
      if (command.safe) safeOpen--
    },
    /** Keeps what is needed to know its repeats and late words; the oldest go. */
    remember(command: Command): void {
      closed.set(command.request.id, knownOf(command))
      for (const oldest of closed.keys()) {
        if (closed.size <= bounds.remembered) return
        closed.delete(oldest)
      }
    },
    find: (id: string): Command | Known | undefined => open.get(id) ?? closed.get(id),
    /** Whether there is room for one more open command. */
    room({ safe, request: { device } }: Command): boolean {
      const here = countOf(device)
      return safe
        ? here.safe < bounds.openPerDevice && safeOpen < bounds.open
        : here.all - here.safe < bounds.openPerDevice && open.size - safeOpen < bounds.open
    },
    get: (id: string): Command | undefined => open.get(id),
    all: (): Command[] => [...open.values()],
    get size() {
      return open.size
    },
  }
}
