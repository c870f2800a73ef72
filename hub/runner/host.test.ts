// The host: routing, retained values, checked outputs, and what happens to a flow that does what flows may not.
import { filter, map, merge, mergeMap, NEVER, of, range, type Observable, Subject, take, throwError, timer } from 'rxjs'
import { expect, test } from 'vitest'
import { ownTime } from '../streams/clock.ts'
import { flow, type Flow } from '../streams/flow.ts'
import { message, type Message } from '../streams/message.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { type Item, type Output, tickAt } from './frame.ts'
import { FlowHost, type Kept, type SetAside, type Start } from './host.ts'

const table = topicTable([core], 'jarvis')
const echo = (v: unknown) => message('devices/{device}/event', { device: 'echo' }, { type: 'echo', v })

const item = (seq: number, topic: string, payload: unknown, at = seq): Item => ({
  seq,
  at,
  topic: `jarvis/${topic}`,
  origin: 'device:dust',
  payload: Buffer.from(payload === '' ? '' : JSON.stringify(payload)),
  skip: [],
})
const sample = (seq: number, device = 'dust', at = seq) => item(seq, `devices/${device}/telemetry`, { seq }, at)

/** A host with what it told; time is the flows' while `work` runs. */
const hosting = (work: (host: FlowHost, told: ReturnType<typeof telling>) => void) => {
  const told = telling()
  const giveBack = ownTime()
  try {
    work(new FlowHost(table, told.listener), told)
  } finally {
    giveBack()
  }
  return told
}

const telling = () => {
  const outputs: Output[] = []
  const failed: { flow: number; reason: string }[] = []
  const ended: number[] = []
  const bad: string[] = []
  const turns: number[] = []
  const kept: Kept[] = []
  const aside: SetAside[] = []
  return {
    kept,
    aside,
    outputs,
    failed,
    ended,
    bad,
    turns,
    values: () => outputs.map(({ payload }) => (JSON.parse(payload.toString()) as { v: unknown }).v),
    listener: {
      output: (output: Output) => void outputs.push(output),
      failed: (number: number, error: unknown) =>
        void failed.push({ flow: number, reason: error instanceof Error ? error.message : String(error) }),
      kept: (change: Kept) => void kept.push(change),
      setAside: (what: SetAside) => void aside.push(what),
      ended: (number: number) => void ended.push(number),
      bad: ({ seq }: Item, { field, constraint }: { field: string; constraint: string }) =>
        void bad.push(`${seq} ${field} ${constraint}`),
      turn: (number: number) => void turns.push(number),
    },
  }
}

const run = (host: FlowHost, number: number, define: Flow, start: Partial<Start> = {}) => {
  const { inputs } = host.define(number, define)
  host.start(number, { at: 0, ...start })
  return inputs
}

const seqs: Flow = flow((from) => from('devices/{device}/telemetry').pipe(map(({ seq }) => echo(seq))))

test('a message reaches those who asked for it, and nobody else', () => {
  const told = hosting((host) => {
    run(
      host,
      1,
      flow((from) =>
        from('devices/{device}/telemetry', { where: { device: 'iron' } }).pipe(map(({ seq }) => echo(['iron', seq]))),
      ),
    )
    run(
      host,
      2,
      flow((from) => from('devices/{device}/telemetry').pipe(map(({ params, seq }) => echo([params.device, seq])))),
    )
    run(
      host,
      3,
      flow((from) => from('devices/{device}/event').pipe(map(() => echo('event')))),
    )
    host.take(sample(1, 'dust'))
    host.take(sample(2, 'iron'))
    host.take(item(3, 'devices/dust/unknown', {}))
    host.take({ ...sample(4, 'dust'), topic: 'other/devices/dust/telemetry' })
  })
  expect(told.values()).toEqual([
    ['dust', 1],
    ['iron', 2],
    ['iron', 2],
  ])
})

