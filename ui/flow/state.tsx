// How a flow is: its status and remarks as badges, its failure with the place in its file.
import type { FlowItem } from '../api/types.ts'
import { Badge } from '../design/badge.tsx'
import { words } from '../devices/value.ts'
import { flowTone, remarks } from './tone.ts'

/** The badge of its status; remarks have their own, so they do not colour a running flow here. */
export const StatusBadge = ({ flow }: { flow: FlowItem }) => {
  const { newer: _newer, approximate: _approximate, ...bare } = flow
  return <Badge tone={flowTone({ ...bare, slow: false })}>{words(flow.status)}</Badge>
}

export const Remarks = ({ flow }: { flow: FlowItem }) =>
  remarks(flow).map(({ word, tone }) => (
    <Badge key={word} tone={tone}>
      {word}
    </Badge>
  ))

/** The message of a failure, with its place unless the message names it already. */
export const errorWords = ({ message, place }: { message: string; place?: string }): string =>
  place === undefined || message.includes(place) ? message : `${message} (${place})`
