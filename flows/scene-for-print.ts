// When a print on one printer starts, pauses, fails or ends, the room gets the scene for it; a scene that does not work is told and holds up nothing.
import { distinctUntilChanged, filter, map, merge, pairwise, scan, share, startWith, withLatestFrom } from 'rxjs'
import { ask, type DeviceName, flow, latestOf, message, seconds, z } from '#hub'

type Phase = 'start' | 'pause' | 'failure' | 'end'

/** What printers call it, by what it means for the room. Other words (heating, levelling) change nothing. */
const PHASES = new Map<unknown, Phase>([
  ...['printing', 'running'].map((word) => [word, 'start'] as const),
  ...['paused'].map((word) => [word, 'pause'] as const),
  ...['failed', 'error', 'fault'].map((word) => [word, 'failure'] as const),
  ...['idle', 'ready', 'finished', 'complete', 'completed', 'cancelled'].map((word) => [word, 'end'] as const),
])

const scene = (when: string) =>
  z
    .string()
    .regex(/^[a-z0-9_{}]{0,120}$/, 'must be the id of a device')
    .default('')
    .describe(`Device with scene.activate for ${when}; {profile} stands for the profile of the job. Empty: none`)

const told = (value: Phase, id: string, status: string, reason = '') =>
  message('flows/{flow}/{value}', { flow: 'scene-for-print', value }, { scene: id, status, reason })

export default flow(
  {
    params: {
      printer: z.string().min(1).max(63).default('printer_1').describe('Printer, by its id'),
      start: scene('a print that starts or goes on'),
      pause: scene('a print that pauses'),
      failure: scene('a print that fails'),
      end: scene('a print that has ended'),
    },
  },
  (from, { printer, ...scenes }) => {
    const known = latestOf(from, 'devices/{device}/about').pipe(
      scan(
        (all, { params, payload }) => ('scene.activate' in payload.intents ? [...all, params.device] : all),
        new Array<DeviceName>(),
      ),
      startWith([]),
    )
    const jobs = latestOf(from, 'devices/{device}/state').pipe(
      filter(({ params }) => params.device === printer),
      map(({ payload: { status, profile } }) => ({ phase: PHASES.get(status), profile })),
      filter((job): job is { phase: Phase; profile: unknown } => job.phase !== undefined),
      distinctUntilChanged((before, now) => before.phase === now.phase),
      // How it is when the flow begins is nothing that happens now.
      pairwise(),
    )
    const wishes = jobs.pipe(
      map(([, { phase, profile }]) => ({
        phase,
        id: scenes[phase].replaceAll('{profile}', typeof profile === 'string' ? profile.toLowerCase() : 'default'),
      })),
      filter(({ id }) => id !== ''),
      withLatestFrom(known),
      map(([wish, all]) => ({ ...wish, device: all.find((device) => device === wish.id) })),
      share(),
    )
    return merge(
      wishes.pipe(
        filter((wish): wish is { phase: Phase; id: string; device: DeviceName } => wish.device !== undefined),
        ask(
          from,
          ({ device }) => device,
          ({ phase }) => ({ intent: 'scene.activate', reason: `${printer}: ${phase}` }),
          {
            within: seconds(30),
            then: ({ status, reason }, { phase, id }) => (status === 'done' ? [] : told(phase, id, status, reason)),
          },
        ),
      ),
      wishes.pipe(
        filter(({ device }) => device === undefined),
        map(({ phase, id }) => told(phase, id, 'missing', 'no device of this id knows scene.activate')),
      ),
    )
  },
)
