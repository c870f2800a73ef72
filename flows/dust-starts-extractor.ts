// Dust above 80 µg/m³ starts the extractor; two quiet minutes below 20 stop it.
import { map, of, switchMap, timer } from 'rxjs'
import { flow, hysteresis, message, minutes } from '#hub'

export default flow((from) =>
  from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(
    map(({ payload }) => Number(payload.dust ?? NaN)),
    hysteresis({ low: 20, high: 80 }),
    switchMap((dusty) => (dusty ? of('switch.turn_on') : timer(minutes(2)).pipe(map(() => 'switch.turn_off')))),
    map((intent) => message('devices/{device}/request', { device: 'extractor' }, { intent, reason: 'dust' })),
  ),
)
