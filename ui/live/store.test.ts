import { expect, test, vi } from 'vitest'
import { store } from './store.ts'

test('many changes are one beat, and nothing is seen before it', async () => {
  vi.useFakeTimers()
  try {
    const counter = store(0, 250)
    let beats = 0
    counter.subscribe(() => (beats += 1))
    for (let n = 0; n < 1000; n += 1) counter.change((value) => value + 1)
    expect([counter.get(), beats]).toEqual([0, 0])
    await vi.advanceTimersByTimeAsync(250)
    expect([counter.get(), beats]).toEqual([1000, 1])
  } finally {
    vi.useRealTimers()
  }
})
