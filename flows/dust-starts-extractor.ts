// Dust above 80 µg/m³ starts the extractor; two quiet minutes below 20 stop it.
import { map, of, switchMap, timer } from 'rxjs'
import { flow, hysteresis, message, minutes, z } from '#hub'

const above = z.number().min(20).max(1000).default(80).describe('Dust that starts the extractor, in µg/m³')

export default flow({ params: { above } }, (from, params) =>
  from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(
    map(({ payload }) => Number(payload.dust ?? NaN)),
    hysteresis({ low: 20, high: params.above }),
    switchMap((dusty) =>
      dusty ? of('switch.turn_on' as const) : timer(minutes(2)).pipe(map(() => 'switch.turn_off' as const)),
    ),
    map((intent) => message('devices/{device}/request', { device: 'extractor' }, { intent, reason: 'dust' })),
  ),
)
