// A flow for each operator that has to do with time or memory: what the properties are tested on.
import {
  auditTime,
  bufferTime,
  count,
  debounceTime,
  delay,
  filter,
  interval,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  pipe,
  repeat,
  retry,
  sampleTime,
  scan,
  switchMap,
  take,
  throttleTime,
  timeout,
  timer,
  timestamp,
  windowTime,
} from 'rxjs'
import {
  ask,
  countWithin,
  type Flow,
  flow,
  type From,
  type Heard,
  hysteresis,
  joinWithin,
  keep,
  latestOf,
  message,
  onEdge,
  per,
  quietFor,
  schedule,
  z,
} from '../../streams/hub.ts'

/** The window of all of them, ms: the gaps between messages are chosen around it. */
export const W = 10

type Sample = Heard<'devices/{device}/telemetry'>
const samples = (from: From): Observable<Sample> => from('devices/{device}/telemetry')
const numberOf = ({ payload }: Sample): number => Number(payload['v'])
const say = (v: unknown) => message('devices/{device}/event', { device: 'zoo' }, { type: 'said', v })

/** A flow that does one thing to the numbers it hears. */
const does = (work: (values: Observable<number>) => Observable<unknown>): Flow =>
  flow((from) => work(samples(from).pipe(map(numberOf))).pipe(map(say)))

/** A flow that does it to the samples of all devices. */
const hears = (work: (all: Observable<Sample>, from: From) => Observable<unknown>): Flow =>
  flow((from) => work(samples(from), from).pipe(map(say)))

const fragile = (v: number): number => {
  if (v === 13) throw new Error('thirteen')
  return v
}

export const zoo: Readonly<Record<string, Flow>> = {
  debounceTime: does(debounceTime(W)),
  'throttleTime, leading': does(throttleTime(W)),
  'throttleTime, trailing': does(throttleTime(W, undefined, { leading: false, trailing: true })),
  'throttleTime, both': does(throttleTime(W, undefined, { leading: true, trailing: true })),
  auditTime: does(auditTime(W)),
  sampleTime: does(sampleTime(W * 3)),
  bufferTime: does(
    pipe(
      bufferTime<number>(W * 2),
      filter((all) => all.length > 0),
    ),
  ),
  'bufferTime, overlapping': does(
    pipe(
      bufferTime<number>(W * 2, W),
      filter((all) => all.length > 0),
    ),
  ),
  delay: does(delay(W)),
  timeout: does((values) => values.pipe(timeout({ each: W, with: () => of('late') }), repeat())),
  interval: does(
    switchMap((v) =>
      interval(W).pipe(
        take(3),
        map((i) => [v, i]),
      ),
    ),
  ),
  'timer of nothing': does(mergeMap((v) => timer(0).pipe(map(() => v)))),
  windowTime: does(
    pipe(
      windowTime<number>(W * 2),
      mergeMap((one) => one.pipe(count())),
      filter((n) => n > 0),
    ),
  ),
  retry: does((values) => values.pipe(map(fragile), retry({ delay: W }))),
  repeat: does((values) => values.pipe(take(3), repeat({ delay: W }))),
  timestamp: does(
    pipe(
      timestamp(),
      scan((sum, { timestamp: at }) => (sum * 31 + at) % 1_000_003, 0),
    ),
  ),
  Date: does(map((v) => [v, Date.now() % 100_000])),
  throws: does(map(fragile)),
  per: hears((all) => all.pipe(per('device', pipe(map(numberOf), debounceTime(W))))),
  'per, with an end': hears((all) =>
    all.pipe(
      per(
        'device',
        pipe(
          map(numberOf),
          scan((sum, v) => sum + v, 0),
          debounceTime(W / 2),
        ),
        { expire: W * 2 },
      ),
    ),
  ),
  countWithin: hears((all) =>
    all.pipe(
      per('device', countWithin(2, W)),
      map((some) => some.map(numberOf)),
    ),
  ),
  quietFor: hears((all) => all.pipe(per('device', quietFor(W)), map(numberOf))),
  onEdge: hears((all) =>
    all.pipe(
      per(
        'device',
        onEdge((one) => numberOf(one) > 10),
      ),
      map(numberOf),
    ),
  ),
  hysteresis: does(
    pipe(
      hysteresis({ low: 5, high: 15 }),
      switchMap((on) => (on ? timer(W) : of(-1))),
    ),
  ),
  keep: hears((all) =>
    all.pipe(
      map(numberOf),
      keep('sum', z.number(), 0, (sum, v) => sum + v),
    ),
  ),
  'keep in groups that end': hears((all) =>
    all.pipe(
      per(
        'device',
        pipe(
          map(numberOf),
          keep('sum', z.number(), 0, (sum, v) => sum + v),
          throttleTime(W),
        ),
        {
          expire: W * 3,
        },
      ),
    ),
  ),
  'keep behind a timer': hears((all) =>
    all.pipe(
      map(numberOf),
      delay(W),
      keep('last', z.array(z.number()).max(3), [], (last, v) => [...last, v].slice(-3)),
    ),
  ),
  joinWithin: hears((all, from) =>
    all.pipe(
      joinWithin(from('devices/{device}/online'), W, (a, b) => a.params.device === b.params.device),
      map(([a, b]) => [numberOf(a), b.payload]),
    ),
  ),
  latestOf: flow((from) =>
    merge(
      latestOf(from, 'devices/{device}/online').pipe(map(({ params, payload }) => [params.device, payload])),
      samples(from).pipe(debounceTime(W), map(numberOf)),
    ).pipe(map(say)),
  ),
  schedule: does((values) => merge(schedule('* * * * * *').pipe(map((at) => at % 100_000)), values)),
  ask: flow((from) =>
    samples(from).pipe(
      filter((one) => numberOf(one) > 16),
      ask(from, 'press', { intent: 'press.start' }, { within: W * 2, then: ({ status }) => say(status) }),
    ),
  ),
}
