import { expect, test } from 'vitest'
import type { RequestView } from '../live/request.ts'
import { reached, reachWords } from './reach.ts'

const AT = 1_000_000
const stop = { id: 's1', devices: [{ device: 'press', intents: ['press.stop'] }] }
const request = (over: Partial<RequestView>): RequestView => ({
  id: 'r1',
  device: 'press',
  intent: 'press.stop',
  payload: {},
  requestedBy: 'person:ada',
  issuedAt: AT,
  expiresAt: 0,
  correlationId: 's1',
  status: 'dispatched',
  steps: [],
  ...over,
})

test('a device is done only when its result says so', () => {
  expect(reached(stop, [], AT)[0]?.state).toBe('sent')
  expect(reached(stop, [request({})], AT)[0]?.state).toBe('sent')
  expect(reached(stop, [request({ status: 'accepted' })], AT)[0]?.state).toBe('sent')
  expect(reached(stop, [request({ status: 'done' })], AT)[0]?.state).toBe('done')
})

test('no answer is a failure with its reason', () => {
  const [one] = reached(stop, [request({ status: 'timeout', reason: 'no ack in 5 s' })], AT)
  expect(one).toMatchObject({ state: 'failed', reason: 'no ack in 5 s' })
})

test('a device that could not be sent to is a failure', () => {
  const answer = { id: 's1', devices: [{ device: 'press', intents: ['press.stop'], error: 'no right' }] }
  expect(reached(answer, [], AT)[0]).toMatchObject({ state: 'failed', reason: 'no right' })
})

test("an older stop's result does not count", () => {
  expect(reached(stop, [request({ status: 'done', correlationId: 'old', issuedAt: AT - 60_000 })], AT)[0]?.state).toBe(
    'sent',
  )
})

test('every intent of a device must be done', () => {
  const two = { id: 's1', devices: [{ device: 'press', intents: ['press.stop', 'press.cool'] }] }
  expect(reached(two, [request({ status: 'done' })], AT)[0]?.state).toBe('sent')
  expect(
    reached(two, [request({ status: 'done' }), request({ intent: 'press.cool', status: 'done' })], AT)[0]?.state,
  ).toBe('done')
})

test('the sentence never says more than is known', () => {
  expect(reachWords([])).toContain('Nothing was sent')
  expect(reachWords(reached(stop, [], AT))).toBe('0 of 1 devices say it is done. 1 has not answered yet.')
})
