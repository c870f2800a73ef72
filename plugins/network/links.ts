// Sockets that are open as long as a network is there: opened, opened again after trouble with growing pauses, closed.
export interface Link {
  close(): Promise<void>
}

export interface Kept<L extends Link> {
  /** The link while it is open. */
  current(): L | undefined
  close(): Promise<void>
}

interface Parts<L extends Link> {
  open: (parts: { opened: () => void; failed: (error: Error) => void }) => L
  /** undefined when it works again. */
  trouble: (why: Error | undefined) => void
  firstMs?: number
}

const FIRST_MS = 1000
const MOST_MS = 60_000

/** Keeps a link open. After an error it is closed and opened anew after 1, 2, 4 … 60 seconds. */
export const keepLink = <L extends Link>({ open, trouble, firstMs = FIRST_MS }: Parts<L>): Kept<L> => {
  let link: L | undefined
  let isOpen = false
  let isClosed = false
  let pause = firstMs
  let timer: NodeJS.Timeout | undefined
  const again = (): void => {
    const mine = open({
      opened: () => {
        if (link !== mine || isClosed) return
        isOpen = true
        pause = firstMs
        trouble(undefined)
      },
      failed: (error) => {
        if (link !== mine || isClosed) return
        isOpen = false
        link = undefined
        void mine.close()
        trouble(error)
        timer = setTimeout(again, pause)
        pause = Math.min(MOST_MS, pause * 2)
      },
    })
    link = mine
  }
  again()
  return {
    current: () => (isOpen ? link : undefined),
    async close() {
      isClosed = true
      isOpen = false
      clearTimeout(timer)
      await link?.close()
    },
  }
}
