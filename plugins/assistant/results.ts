// Waits a moment for the result of a command, so that an answer can say how it went.

export interface Ended {
  status: string
  reason?: string | undefined
}

/** Waiting commands at most; beyond it answers do not wait. */
const MOST = 1000

export const openResults = (waitMs: number) => {
  const waiting = new Map<string, (ended: Ended | undefined) => void>()
  return {
    /** Resolves with the result of a command, or with undefined after `waitMs`. Call it before the command is asked for. */
    wait: (commandId: string): Promise<Ended | undefined> =>
      new Promise((resolve) => {
        if (waitMs === 0 || waiting.size >= MOST) return resolve(undefined)
        const end = (ended: Ended | undefined): void => {
          clearTimeout(late)
          waiting.delete(commandId)
          resolve(ended)
        }
        const late = setTimeout(() => end(undefined), waitMs)
        waiting.set(commandId, end)
      }),
    heard: ({ id, status, reason }: { id: string; status: string; reason?: string | undefined }): void =>
      waiting.get(id)?.(reason === undefined ? { status } : { status, reason }),
    close: (): void => {
      for (const end of [...waiting.values()]) end(undefined)
    },
  }
}
