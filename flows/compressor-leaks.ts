// A compressor whose motor starts five times within half an hour has a leak; it is told at most once an hour.
import { map, pipe, throttleTime } from 'rxjs'
import { countWithin, flow, hours, message, minutes, onEdge, per } from '#hub'

export default flow((from) =>
  from('devices/{device}/state').pipe(
    per(
      'device',
      pipe(
        onEdge(({ payload }) => payload.motor === true),
        countWithin(5, minutes(30)),
        throttleTime(hours(1)),
      ),
    ),
    map(([{ params }]) =>
      message('flows/{flow}/{value}', { flow: 'compressor-leaks', value: params.device }, { leaks: true, starts: 5 }),
    ),
  ),
)
