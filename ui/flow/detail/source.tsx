// The source of a flow, to read: line numbers, and the line where it failed.
import { useEffect, useRef } from 'react'

/** The line of `file.ts:14` or `file.ts:14:3`; undefined when the place has none. */
export const lineOf = (place: string | undefined): number | undefined => {
  const line = /:(\d+)(?::\d+)?$/.exec(place ?? '')?.[1]
  return line === undefined ? undefined : Number(line)
}

interface Props {
  source: string
  /** The name of the file, for those who only hear the page. */
  name: string
  failing: number | undefined
}

export const Source = ({ source, name, failing }: Props) => {
  const marked = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    const line = marked.current
    const place = line?.closest('.source')
    if (!line || !place) return
    place.scrollTop = Math.max(0, line.offsetTop - place.clientHeight / 3)
  }, [failing, source])
  const lines = source.replace(/\n$/, '').split('\n')
  return (
    <pre className="source" tabIndex={0} role="region" aria-label={`Source of ${name}`}>
      {lines.map((text, n) => (
        <span
          key={n}
          className={`source-line${n + 1 === failing ? ' failing' : ''}`}
          data-line={n + 1}
          ref={n + 1 === failing ? marked : undefined}
        >
          {n + 1 === failing && <span className="unseen">It failed in this line: </span>}
          {text}
          {'\n'}
        </span>
      ))}
    </pre>
  )
}
