// Dust that stays for half a minute asks for the extractor once more; when it cannot run, the bench light blinks and says why.
import { map, NEVER, switchMap, timer } from 'rxjs'
import { ask, flow, hysteresis, message, seconds } from '#hub'

export default flow((from) =>
  from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(
    map(({ payload }) => Number(payload.dust ?? NaN)),
    hysteresis({ low: 40, high: 80 }),
    switchMap((dusty) => (dusty ? timer(seconds(30)) : NEVER)),
    ask(
      from,
      'extractor',
      { intent: 'switch.turn_on', reason: 'the dust stays' },
      {
        within: seconds(30),
        then: ({ status, reason }) =>
          status === 'done'
            ? []
            : message(
                'devices/{device}/request',
                { device: 'bench_light' },
                {
                  intent: 'light.turn_on',
                  payload: { blink: 30 },
                  reason: `extractor: ${reason ?? status}`.slice(0, 500),
                },
              ),
      },
    ),
  ),
)
