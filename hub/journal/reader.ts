// The reader thread: surveys and scans segments, so that a long read never holds up the hub. It never writes.
import { parentPort } from 'node:worker_threads'
import { reasonOf } from '../errors.ts'
import type { Query } from './entry.ts'
import { scan, type Stretch } from './scan.ts'
import { survey } from './survey.ts'

export type Question =
  { id: number; do: 'survey'; path: string } | { id: number; do: 'scan'; stretches: Stretch[]; query: Query }

export type Answer = { id: number; ok: true; value: unknown } | { id: number; ok: false; reason: string }

parentPort?.on('message', (question: Question) => {
  try {
    if (question.do === 'survey') return reply({ id: question.id, ok: true, value: survey(question.path, false) })
    const found = scan(question.stretches, question.query)
    const bytes = new Uint8Array(found.bytes)
    return reply({ id: question.id, ok: true, value: { ...found, bytes } }, [bytes.buffer])
  } catch (error) {
    return reply({ id: question.id, ok: false, reason: reasonOf(error) })
  }
})

const reply = (answer: Answer, transfer: ArrayBuffer[] = []): void => parentPort?.postMessage(answer, transfer)