test('it says what a flow wants to hear before it runs', () => {
  hosting((host, told) => {
    const { inputs } = host.define(
      2,
      flow((from) =>
        merge(
          from('devices/{device}/telemetry', { where: { device: 'dust' }, overload: 'latest' }),
          from.latest('devices/{device}/state', { overload: { dropOldest: 5 } }),
          from('safety/stop'),
        ).pipe(map(() => echo(1))),
      ),
    )
    expect(inputs).toEqual([
      {
        edge: 2048,
        topic: 'devices/{device}/telemetry',
        filter: 'jarvis/devices/dust/telemetry',
        latest: false,
        overload: 'latest',
      },
      {
        edge: 2049,
        topic: 'devices/{device}/state',
        filter: 'jarvis/devices/+/state',
        latest: true,
        overload: { dropOldest: 5 },
      },
      { edge: 2050, topic: 'safety/stop', filter: 'jarvis/safety/stop', latest: false, overload: { dropOldest: 1000 } },
    ])
    host.take(sample(1))
    expect(told.outputs).toEqual([])
  })
})

test('outputs have the flow, their number, their time and their cause, also through a timer', () => {
  const told = hosting((host) => {
    run(
      host,
      5,
      flow((from) =>
        from('devices/{device}/telemetry').pipe(
          mergeMap(({ seq }) => merge(of(seq), timer(10).pipe(map(() => -seq)))),
          map(echo),
        ),
      ),
    )
    host.take(sample(7, 'dust', 100))
    host.take(sample(8, 'dust', 105))
    host.take(tickAt(200, 9))
  })
  expect(told.outputs.map(({ flow: number, n, at, cause }) => ({ number, n, at, cause }))).toEqual([
    { number: 5, n: 1, at: 100, cause: 7 },
    { number: 5, n: 2, at: 105, cause: 8 },
    { number: 5, n: 3, at: 110, cause: 7 },
    { number: 5, n: 4, at: 115, cause: 8 },
  ])
  expect(told.outputs[0]?.topic).toBe('jarvis/devices/echo/event')
})

test('latest begins with the retained values, newest wins, and a cleared one is gone', () => {
  const told = hosting((host) => {
    run(
      host,
      1,
      flow((from) => {
        const states = from
          .latest('devices/{device}/state')
          .pipe(map(({ params, payload }) => echo([params.device, payload['v']])))
        return merge(
          states,
          from('devices/{device}/telemetry').pipe(
            take(1),
            mergeMap(() => states.pipe(take(2))),
          ),
        )
      }),
      { since: 10, retained: [item(4, 'devices/iron/state', { v: 1 }), item(9, 'devices/dust/state', { v: 2 })] },
    )
    // Accepted before the start, delivered after it: its value is the retained one already.
    host.take(item(9, 'devices/dust/state', { v: 2 }))
    host.take(item(11, 'devices/dust/state', { v: 3 }))
    host.take(item(12, 'devices/press/state', { v: 4 }))
    host.take(item(13, 'devices/iron/state', ''))
    host.take(sample(14))
  })
  expect(told.values()).toEqual([
    ['iron', 1],
    ['dust', 2],
    ['dust', 3],
    ['press', 4],
    ['dust', 3],
    ['press', 4],
  ])
  expect(told.outputs.map(({ cause }) => cause)).toEqual([4, 9, 11, 12, 11, 12])
})

test('from never hears what came before its start, nor what its edge had no room for', () => {
  const told = hosting((host) => {
    run(host, 1, seqs, { since: 5 })
    host.take(sample(4))
    host.take(sample(5))
    host.take({ ...sample(6), skip: [1024] })
    host.take({ ...sample(7), skip: [2048] })
  })
  expect(told.values()).toEqual([7])
})

