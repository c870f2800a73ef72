// My flow: a device that stays above its limit for ten seconds is asked to switch off.
import { distinctUntilChanged, map, NEVER, pipe, switchMap, timer } from 'rxjs'
import { flow, message, per, seconds } from '#hub'

const LIMIT = 100

export default flow((from) =>
  from('devices/{device}/telemetry', { where: { device: 'my_device' } }).pipe(
    per(
      'device',
      pipe(
        map(({ payload, params }) => ({ device: params.device, isHigh: Number(payload['value']) > LIMIT })),
        distinctUntilChanged((a, b) => a.isHigh === b.isHigh),
        switchMap(({ device, isHigh }) => (isHigh ? timer(seconds(10)).pipe(map(() => device)) : NEVER)),
      ),
    ),
    map((device) =>
      message(
        'devices/{device}/request',
        { device },
        { intent: 'switch.turn_off', reason: `above ${LIMIT} for ten seconds` },
      ),
    ),
  ),
)
