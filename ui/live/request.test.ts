import { expect, test } from 'vitest'
import { heard, merge, timeline, took, type RequestView } from './request.ts'

const body = {
  id: 'r1',
  intent: 'light.turn_on',
  requestedBy: 'person:ada',
  issuedAt: '2026-11-20T08:00:00.000Z',
  expiresAt: '2026-11-20T08:00:30.000Z',
}
const T = Date.parse(body.issuedAt)

const told = (...steps: readonly [string, unknown, number][]): RequestView | undefined =>
  steps.reduce<RequestView | undefined>(
    (view, [leaf, payload, at]) => heard(view, leaf, 'lamp', payload, at),
    undefined,
  )

const REQUEST = ['request', body, T + 1] as const
const CMD = ['cmd', body, T + 2] as const
const ACK = ['ack', { id: 'r1', status: 'accepted' }, T + 50] as const
const DONE = ['result', { id: 'r1', status: 'done', intent: 'light.turn_on' }, T + 300] as const
const states = (view: RequestView | undefined) =>
  view ? timeline(view).map(({ word, state }) => `${word} ${state}`) : []

test('a request goes its way from asking to done', () => {
  const view = told([...REQUEST], [...CMD], [...ACK], [...DONE])
  expect(states(view)).toEqual(['Asked done', 'Sent done', 'Accepted done', 'Done done'])
  expect(view && took(view)).toBe(299)
})

test('the order in which the messages are heard does not matter', () => {
  const view = told([...DONE], [...CMD], [...REQUEST], [...ACK])
  expect(states(view)).toEqual(['Asked done', 'Sent done', 'Accepted done', 'Done done'])
  expect(view?.requestedBy).toBe('person:ada')
})

test('a refusal keeps its reason and marks what was not reached', () => {
  const view = told([...REQUEST], ['result', { id: 'r1', status: 'refused', reason: 'the extractor is off' }, T + 3])
  expect(view?.reason).toBe('the extractor is off')
  expect(states(view)).toEqual(['Asked done', 'Sent skipped', 'Accepted skipped', 'Refused bad'])
})

test('a device that says done is not believed before the result', () => {
  const view = told([...REQUEST], [...CMD], ['ack', { id: 'r1', status: 'done' }, T + 40])
  expect(view?.status).toBe('dispatched')
})

test('an open command shows where it waits', () => {
  expect(states(told([...REQUEST], [...CMD]))).toEqual(['Asked done', 'Sent done', 'Accepted now', 'Open skipped'])
})

test('the first outcome stands when an id comes again', () => {
  const view = told([...REQUEST], [...CMD], [...DONE], ['result', { id: 'r1', status: 'duplicate' }, T + 900])
  expect(view?.status).toBe('done')
})

test('a request without an id is left to its command', () => {
  expect(heard(undefined, 'request', 'lamp', { intent: 'light.turn_on' }, T)).toBeUndefined()
})

test('an ack of an unknown command changes nothing', () => {
  expect(heard(undefined, 'ack', 'lamp', { id: 'x', status: 'accepted' }, T)).toBeUndefined()
})

test('what was heard live is kept when the list read meanwhile is behind it', () => {
  const live = told([...REQUEST], [...CMD], [...ACK], [...DONE])
  const fetched = told([...REQUEST], [...CMD])
  expect(fetched && merge(fetched, live).status).toBe('done')
  expect(live && merge(live, fetched).status).toBe('done')
})
