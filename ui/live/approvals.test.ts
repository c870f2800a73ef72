// Open approvals as their topics tell them.
import { expect, test } from 'vitest'
import { readApproval, type ApprovalItem } from '../api/read-approval.ts'
import { EMPTY, withApprovals, withMessage, type Workshop } from './state.ts'

const asked = {
  id: 'a1',
  commandId: 'c1',
  device: 'welder',
  intent: 'welder.start',
  payload: { amps: 90 },
  effect: "Tells 'MIG welder' to start.",
  hazard: 'high',
  requestedBy: 'person:ada',
  needed: 2,
  given: [] as { by: string; at: string }[],
  requestedAt: '2026-11-20T08:00:00Z',
  expiresAt: '2026-11-20T08:02:00Z',
  status: 'pending',
  digest: 'd1',
}
const yes = { ...asked, given: [{ by: 'person:grace', at: '2026-11-20T08:00:10Z' }] }
const hear = (workshop: Workshop, payload: unknown, at = 1000): Workshop =>
  withMessage(workshop, { topic: 'approvals/a1', payload, retained: false, at, n: at })
const item = (body: object): ApprovalItem => {
  const read = readApproval(body)
  if (!read) throw new Error('not readable')
  return read
}
const only = (workshop: Workshop) => workshop.approvals.get('a1')

test('an approval is asked, gets a yes, ends, and its cleared topic does not take away how it ended', () => {
  const open = hear(EMPTY, asked)
  expect(only(open)).toMatchObject({ status: 'pending', given: [] })
  const one = hear(open, yes)
  expect(only(one)?.given.map(({ by }) => by)).toEqual(['person:grace'])
  const ended = hear(one, { ...yes, status: 'approved' })
  expect(only(hear(ended, ''))).toMatchObject({ status: 'approved' })
  expect(only(hear(open, ''))).toBeUndefined()
})

test('a fetched list neither unsays a yes that was heard nor drops what came after it was asked for', () => {
  const one = hear(hear(EMPTY, asked), yes)
  expect(only(withApprovals(one, [item(asked)], 900))?.given).toHaveLength(1)
  expect(only(withApprovals(one, [], 900))).toBeDefined()
  expect(only(withApprovals(one, [], 2000))).toBeUndefined()
  const ended = hear(one, { ...yes, status: 'denied' })
  expect(only(withApprovals(ended, [item(yes)], 2000))?.status).toBe('denied')
})

test('what has no digest or an unknown status is no approval', () => {
  const { digest: _, ...without } = asked
  expect(readApproval(without)).toBeUndefined()
  expect(readApproval({ ...asked, status: 'maybe' })).toBeUndefined()
})
