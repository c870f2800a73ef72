// Errors nobody caught.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import type { ErrorReport, Log } from './report.ts'
import { catchStrays } from './strays.ts'

const start = () => {
  const process = new EventEmitter()
  const reports: ErrorReport[] = []
  const stops: string[] = []
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
  const letGo = catchStrays({
    process,
    log,
    health: { report: (error) => reports.push(error) },
    stop: (why) => stops.push(why),
  })
  return { process, reports, stops, letGo }
}

test('a stray error is reported with its stack and the hub goes on', () => {
  const { process, reports, stops } = start()
  process.emit('uncaughtException', new TypeError('odd'))
  process.emit('unhandledRejection', 'a string')
  expect(reports).toMatchObject([
    { source: 'hub', type: 'TypeError', severity: 'critical', message: 'odd' },
    { message: 'a string' },
  ])
  expect(reports[0]?.stack).toContain('strays.test.ts')
  expect(stops).toEqual([])
})

test('a Fatal stops the hub, and so does a stream of them', () => {
  const { process, stops, letGo } = start()
  process.emit('uncaughtException', new Fatal('the disk is full'))
  expect(stops).toEqual(['the disk is full'])
  for (let n = 0; n < 19; n++) process.emit('uncaughtException', new Error('again'))
  expect(stops).toHaveLength(2)
  letGo()
  expect(process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection')).toBe(0)
})
