// The emitter: who gets a message, in which order, and that nobody is waited for.
import { expect, test } from 'vitest'
import { openEmitter, type Emitted, type Listener } from './emitter.ts'

const message = (topic: string, qos: 0 | 1 | 2 = 0): Emitted => ({ topic, qos, payload: Buffer.alloc(0) })

test('wildcards match as MQTT says: empty levels yes, $ topics only by name', () => {
  const emitter = openEmitter(() => {})
  const got: string[] = []
  for (const filter of ['#', '+/b', 'a/#', 'a/+', '/+', '$SYS/#', '$SYS/+/x', 'a//c']) {
    emitter.on(filter, () => got.push(filter))
  }
  const heard = (topic: string) => {
    got.length = 0
    emitter.emit(message(topic))
    return [...got].sort()
  }
  expect(heard('a')).toEqual(['#', 'a/#'])
  expect(heard('a/b')).toEqual(['#', '+/b', 'a/#', 'a/+'])
  expect(heard('/b')).toEqual(['#', '+/b', '/+'])
  expect(heard('a//c')).toEqual(['#', 'a/#', 'a//c'])
  expect(heard('$SYS/b/x')).toEqual(['$SYS/#', '$SYS/+/x'])
  expect(heard('$SYS/b')).toEqual(['$SYS/#'])
})

test('a listener that never calls back, or throws, is not waited for and hurts nobody', () => {
  const failures: unknown[] = []
  const emitter = openEmitter((error) => failures.push(error))
  const got: string[] = []
  emitter.on('a', () => got.push('silent'))
  emitter.on('a', () => {
    throw new Error('boom')
  })
  emitter.on('a', () => got.push('last'))
  let done = false
  emitter.emit(message('a'), () => (done = true))
  expect({ done, got, current: emitter.current }).toEqual({ done: true, got: ['silent', 'last'], current: 0 })
  expect(failures).toEqual([new Error('boom')])
})

test('the subscription with the highest QoS comes first', () => {
  const emitter = openEmitter(() => {})
  const got: (number | undefined)[] = []
  for (const qos of [0, 2, 1, undefined] as const) {
    const listener: Listener = () => got.push(qos)
    if (qos !== undefined) listener.qos = qos
    emitter.on('a', listener)
  }
  emitter.emit(message('a', 2))
  expect(got).toEqual([2, 1, 0, undefined])
})

test('who is removed while a message is on its way is gone with the next one', () => {
  const emitter = openEmitter(() => {})
  const got: string[] = []
  const second = () => got.push('second')
  emitter.on('a', () => {
    got.push('first')
    emitter.removeListener('a', second)
  })
  emitter.on('a', second)
  emitter.emit(message('a'))
  emitter.emit(message('a'))
  expect(got).toEqual(['first', 'second', 'first'])
})

test('after close it says so', () => {
  const emitter = openEmitter(() => {})
  emitter.close()
  let failed: Error | undefined
  emitter.emit(message('a'), (error) => (failed = error))
  expect(failed?.message).toContain('closed')
})
