// Node's inspector of a process that runs: its heap in use, right after a full collection.

interface Reply {
  id?: number
  result?: { usedSize?: number; backingStorageSize?: number }
  error?: { message: string }
}

const ANSWER_MS = 30_000

/** Where a process started with `--inspect=127.0.0.1:0` listens, from what it has printed. */
export const inspectorIn = (said: string): string | undefined => /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(said)?.[0]

/** MiB of objects and of the memory behind their buffers. Rejects when nothing answers within 30 s. */
export const heapOf = async (url: string): Promise<number> => {
  const socket = new WebSocket(url)
  const waiting = new Map<number, (reply: Reply) => void>()
  let last = 0
  let late: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, failed) => {
    late = setTimeout(() => failed(new Error(`no answer from ${url}`)), ANSWER_MS)
    socket.addEventListener('error', () => failed(new Error(`no inspector at ${url}`)))
  })
  const call = (method: string): Promise<Reply> =>
    new Promise((done) => {
      waiting.set(++last, done)
      socket.send(JSON.stringify({ id: last, method }))
    })
  socket.addEventListener('message', ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply)
  })
  const measure = async (): Promise<number> => {
    await new Promise<void>((done) => socket.addEventListener('open', () => done()))
    await call('HeapProfiler.collectGarbage')
    await call('HeapProfiler.collectGarbage')
    const { result } = await call('Runtime.getHeapUsage')
    if (result?.usedSize === undefined) throw new Error(`${url} does not tell its heap`)
    return (result.usedSize + (result.backingStorageSize ?? 0)) / 2 ** 20
  }
  try {
    return await Promise.race([measure(), silence])
  } finally {
    clearTimeout(late)
    socket.close()
  }
}