test('the numbering of outputs goes on where it is told, and in silence it counts without a word', () => {
  const told = hosting((host) => {
    run(host, 1, seqs, { n: 41 })
    host.take(sample(1))
    run(host, 2, seqs, { n: 41, mutedTo: Infinity })
    host.take(sample(2))
    host.speak(2)
    host.take(sample(3))
    run(host, 3, seqs, { mutedTo: 1 })
    host.take(sample(4))
    host.take(sample(5))
  })
  const ns = (flow: number) => told.outputs.filter((output) => output.flow === flow).map(({ n }) => n)
  expect({ all: ns(1), muted: ns(2), known: ns(3) }).toEqual({
    all: [42, 43, 44, 45, 46],
    muted: [43, 44, 45],
    known: [2],
  })
})

test('a payload that does not fit is told once, with the field, and given to nobody', () => {
  const told = hosting((host) => {
    const requests = flow((from) => from('devices/{device}/request').pipe(map(({ payload }) => echo(payload.intent))))
    run(host, 1, requests)
    run(host, 2, requests)
    host.take(item(1, 'devices/dust/request', { intent: 'No Verb' }))
    host.take(item(2, 'devices/dust/request', { intent: 'fan.turn_on', colour: 'red' }))
    host.take({ ...item(3, 'devices/dust/request', 1), payload: Buffer.from([0xff]) })
    host.take(item(4, 'devices/dust/request', { intent: 'fan.turn_on' }))
  })
  expect(told.bad).toEqual([
    expect.stringMatching(/^1 intent must look like/),
    expect.stringMatching(/^2 colour /),
    expect.stringMatching(/^3 {2}must be JSON/),
  ])
  expect(told.values()).toEqual(['fan.turn_on', 'fan.turn_on'])
})

const failures: [string, (from: Observable<unknown>) => Observable<Message>, RegExp][] = [
  [
    'throws',
    (source) =>
      source.pipe(
        map(() => {
          throw new Error('no')
        }),
      ),
    /^no$/,
  ],
  ['errors', (source) => source.pipe(mergeMap(() => throwError(() => new Error('no')))), /^no$/],
  [
    'floods',
    (source) =>
      source.pipe(
        mergeMap(() => range(0, 1e9)),
        map(echo),
      ),
    /more than 2000 outputs in one turn/,
  ],
  [
    'shouts',
    (source) =>
      source.pipe(
        mergeMap(() => range(0, 20)),
        map(() => echo('x'.repeat(300_000))),
      ),
    /bytes of output in one turn/,
  ],
  [
    'says what is no message',
    (source) => source.pipe(map(() => ({ topic: 'x' }) as never)),
    /only return messages made by message\(\), not \{"topic":"x"\}/,
  ],
  ['says nothing at all', (source) => source.pipe(map(() => undefined as never)), /only return messages/],
  [
    'says it where there is no topic',
    (source) => source.pipe(map(() => ({ topic: 'x/y', params: {}, payload: 1 }) as never)),
    /no topic table knows 'x\/y'/,
  ],
  [
    'says what does not fit',
    (source) => source.pipe(map(() => message('devices/{device}/request', { device: 'x' }, { intent: 'X' }))),
    /^output on 'devices\/\{device\}\/request': intent: must look like/,
  ],
  ['says what is no JSON', (source) => source.pipe(map(() => echo(10n))), /BigInt/],
  [
    'has no parameter',
    (source) => source.pipe(map(() => message('devices/{device}/event', { device: '' }, { type: 'x' }))),
    /needs device/,
  ],
  [
    'calls from inside',
    (source) =>
      source.pipe(
        mergeMap(() => {
          throw late()
        }),
      ),
    /call from\('safety\/stop'\) where the flow is defined/,
  ],
]
let late = (): Error => new Error('not called')

