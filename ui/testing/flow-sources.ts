// Sources of two flows of the fake workshop, as the hub would tell them.

export const sources: Readonly<Record<string, string>> = {
  'dust-starts-extractor': `// Dust above 80 µg/m³ starts the extractor; two quiet minutes below 20 stop it.
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
`,
  'hot-iron-left-on': `// A soldering iron that is on and hot while nobody has been in the room for ten minutes is asked to switch off.
import { combineLatest, distinctUntilChanged, map, NEVER, startWith, switchMap, take, timer } from 'rxjs'
import { flow, latestOf, message, minutes } from '#hub'

const HOT_CELSIUS = 100

export default flow((from) => {
  const isHot = latestOf(from, 'devices/{device}/state', { where: { device: 'iron' } }).pipe(
    map(({ payload: { on, celsius } }) => on === true && typeof celsius === 'number' && celsius >= HOT_CELSIUS),
  )
  // A sensor that says nothing, or is gone, has seen nobody.
  const isSeen = latestOf(from, 'devices/{device}/state', { where: { device: 'presence' } }).pipe(
    map(({ payload }) => payload.occupied === true),
    startWith(false),
  )
  const isWatching = latestOf(from, 'devices/{device}/online', { where: { device: 'presence' } }).pipe(
    map(({ payload }) => payload),
    startWith(false),
  )
  return combineLatest([isHot, isSeen, isWatching]).pipe(
    map(([hot, seen, watching]) => hot && !(seen && watching)),
    distinctUntilChanged(),
    // Repeated each minute while it stays on, ten times at most: a wish may be refused, or lost with the iron's connection.
    switchMap((alone) => (alone ? timer(minutes(10), minutes(1)).pipe(take(10)) : NEVER)),
    map(() =>
      message(
        'devices/{device}/request',
        { device: 'iron' },
        { intent: 'switch.turn_off', reason: 'hot, and nobody in the room for ten minutes' },
      ),
    ),
  )
})
`,
}
