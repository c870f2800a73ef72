// Where the chain of the audit ends, and the newest signed head that was kept outside the database.
import { useEffect, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { AuditHead } from '../api/read-audit.ts'
import { Ago } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Note } from '../design/parts.tsx'
import { numberText } from '../devices/value.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

const SHORT = 16

const Newest = ({ head, offset }: { head: AuditHead; offset: number }) => {
  const { anchored } = head
  if (!anchored) return <Badge tone="idle">No signed heads are kept</Badge>
  const { newest, everyMinutes, wrong } = anchored
  if (wrong !== undefined)
    return (
      <>
        <Badge tone="bad">Signed head does not count</Badge>
        <span className="reason">{wrong}</span>
      </>
    )
  if (!newest)
    return (
      <>
        <Badge tone="idle">No signed head yet</Badge>
        <span>The first is written within a minute of a start, then every {everyMinutes} minutes.</span>
      </>
    )
  const after = head.n - newest.n
  return (
    <>
      <Badge tone="good">Signed</Badge>
      <span>
        Up to row {numberText(newest.n)}, <Ago at={newest.at - offset} />
        {after > 0 && `; ${numberText(after)} ${after === 1 ? 'row has' : 'rows have'} come since`}.
      </span>
    </>
  )
}

/** Read again when `round` changes. */
export const Head = ({ round }: { round: number }) => {
  const { hub } = useJarvisContext()
  const [head, setHead] = useState<AuditHead | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => {
    let current = true
    hub.auditHead().then(
      (answer) => {
        if (!current) return
        setHead(answer)
        setProblem(undefined)
      },
      (error: unknown) => current && setProblem(sentence(error)),
    )
    return () => {
      current = false
    }
  }, [hub, round])
  if (problem !== undefined) return <Note tone="warn">The signed head cannot be read: {problem}</Note>
  if (!head) return <div className="skeleton chain-reserve" />
  const { anchored } = head
  return (
    <>
      <div className="chain-words">
        <Newest head={head} offset={hub.offset()} />
      </div>
      <details className="evidence chain-more">
        <summary>Where it is kept</summary>
        <dl className="facts">
          {(
            [
              ['Last row', `${numberText(head.n)}, ${head.hash.slice(0, SHORT)}…`],
              ['File of the heads', anchored?.file],
              ['Written', anchored && `every ${anchored.everyMinutes} minutes, and when the hub stops`],
              [
                'Signed head',
                anchored?.newest && `row ${numberText(anchored.newest.n)}, ${anchored.newest.hash.slice(0, SHORT)}…`,
              ],
              ['Key', anchored?.newest?.key ?? anchored?.key],
            ] as const
          ).map(
            ([name, value]) =>
              value !== undefined && (
                <div key={name}>
                  <dt className="small soft">{name}</dt>
                  <dd className="small mono">{value}</dd>
                </div>
              ),
          )}
        </dl>
        <p className="small soft">
          Somebody who can write the database could compute a new chain, but not sign it. To check against the file:{' '}
          <code>npm run audit -- verify</code>
        </p>
      </details>
    </>
  )
}
