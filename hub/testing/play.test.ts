// play(): virtual time for tests of flows.
import { debounceTime, filter, interval, map, mergeMap, pipe, throttleTime, timestamp } from 'rxjs'
import { expect, test } from 'vitest'
import { flow } from '../streams/flow.ts'
import { message } from '../streams/message.ts'
import { countWithin, minutes, seconds } from '../streams/operators.ts'
import { per } from '../streams/per.ts'
import { play } from './play.ts'

/** Three hot readings within ten seconds ask for a stop, at most once in five minutes and device. */
const hot = flow((from) =>
  from('devices/{device}/telemetry').pipe(
    filter(({ payload }) => Number(payload['celsius']) > 80),
    per('device', pipe(countWithin(3, seconds(10)), throttleTime(minutes(5)))),
    map(([{ params }]) => message('devices/{device}/request', params, { intent: 'heater.turn_off' })),
  ),
)
const reading = (celsius: number, device = 'iron') => message('devices/{device}/telemetry', { device }, { celsius })
const off = (device = 'iron') => message('devices/{device}/request', { device }, { intent: 'heater.turn_off' })
const burst = [reading(90), reading(90), reading(90)]

test('three within ten seconds ask', () => {
  expect(play(hot, { '0s': reading(90), '1s': reading(90), '2s': reading(90) })).toEqual({ '2s': off() })
})

test('the quiet case: nothing that matters, nothing said', () => {
  expect(play(hot, {})).toEqual({})
  expect(play(hot, { '0s': reading(20), '1s': reading(79), '2s': reading(80) })).toEqual({})
})

test('the limit: two, or three spread too far, are not enough', () => {
  expect(play(hot, { '0s': reading(90), '6s': reading(90), '10s': reading(90) })).toEqual({})
  expect(play(hot, { '0s': reading(90), '6s': reading(90), '9.9s': reading(90) })).toEqual({ '9.9s': off() })
})

test('a second request waits five minutes', () => {
  expect(play(hot, { '0s': burst, '299s': burst, '301s': burst })).toEqual({ '0s': off(), '301s': off() })
})

test('two keys do not add up, and do not silence each other', () => {
  expect(play(hot, { '0s': reading(90), '1s': reading(90, 'press'), '2s': reading(90) })).toEqual({})
  expect(play(hot, { '0s': [...burst, reading(95, 'press'), reading(95, 'press'), reading(95, 'press')] })).toEqual({
    '0s': [off('iron'), off('press')],
  })
})

test('the restart: a second play knows nothing of the first', () => {
  expect(play(hot, { '0s': [reading(90), reading(90)] })).toEqual({})
  expect(play(hot, { '0s': reading(90) })).toEqual({})
})

test('the order of the timeline is that of time, not of writing; units may be mixed', () => {
  expect(play(hot, { '2s': reading(90), '500ms': reading(90), '0.02m': reading(90) })).toEqual({ '2s': off() })
})

test('waits run out by themselves, until nothing waits', () => {
  const quiet = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      debounceTime(minutes(30)),
      map(() => off()),
    ),
  )
  expect(play(quiet, { '0s': reading(1), '10m': reading(1) })).toEqual({ '2400s': off() })
  expect(play(quiet, { '0s': reading(1) }, { until: '29m' })).toEqual({})
})

test('what goes on for ever is played until `until`, or for an hour', () => {
  const ticking = flow(() => interval(minutes(20)).pipe(map(() => off())))
  expect(play(ticking, {})).toEqual({ '1200s': off(), '2400s': off(), '3600s': off() })
  expect(play(ticking, {}, { until: '20m' })).toEqual({ '1200s': off() })
})

test('latest begins with what was retained', () => {
  const doors = flow((from) =>
    from
      .latest('devices/{device}/state')
      .pipe(
        map(({ params, payload }) =>
          message('devices/{device}/event', params, { type: 'seen', open: payload['open'] }),
        ),
      ),
  )
  const state = (open: boolean) => message('devices/{device}/state', { device: 'door' }, { open })
  const seen = (open: boolean) => message('devices/{device}/event', { device: 'door' }, { type: 'seen', open })
  expect(play(doors, { '5s': state(false) }, { retained: [state(true)] })).toEqual({
    '0s': seen(true),
    '5s': seen(false),
  })
})

test('the clock on the wall is where it is put', () => {
  const clock = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      timestamp(),
      map(({ timestamp: at, value }) =>
        message('devices/{device}/event', value.params, { type: 'at', at: new Date(at).toISOString() }),
      ),
    ),
  )
  const at = (iso: string) => message('devices/{device}/event', { device: 'iron' }, { type: 'at', at: iso })
  expect(play(clock, { '90m': reading(1) }, { start: '2026-06-01T22:00:00Z' })).toEqual({
    '5400s': at('2026-06-01T23:30:00.000Z'),
  })
})

test('a flow that throws makes the play throw, and time is given back', () => {
  const bad = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      map(() => {
        throw new Error('my mistake')
      }),
    ),
  )
  const before = Date.now
  expect(() => play(bad, { '0s': reading(1) })).toThrow('my mistake')
  expect(() =>
    play(
      flow(() => {
        throw new Error('at once')
      }),
      {},
    ),
  ).toThrow('at once')
  expect(Date.now).toBe(before)
  expect(Date.now()).toBeGreaterThan(Date.parse('2026-01-02T00:00:00Z') - 1e12)
  expect(Math.random()).toBeLessThan(1)
})

test('promises, chance and messages that do not fit make the play throw', () => {
  const with_ = (work: () => unknown) =>
    flow((from) => from('devices/{device}/telemetry').pipe(mergeMap(() => work() as never)))
  expect(() =>
    play(
      with_(() => Promise.resolve(off())),
      { '0s': reading(1) },
    ),
  ).toThrow('promises')
  expect(() =>
    play(
      with_(() => [Math.random()]),
      { '0s': reading(1) },
    ),
  ).toThrow('Math.random is not for flows')
  expect(() =>
    play(hot, { '0s': message('devices/{device}/ack', { device: 'x' }, { id: '', status: 'done' }) }),
  ).not.toThrow()
  const acks = flow((from) => from('devices/{device}/ack').pipe(map(() => off())))
  expect(() =>
    play(acks, { '0s': message('devices/{device}/ack', { device: 'x' }, { id: '', status: 'done' }) }),
  ).toThrow(/does not fit: id: /)
  expect(() => play(hot, { '5 min': reading(1) } as never)).toThrow("'5 min' is no time")
})
