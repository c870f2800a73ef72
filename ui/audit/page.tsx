// The audit: who did what and when, row by row, whether the chain is whole, and the rows as a file.
import { useCallback, useEffect, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { sentence } from '../api/problem.ts'
import type { AuditCheck, AuditRow } from '../api/read-audit.ts'
import { Ago, Clock } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Choice, TextField } from '../design/field.tsx'
import { Icon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { numberText } from '../devices/value.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import { originWords } from '../messages/origin.ts'
import { Head } from './head.tsx'
import { TimeField } from './time-field.tsx'
import { ALL, eventTone, EVENTS, eventWords, linesOf, queryOf, type Filters } from './words.ts'

const PAGE = 50
const TYPING_MS = 400
/** What one file holds at most. */
const EXPORTED = 10_000
const EXPORT_PAGE = 1000

const Chain = () => {
  const { hub } = useJarvisContext()
  const [check, setCheck] = useState<{ result: AuditCheck; at: number } | undefined>(undefined)
  const [busy, setBusy] = useState(false)
  const [round, setRound] = useState(0)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const verify = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      setCheck({ result: await hub.verifyAudit(), at: Date.now() })
      setRound((n) => n + 1)
    } catch (error) {
      setProblem(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  const bad = check?.result.firstBad
  return (
    <section className="panel chain" aria-label="The chain">
      <div className="chain-words" aria-live="polite">
        {!check && <Badge tone="idle">Not checked yet</Badge>}
        {check?.result.ok === true && (
          <>
            <Badge tone="good">Whole</Badge>
            <span>
              {numberText(check.result.rows)} rows are as they were written, checked <Ago at={check.at} />.
            </span>
          </>
        )}
        {check && !check.result.ok && (
          <>
            <Badge tone="bad">Changed</Badge>
            <span>{bad ? `Row ${bad.n} is not as it was written: ${bad.why}` : 'The chain is not whole.'}</span>
          </>
        )}
        {problem !== undefined && <span className="reason">{problem}</span>}
      </div>
      <Button onPress={() => void verify()} isDisabled={busy}>
        {busy ? 'Checking…' : 'Check the chain'}
      </Button>
      <Head round={round} />
    </section>
  )
}

const Row = ({ row, offset }: { row: AuditRow; offset: number }) => {
  const { workshop } = useJarvisContext()
  const [isOpen, setOpen] = useState(false)
  const about = [row.intent, row.device === '' ? '' : (workshop.devices.get(row.device)?.name ?? row.device)]
  return (
    <li className="line audit-row" data-row={row.n}>
      <AriaButton className="line-head" aria-expanded={isOpen} onPress={() => setOpen(!isOpen)}>
        <span className="line-main">
          <span className="audit-event">
            <Badge tone={eventTone(row.event)} bare>
              {eventWords(row.event)}
            </Badge>
            <span>{about.filter((one) => one !== '').join(' · ')}</span>
          </span>
          <span className="small soft cut">
            {originWords(row.who)} · <Clock at={row.at - offset} />
          </span>
        </span>
        <span className="small soft mono">{row.n}</span>
        <Icon name="chevron" size={16} />
      </AriaButton>
      {isOpen && (
        <div className="line-body">
          <pre className="small audit-detail">{JSON.stringify(row.detail, null, 2)}</pre>
          <dl className="facts">
            {(
              [
                ['Subject', row.subject],
                ['Who', row.who],
                ['Device', row.device],
                ['Hash', row.hash],
              ] as const
            ).map(
              ([name, value]) =>
                value !== '' && (
                  <div key={name}>
                    <dt className="small soft">{name}</dt>
                    <dd className="small mono">{value}</dd>
                  </div>
                ),
            )}
          </dl>
        </div>
      )}
    </li>
  )
}

interface Read {
  filters: Filters
  rows: readonly AuditRow[]
  isLast: boolean
}

const useRows = (filters: Filters) => {
  const { hub } = useJarvisContext()
  const [read, setRead] = useState<Read | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const ask = useCallback(
    (before: number | undefined) => {
      let current = true
      hub.audit({ ...queryOf(filters), limit: PAGE, ...(before === undefined ? {} : { before }) }).then(
        (rows) => {
          if (!current) return
          setProblem(undefined)
          setRead((was) => ({
            filters,
            rows: before === undefined || was?.filters !== filters ? rows : [...was.rows, ...rows],
            isLast: rows.length < PAGE,
          }))
        },
        (error: unknown) => current && setProblem(sentence(error)),
      )
      return () => {
        current = false
      }
    },
    [hub, filters],
  )
  useEffect(() => ask(undefined), [ask])
  const last = read?.rows.at(-1)?.n
  return { read, problem, more: read?.isLast === false && last !== undefined ? () => void ask(last) : undefined }
}

const Fields = ({ filters, onChange }: { filters: Filters; onChange: (filters: Filters) => void }) => (
  <div className="audit-filters">
    <TextField
      label="Who"
      type="search"
      value={filters.who}
      onChange={(who) => onChange({ ...filters, who })}
      placeholder="ada, or flow:dust"
    />
    <TextField
      label="Device"
      type="search"
      value={filters.device}
      onChange={(device) => onChange({ ...filters, device })}
      placeholder="welder"
    />
    <Choice
      label="Event"
      value={filters.event}
      onChange={(event) => onChange({ ...filters, event })}
      options={EVENTS}
    />
    <TimeField label="From" value={filters.since} onChange={(since) => onChange({ ...filters, since })} />
    <TimeField label="To" value={filters.until} onChange={(until) => onChange({ ...filters, until })} />
  </div>
)

/** Reads what fits, page by page, and gives it to the person as a file. */
const Export = ({ filters }: { filters: Filters }) => {
  const { hub } = useJarvisContext()
  const [words, setWords] = useState<string | undefined>(undefined)
  const [busy, setBusy] = useState(false)
  const run = async (): Promise<void> => {
    setBusy(true)
    setWords('Reading…')
    try {
      const rows: AuditRow[] = []
      for (let before: number | undefined; rows.length < EXPORTED;) {
        const page = await hub.audit({
          ...queryOf(filters),
          limit: EXPORT_PAGE,
          ...(before === undefined ? {} : { before }),
        })
        rows.push(...page)
        before = page.at(-1)?.n
        if (page.length < EXPORT_PAGE || before === undefined) break
      }
      const url = URL.createObjectURL(new Blob([linesOf(rows)], { type: 'application/jsonl' }))
      const link = document.createElement('a')
      link.href = url
      link.download = `audit-${new Date().toISOString().slice(0, 10)}.jsonl`
      link.click()
      URL.revokeObjectURL(url)
      setWords(`${numberText(rows.length)} rows${rows.length >= EXPORTED ? ', the newest; there are more' : ''}.`)
    } catch (error) {
      setWords(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className="row">
      <Button look="quiet" onPress={() => void run()} isDisabled={busy}>
        Export
      </Button>
      {words !== undefined && (
        <span className="small soft" role="status">
          {words}
        </span>
      )}
    </div>
  )
}

const Audit = () => {
  const { hub } = useJarvisContext()
  const [typed, setTyped] = useState<Filters>(ALL)
  const [filters, setFilters] = useState<Filters>(ALL)
  useEffect(() => {
    const timer = setTimeout(() => setFilters(typed), TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed])
  const { read, problem, more } = useRows(filters)
  return (
    <div className="stack">
      <Chain />
      <Fields filters={typed} onChange={setTyped} />
      {problem !== undefined && <Note tone="warn">The audit cannot be read: {problem}</Note>}
      <section className="panel side-panel">
        <div className="side-head">
          <h2>Rows</h2>
          <Export filters={filters} />
        </div>
        {!read && problem === undefined && <div className="skeleton reserve" />}
        {read?.rows.length === 0 && (
          <Empty title="Nothing found">No row fits. Write less, or choose a longer time.</Empty>
        )}
        <ul className="lines">
          {read?.rows.map((row) => (
            <Row key={row.n} row={row} offset={hub.offset()} />
          ))}
        </ul>
        {more && (
          <div className="client-more">
            <Button onPress={more}>Older rows</Button>
          </div>
        )}
      </section>
    </div>
  )
}

export const AuditPage = () => {
  const { me } = useJarvisContext()
  return me.rights.includes('audit.read') ? (
    <Audit />
  ) : (
    <Note tone="warn">Your role may not read the audit. Ask somebody with the role safety, engineer or admin.</Note>
  )
}
