// A badge says a state three times over: by shape, by word and by colour.
import type { ReactNode } from 'react'

export type Tone = 'good' | 'warn' | 'bad' | 'idle'
export type Shape = 'disc' | 'triangle' | 'square' | 'ring' | 'cross'

const SHAPE_OF: Record<Tone, Shape> = { good: 'disc', warn: 'triangle', bad: 'square', idle: 'ring' }

export const Glyph = ({ shape }: { shape: Shape }) => (
  <svg viewBox="0 0 12 12" width={10} height={10} aria-hidden="true" focusable="false">
    {shape === 'disc' && <circle cx="6" cy="6" r="5" fill="currentColor" />}
    {shape === 'triangle' && <path d="M6 .8 11.6 11H.4Z" fill="currentColor" />}
    {shape === 'square' && <rect x="1" y="1" width="10" height="10" rx="1" fill="currentColor" />}
    {shape === 'ring' && <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="2" />}
    {shape === 'cross' && <path d="M2 2l8 8M10 2l-8 8" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" />}
  </svg>
)

interface Props {
  tone: Tone
  shape?: Shape
  /** Without the coloured ground. */
  bare?: boolean
  children: ReactNode
}

export const Badge = ({ tone, shape = SHAPE_OF[tone], bare = false, children }: Props) => (
  <span className={`badge ${tone}${bare ? ' bare' : ''}`}>
    <Glyph shape={shape} />
    <span>{children}</span>
  </span>
)
