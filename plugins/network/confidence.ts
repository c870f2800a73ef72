// How sure it is that a found thing is what it says, with the reasons. Never certain: on a network nobody proves who he is.
import type { Finding, Source } from './finding.ts'
import { isVague, titleOf } from './kinds.ts'

export interface Reason {
  text: string
  /** What it adds or takes. */
  weight: number
}

export const MOST_CONFIDENCE = 0.95
const LEAST = 0.05
const DAY_MS = 86_400_000
const WAYS: Readonly<Record<Source, string>> = { mdns: 'mDNS', ssdp: 'SSDP', udp: "its maker's port" }

interface About {
  /** What is said of it now, the leading voice first. */
  voices: readonly Finding[]
  /** ms between its first and its last word. */
  knownForMs: number
  /** Others that say they are something else at the same address and port. */
  rivals: readonly { name: string; kind: string }[]
}

/** Confidence from 0 to 1 in hundredths, and why. */
export const confidenceIn = ({ voices, knownForMs, rivals }: About): { confidence: number; reasons: Reason[] } => {
  const [lead] = voices
  if (lead === undefined) return { confidence: LEAST, reasons: [{ text: 'It said nothing lately.', weight: 0 }] }
  const reasons: Reason[] = []
  const say = (weight: number, text: string): void => void reasons.push({ text, weight })
  if (isVague(lead.kind)) say(0.2, `It only says ${lead.what}, as many things do.`)
  else say(0.45, `It says ${lead.what}, which only ${titleOf(lead.kind)} does.`)
  if (lead.addresses.length === 0) say(-0.15, 'It gave no address.')
  else if (lead.addresses.includes(lead.from)) say(0.2, 'It spoke from the address it gives.')
  else say(-0.2, `It gives ${lead.addresses[0] ?? ''}, but ${lead.from} said so.`)
  if (Object.keys(lead.facts).length > 0) say(0.1, 'What it tells of itself fits: version, model or the like.')
  const ways = [...new Set(voices.map(({ source }) => WAYS[source]))]
  if (ways.length > 1) say(0.15, `Seen in more than one way: ${ways.join(' and ')}.`)
  if (knownForMs >= DAY_MS) say(0.05, 'Known for more than a day.')
  const [rival] = rivals
  if (rival !== undefined) say(-0.2, `'${rival.name}' says it is ${titleOf(rival.kind)} at the same address and port.`)
  const sum = reasons.reduce((all, { weight }) => all + weight, 0)
  return { confidence: Math.round(Math.min(MOST_CONFIDENCE, Math.max(LEAST, sum)) * 100) / 100, reasons }
}
