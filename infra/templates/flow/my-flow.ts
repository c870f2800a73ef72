// My flow: a device that stays above its limit for ten seconds is asked to switch off.
import { distinctUntilChanged, map, NEVER, pipe, switchMap, timer } from 'rxjs'
import { flow, message, per, seconds, z } from '#hub'

const limit = z.number().min(0).max(1000).default(100).describe('Highest value that is all right')

export default flow({ params: { limit } }, (from, params) =>
  from('devices/{device}/telemetry', { where: { device: 'my_device' } }).pipe(
    per(
      'device',
      pipe(
        map(({ payload, params: { device } }) => ({ device, isHigh: Number(payload['value']) > params.limit })),
        distinctUntilChanged((a, b) => a.isHigh === b.isHigh),
        switchMap(({ device, isHigh }) => (isHigh ? timer(seconds(10)).pipe(map(() => device)) : NEVER)),
      ),
    ),
    map((device) =>
      message(
        'devices/{device}/request',
        { device },
        { intent: 'switch.turn_off', reason: `above ${params.limit} for ten seconds` },
      ),
    ),
  ),
)
