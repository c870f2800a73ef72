// How a decision of then compares with now: by shape, word and colour.
import type { RowKind } from '../api/types.ts'
import { Badge, type Shape, type Tone } from '../design/badge.tsx'

export const KIND: Record<RowKind, { word: string; tone: Tone; shape: Shape; means: string }> = {
  same: { word: 'Same', tone: 'idle', shape: 'ring', means: 'decided then and now alike' },
  changed: { word: 'Changed', tone: 'warn', shape: 'triangle', means: 'the same decision with another content' },
  'only then': { word: 'Only then', tone: 'bad', shape: 'cross', means: 'it would not be decided now' },
  'only now': { word: 'Only now', tone: 'good', shape: 'disc', means: 'it was not decided then' },
  'unanswered then': {
    word: 'Unanswered then',
    tone: 'idle',
    shape: 'square',
    means: 'it would ask now what nobody asked then, so there is no answer to go on with',
  },
}

export const KindBadge = ({ kind, bare = false }: { kind: RowKind; bare?: boolean }) => {
  const { word, tone, shape } = KIND[kind]
  return (
    <Badge tone={tone} shape={shape} bare={bare}>
      {word}
    </Badge>
  )
}
