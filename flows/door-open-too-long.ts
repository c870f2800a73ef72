// A door that stays open for two minutes makes the bench light blink, and again every two minutes until it is shut.
import { distinctUntilChanged, filter, map, NEVER, pipe, switchMap, timer } from 'rxjs'
import { flow, latestOf, message, minutes, per } from '#hub'

const TOO_LONG = minutes(2)
const BLINK_S = 20

export default flow((from) =>
  latestOf(from, 'devices/{device}/state').pipe(
    filter(({ payload }) => typeof payload.open === 'boolean'),
    per(
      'device',
      pipe(
        map(({ payload, params }) => ({ open: payload.open === true, door: params.device })),
        distinctUntilChanged((a, b) => a.open === b.open),
        switchMap(({ open, door }) => (open ? timer(TOO_LONG, TOO_LONG).pipe(map((n) => ({ door, n }))) : NEVER)),
      ),
    ),
    map(({ door, n }) =>
      message(
        'devices/{device}/request',
        { device: 'bench_light' },
        {
          intent: 'light.turn_on',
          payload: { blink: BLINK_S },
          reason: `'${door}' has been open for ${(n + 1) * 2} minutes`,
        },
      ),
    ),
  ),
)
