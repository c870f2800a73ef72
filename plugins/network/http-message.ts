// HTTP over UDP as SSDP speaks it (UPnP Device Architecture 2.0, 1.2 and 1.3): a start line and headers, read strictly.
export interface HttpMessage {
  start: 'notify' | 'answer'
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>
}

const START = { 'NOTIFY * HTTP/1.1': 'notify', 'HTTP/1.1 200 OK': 'answer' } as const
const isStart = (text: string): text is keyof typeof START => Object.hasOwn(START, text)

const HEADERS = 48
const LINE = 1024
const HEADER = /^([!#$%&'*+.^_`|~\w-]{1,64}):[ \t]*(.*?)[ \t]*$/

/**
 * Reads a message; undefined when it is not one: another start line (a search of somebody else's is one), a name twice,
 * a line without a colon or too long, signs that do not belong in a header, something after the empty line.
 */
export const readHttpMessage = (bytes: Buffer): HttpMessage | undefined => {
  const text = bytes.toString('latin1')
  // Some devices end with one line break instead of two; none may send a body.
  const [head = '', ...rest] = text.split(/\r?\n\r?\n/)
  if (rest.some((one) => one !== '')) return undefined
  const [start = '', ...lines] = head.replace(/\r?\n$/, '').split(/\r?\n/)
  if (!isStart(start) || lines.length > HEADERS) return undefined
  const headers = new Map<string, string>()
  for (const one of lines) {
    const [, name, value] = (one.length > LINE ? null : HEADER.exec(one)) ?? []
    if (name === undefined || value === undefined || /[^\t\x20-\x7e\x80-\xff]/.test(value)) return undefined
    if (headers.has(name.toLowerCase())) return undefined
    headers.set(name.toLowerCase(), Buffer.from(value, 'latin1').toString('utf8'))
  }
  return { start: START[start], headers }
}

/** `Cache-Control: max-age = 1800` in ms, between a minute and a day; half an hour when it does not say. */
export const lifeOf = ({ headers }: HttpMessage): number => {
  const seconds = Number(/max-age\s*=\s*"?(\d{1,9})/i.exec(headers.get('cache-control') ?? '')?.[1] ?? 1800)
  return Math.min(86_400, Math.max(60, seconds)) * 1000
}

export interface Search {
  group: string
  port: number
  target: string
  /** Seconds within which the answers come, spread by chance. */
  seconds: number
}

/** A question to everybody (UDA 2.0, 1.3.2). */
export const searchMessage = ({ group, port, target, seconds }: Search): Buffer =>
  Buffer.from(
    [
      'M-SEARCH * HTTP/1.1',
      `HOST: ${group}:${port}`,
      'MAN: "ssdp:discover"',
      `MX: ${seconds}`,
      `ST: ${target}`,
      '',
      '',
    ].join('\r\n'),
    'latin1',
  )