test.each(failures)('a flow that %s is stopped and named, and its neighbour goes on', (_, steps, reason) => {
  const told = hosting((host) => {
    run(
      host,
      1,
      flow((from) => {
        late = () => {
          try {
            from('safety/stop')
          } catch (error) {
            return error instanceof Error ? error : new Error('no error')
          }
          return new Error('allowed')
        }
        return merge(steps(from('devices/{device}/telemetry')), timer(1000, 1000).pipe(map(() => echo('still here'))))
      }),
    )
    run(host, 2, seqs)
    host.take(sample(1))
    host.take(sample(2))
    host.take(tickAt(5000, 9))
    expect(host.next).toBe(Infinity)
    expect(host.view(1)).toBeUndefined()
  })
  expect(told.failed).toEqual([{ flow: 1, reason: expect.stringMatching(reason) as string }])
  expect(told.outputs.filter(({ flow: number }) => number === 2)).toHaveLength(2)
  expect(told.values()).not.toContain('still here')
})

test('a flow that says too much already when it starts is stopped, too', () => {
  const told = hosting((host) => {
    run(
      host,
      1,
      flow(() => range(0, 1e9).pipe(map(echo))),
    )
  })
  expect(told.outputs).toHaveLength(10_000)
  expect(told.failed[0]?.reason).toContain('more than 10000 outputs')
})

test('an output between turns names the flow', () => {
  const outside = new Subject<Message>()
  const told = telling()
  const host = new FlowHost(table, told.listener)
  run(host, 3, () => outside)
  outside.next(echo(1))
  expect(told.failed).toEqual([{ flow: 3, reason: expect.stringContaining('output outside a turn') as string }])
  expect(told.outputs).toEqual([])
})

test('a definition that throws, or gives nothing to listen to, tells its caller', () => {
  hosting((host) => {
    expect(() =>
      host.define(1, () => {
        throw new Error('at once')
      }),
    ).toThrow('at once')
    expect(() => host.define(1, () => 5 as never)).toThrow('must return what it wants published')
    expect(() => host.define(1, (from) => from('no/topic' as never))).toThrow("no topic table knows 'no/topic'")
    expect(() =>
      host.define(1, (from) => from('devices/{device}/telemetry', { where: { device: '+' } }).pipe(map(() => echo(1)))),
    ).toThrow('where.device must be one topic level')
    const nowhere = { where: { device: 'dust' } }
    expect(() => host.define(1, (from) => from('safety/stop', nowhere).pipe(map(() => echo(1))))).toThrow(
      "'safety/stop' has no such parameter",
    )
  })
})

test('a flow that completes is told of; one that is stopped is not', () => {
  const told = hosting((host) => {
    run(
      host,
      1,
      flow((from) =>
        from('devices/{device}/telemetry').pipe(
          take(1),
          map(() => echo(1)),
        ),
      ),
    )
    run(
      host,
      2,
      flow(() => NEVER),
    )
    host.take(sample(1))
    host.stop(2)
  })
  expect(told.ended).toEqual([1])
  expect(told.failed).toEqual([])
})

test('a flow started again has forgotten everything', () => {
  const third = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      map((_, i) => i),
      filter((i) => i === 2),
      map(echo),
    ),
  )
  const told = hosting((host) => {
    run(host, 1, third)
    host.take(sample(1))
    host.take(sample(2))
    run(host, 1, third)
    host.take(sample(3))
    host.take(sample(4))
    host.take(sample(5))
  })
  expect(told.outputs.map(({ n, cause }) => ({ n, cause }))).toEqual([{ n: 1, cause: 5 }])
})

test('what a flow hears cannot be changed', () => {
  const told = hosting((host) => {
    run(
      host,
      1,
      flow((from) => from('devices/{device}/telemetry').pipe(map(({ payload }) => echo((payload['seq'] = 9))))),
    )
    run(host, 2, seqs)
    host.take(sample(1))
  })
  expect(told.failed[0]?.reason).toContain('read only')
  expect(told.values()).toEqual([1])
})

test('whose turn it is can be read before the turn begins', () => {
  const told = hosting((host) => {
    run(host, 1, seqs)
    run(host, 2, seqs)
    host.take(sample(1))
  })
  expect(told.turns.slice(-2)).toEqual([1, 2])
})
