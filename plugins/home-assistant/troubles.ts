// What is wrong with the servers, in the hub's words: health once a line is down for a while, oddities once a minute for each kind.
import type { ErrorReport, HealthWord } from '#hub/plugin'

export interface TroublesOptions {
  servers: readonly string[]
  health: (word: HealthWord, what?: string) => void
  report: (error: Omit<ErrorReport, 'source'>) => void
  /** Wall-clock ms. */
  now: () => number
}

export interface Troubles {
  /** How a server is; undefined when all is well. */
  tell(server: string, trouble: string | undefined): void
  odd(type: string, what: string): void
}

const AGAIN_MS = 60_000

export const troubles = ({ servers, health, report, now }: TroublesOptions): Troubles => {
  const wrong = new Map(servers.map((name) => [name, 'it has not answered yet']))
  const saidAt = new Map<string, number>()
  const state = (): void => {
    const what = [...wrong].map(([name, trouble]) => `Home Assistant '${name}': ${trouble}`).join(' ')
    if (wrong.size === 0) health('healthy')
    else health('degraded', what)
  }
  state()
  return {
    tell(server, trouble) {
      if (trouble === undefined) wrong.delete(server)
      else wrong.set(server, trouble)
      state()
    },
    odd(type, what) {
      if (now() - (saidAt.get(type) ?? -Infinity) < AGAIN_MS) return
      saidAt.set(type, now())
      report({ type, message: what, severity: 'warning', category: 'external_api', details: {} })
    },
  }
}
