// A report as a table for a terminal.
import type { Change, Report, Row } from './report.ts'

const WIDEST = 100

/** The report as lines. Times are those of this machine; `all` lists what is the same, too. */
export const printed = (report: Report, { all = false }: { all?: boolean } = {}): string => {
  const { flow, against, rows, more, failure, failureThen, notes } = report
  const lines = [
    `${flow} (${report.version}) against ${against === 'recorded' ? 'what is recorded' : against}`,
    `${local(report.since, true)} to ${local(report.until, true)}: ${report.messages.toLocaleString('en')} messages in ${(report.tookMs / 1000).toFixed(1)} s, ${speedOf(report)}`,
    ...(report.exact ? [] : [`approximate: ${report.why ?? 'it could not be brought up to date exactly'}`]),
    ...notes.map((note) => `note: ${note}`),
    '',
  ]
  const listed = rows.filter(({ kind }) => all || kind !== 'same')
  const table = listed.map(
    (row) => [local(row.at), row.kind, row.topic, row.cause === 0 ? '' : `#${row.cause}`] as const,
  )
  const widths = [0, 1, 2, 3].map((i) => Math.max(4, ...table.map((cells) => cells[i]?.length ?? 0)))
  const shown = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  if (listed.length > 0) lines.push(shown(['time', 'what', 'topic', 'because of']))
  let told = false
  for (const [i, row] of listed.entries()) {
    if (row.beyond && !told) {
      lines.push('-- beyond the first difference: from here on the recorded world is not what would have happened --')
      told = true
    }
    lines.push(shown(table[i] ?? []), ...detailsOf(row).map((line) => `    ${line}`))
  }
  if (more.different > 0) lines.push(`and ${more.different} more that differ`)
  if (listed.length > 0) lines.push('')
  if (failure !== undefined)
    lines.push(`now it fails at ${local(failure.at, true)}: ${failure.message}${placed(failure.place)}`)
  if (failureThen !== undefined)
    lines.push(`then it failed at ${local(failureThen.at, true)}: ${failureThen.message}${placed(failureThen.place)}`)
  lines.push(summaryOf(report))
  return lines.join('\n')
}

const placed = (place: string | undefined): string => (place === undefined ? '' : ` (${place})`)

const summaryOf = (report: Report): string => {
  const { isSame, same, thenCount, nowCount, changed, onlyThen, onlyNow, unanswered } = report
  if (isSame) return `no difference: ${same} ${same === 1 ? 'decision' : 'decisions'} then and now`
  const parts = [
    `${thenCount} then, ${nowCount} now`,
    `${same} the same`,
    ...(changed > 0 ? [`${changed} changed`] : []),
    ...(onlyThen > 0 ? [`${onlyThen} only then`] : []),
    ...(onlyNow > 0 ? [`${onlyNow} only now`] : []),
    ...(unanswered > 0 ? [`${unanswered} unanswered then`] : []),
  ]
  return `different: ${parts.join(', ')}`
}

const speedOf = ({ since, until, tookMs }: Report): string => {
  const times = (Date.parse(until) - Date.parse(since)) / Math.max(1, tookMs)
  return `${times < 10 ? times.toFixed(1) : Math.round(times).toLocaleString('en')} × real time`
}

const detailsOf = ({ kind, then, now, changes = [] }: Row): string[] => {
  if (kind === 'changed') return changes.map(changed)
  if (kind === 'only then') return [`then ${json(then)}`]
  return kind === 'same' ? [json(now)] : [`now  ${json(now)}`]
}

const changed = (change: Change): string => {
  if (change.field === '(order)') return 'in another order'
  const said = (side: 'then' | 'now') => (side in change ? json(change[side]) : 'absent')
  return `${change.field}: ${said('then')} -> ${said('now')}`
}

const json = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text
}

/** The time of day, with the date when it is asked for, in the zone of this machine. */
const local = (iso: string, date = false): string => {
  const at = new Date(iso)
  const two = (n: number) => String(n).padStart(2, '0')
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return date ? `${day} ${time.slice(0, 8)}` : `${day.slice(5)} ${time}`
}
