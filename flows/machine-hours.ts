// How many minutes each machine has run in all is counted, through restarts, and told every minute that it runs.
import { distinctUntilChanged, interval, map, NEVER, pipe, switchMap } from 'rxjs'
import { flow, keep, latestOf, message, minutes, per, z } from '#hub'

export default flow((from) =>
  latestOf(from, 'devices/{device}/state').pipe(
    per(
      'device',
      pipe(
        map(({ payload, params }) => ({
          device: params.device,
          runs: payload.running === true || payload.motor === true || payload.status === 'printing',
        })),
        distinctUntilChanged((a, b) => a.runs === b.runs),
        switchMap(({ device, runs }) => (runs ? interval(minutes(1)).pipe(map(() => device)) : NEVER)),
        keep('run', z.object({ device: z.string(), minutes: z.int() }), { device: '', minutes: 0 }, (run, device) => ({
          device,
          minutes: run.minutes + 1,
        })),
      ),
    ),
    map(({ device, minutes: run }) =>
      message(
        'flows/{flow}/{value}',
        { flow: 'machine-hours', value: device },
        { minutes: run, hours: Math.floor(run / 60) },
      ),
    ),
  ),
)
