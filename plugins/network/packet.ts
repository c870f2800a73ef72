// A DNS message as far as it is believed: answers of five types, each checked, everything else passed over.
import { z } from 'zod'

const Name = z.string().min(1).max(255)
const common = { name: Name, class: z.literal('IN'), ttl: z.number().int().min(0), flush: z.boolean().default(false) }
const Text = z
  .union([z.instanceof(Uint8Array), z.string()])
  .transform((one) => (typeof one === 'string' ? one : Buffer.from(one).toString('utf8')))

/** An answer (RFC 1035, RFC 2782, RFC 3596); ttl in seconds, `flush` is RFC 6762 10.2. */
const Answer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('PTR'), ...common, data: Name }),
  z.object({
    type: z.literal('SRV'),
    ...common,
    data: z.object({ target: Name, port: z.number().int().min(1).max(65_535) }),
  }),
  z.object({
    type: z.literal('TXT'),
    ...common,
    data: z.union([z.array(Text).max(64), Text.transform((one) => [one])]),
  }),
  z.object({ type: z.literal('A'), ...common, data: z.ipv4() }),
  z.object({ type: z.literal('AAAA'), ...common, data: z.ipv6() }),
])
export type Answer = z.output<typeof Answer>

const Response = z.object({
  type: z.literal('response'),
  // RFC 6762 18.3 and 18.11: anything but 0 is ignored in silence.
  opcode: z.literal('QUERY').default('QUERY'),
  rcode: z.literal('NOERROR').default('NOERROR'),
  answers: z.array(z.unknown()).default([]),
  additionals: z.array(z.unknown()).default([]),
})

/** Records of one message that are looked at. */
const MOST = 512
/** RFC 2181 8: a time to live with the top bit set counts as none. */
const MOST_TTL = 2 ** 31

/** The answers of a response; undefined when it is not one. */
export const readPacket = (packet: unknown): Answer[] | undefined => {
  const read = Response.safeParse(packet)
  if (!read.success) return undefined
  return [...read.data.answers, ...read.data.additionals].slice(0, MOST).flatMap((one) => {
    const answer = Answer.safeParse(one)
    if (!answer.success) return []
    return [answer.data.ttl < MOST_TTL ? answer.data : { ...answer.data, ttl: 0 }]
  })
}

export interface Question {
  name: string
  type: 'PTR' | 'SRV' | 'TXT' | 'A' | 'AAAA'
  class: 'IN'
}

/** An answer that is known already, said in a question. */
export interface KnownAnswer {
  type: 'PTR'
  class: 'IN'
  name: string
  ttl: number
  data: string
}

/** RFC 6762 7.2 by way of RFC 1035 4.1.1: more known answers follow. */
export const TRUNCATED = 1 << 9
/** What fits into one frame of Ethernet with room for headers. */
const FRAME = 1200
const COST = { question: 6, answer: 16, header: 12 }

/** Whether a name can be said as it was heard: labels of 1 to 63 bytes, 255 in all, nothing that was no UTF-8 (RFC 1035 2.3.4). */
export const isSayable = (name: string): boolean =>
  Buffer.byteLength(name) <= 253 &&
  !name.includes('\ufffd') &&
  name.split('.').every((label) => label !== '' && Buffer.byteLength(label) <= 63)

export interface Query {
  questions: Question[]
  answers: KnownAnswer[]
  flags: number
}

/** Questions with what is known already, in as many messages as it takes; all but the last say that more follows. */
export const queriesOf = (questions: readonly Question[], known: readonly KnownAnswer[]): Query[] => {
  const queries: Query[] = []
  let current: Query = { questions: [], answers: [], flags: 0 }
  let size = COST.header
  const room = (bytes: number, flags: number): void => {
    if (size + bytes <= FRAME) {
      size += bytes
      return
    }
    queries.push({ ...current, flags })
    current = { questions: [], answers: [], flags: 0 }
    size = COST.header + bytes
  }
  for (const one of questions) {
    room(one.name.length + COST.question, 0)
    current.questions.push(one)
  }
  for (const one of known) {
    room(one.name.length + one.data.length + COST.answer, TRUNCATED)
    current.answers.push(one)
  }
  if (current.questions.length + current.answers.length > 0) queries.push(current)
  return queries
}
