// When a door opens and somebody is seen within a minute of it, the bench light is switched on.
import { filter, map, throttleTime } from 'rxjs'
import { flow, joinWithin, message, minutes, onEdge } from '#hub'

export default flow((from) => {
  const opened = from('devices/{device}/event').pipe(filter(({ payload }) => payload.type === 'opened'))
  const arrived = from('devices/{device}/state', { where: { device: 'presence' } }).pipe(
    onEdge(({ payload }) => payload.occupied === true),
  )
  return opened.pipe(
    joinWithin(arrived, minutes(1)),
    throttleTime(minutes(5)),
    map(([door]) =>
      message(
        'devices/{device}/request',
        { device: 'bench_light' },
        { intent: 'light.turn_on', payload: { level: 60 }, reason: `somebody came in by '${door.params.device}'` },
      ),
    ),
  )
})
