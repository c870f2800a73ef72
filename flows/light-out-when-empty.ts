// Every quarter of an hour the bench light goes out if it is on and nobody is in the room.
import { filter, map, startWith, withLatestFrom } from 'rxjs'
import { flow, latestOf, message, schedule } from '#hub'

export default flow((from) => {
  const isLit = latestOf(from, 'devices/{device}/state', { where: { device: 'bench_light' } }).pipe(
    map(({ payload }) => payload.on === true),
    startWith(false),
  )
  // A sensor that has said nothing yet may have somebody in front of it.
  const isEmpty = latestOf(from, 'devices/{device}/state', { where: { device: 'presence' } }).pipe(
    map(({ payload }) => payload.occupied === false),
    startWith(false),
  )
  return schedule('*/15 * * * *').pipe(
    withLatestFrom(isLit, isEmpty),
    filter(([, lit, empty]) => lit && empty),
    map(() =>
      message(
        'devices/{device}/request',
        { device: 'bench_light' },
        { intent: 'light.turn_off', reason: 'nobody is in the room' },
      ),
    ),
  )
})
