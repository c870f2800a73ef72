// Lines of a process's output, cut to a length and a rate that a log can bear.

const LINES_PER_SECOND = 20
const LONGEST = 500

/** Calls `each` for at most twenty lines a second; the rest is dropped. */
export const eachLine = (stream: NodeJS.ReadableStream | null, each: (line: string) => void): void => {
  let rest = ''
  let second = 0
  let lines = 0
  stream?.on('error', () => {})
  stream?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString('utf8')).split('\n')
    rest = (parts.pop() ?? '').slice(-4096)
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) lines = 0
    second = now
    for (const line of parts) if (line !== '' && ++lines <= LINES_PER_SECOND) each(line.slice(0, LONGEST))
  })
}
