// Covers: blinds, shutters, garage doors. Stopping is what is safe.
import { type Action, deedOf, finite, type Maker, type News, partsOf, reading } from './component.ts'

/** A long shutter takes this long, ms. */
const TRAVEL_MS = 90_000

const cover: Maker = (read) => {
  const words = new Map([
    [read.text('state_open', 'open'), 'open'],
    [read.text('state_opening', 'opening'), 'opening'],
    [read.text('state_closed', 'closed'), 'closed'],
    [read.text('state_closing', 'closing'), 'closing'],
    [read.text('state_stopped', 'stopped'), 'stopped'],
  ])
  const [closed, open] = [read.number('position_closed', 0), read.number('position_open', 100)]
  const span = open - closed === 0 ? 100 : open - closed
  const percent = (wire: number): number => Math.max(0, Math.min(100, Math.round(((wire - closed) / span) * 100)))
  const tilted =
    (name: string): ((text: string, old: unknown) => News | undefined) =>
    (text, old) => {
      const value = finite(text)
      return value === undefined ? undefined : { value: { ...partsOf(old), [name]: Math.round(value) } }
    }

  const moves = reading(read, 'state_topic', 'value_template', (text, old) => {
    const state = words.get(text)
    if (state === undefined) return text === 'None' ? { value: { ...partsOf(old), state: null } } : undefined
    const { position } = partsOf(old)
    // A cover that stopped is open, unless it is known to be all the way down.
    const now = state === 'stopped' ? (position === 0 ? 'closed' : 'open') : state
    return { value: { ...partsOf(old), state: now } }
  })
  const places = reading(read, 'position_topic', 'position_template', (text, old) => {
    const json = /^\s*\{/.test(text) ? positionIn(text) : text
    const wire = json === undefined ? undefined : finite(json)
    if (wire === undefined) return undefined
    const position = percent(wire)
    const told = moves.length > 0 ? {} : { state: position === 0 ? 'closed' : 'open' }
    return { value: { ...partsOf(old), position, ...told } }
  })
  const isTold = moves.length + places.length > 0

  const topic = read.command('command_topic')
  const write = read.written('command_template')
  const act = (intent: string, payload: string, ...shown: string[]): Action => ({
    intent,
    fields: {},
    ...(intent === 'cover.stop' ? { isSafe: true } : {}),
    deed: () =>
      deedOf(
        topic ?? '',
        write?.(payload),
        // What stands still says nothing of it: a stop is done when it is sent, unless a state says it moves.
        isTold && shown.length > 0 ? (now) => shown.includes(String(partsOf(now)['state'])) : undefined,
        TRAVEL_MS,
      ),
  })
  const actions: Action[] =
    topic === undefined || write === undefined
      ? []
      : [
          act('cover.open', read.text('payload_open', 'OPEN'), 'opening', 'open'),
          act('cover.close', read.text('payload_close', 'CLOSE'), 'closing', 'closed'),
          // Without a word that it may stop, OPEN and CLOSE are all there is.
          act('cover.stop', read.text('payload_stop', 'STOP')),
        ]
  const setTopic = read.command('set_position_topic')
  const setWrite = read.written('set_position_template')
  if (setTopic !== undefined && setWrite !== undefined)
    actions.push({
      intent: 'cover.set_position',
      fields: { position: { type: 'number', minimum: 0, maximum: 100, description: 'How far open, in percent.' } },
      required: ['position'],
      deed: ({ position }) => {
        const wish = Number(position)
        const wire = Math.round(closed + (wish / 100) * span)
        const isThere = (now: unknown): boolean => Math.abs(Number(partsOf(now)['position'] ?? Number.NaN) - wish) <= 3
        return deedOf(
          setTopic,
          setWrite(wire, { position: wire, position_open: open, position_closed: closed }),
          places.length > 0 ? isThere : undefined,
          TRAVEL_MS,
        )
      },
    })
  const tiltTopic = read.command('tilt_command_topic')
  if (tiltTopic !== undefined)
    actions.push({
      intent: 'cover.set_tilt',
      fields: { tilt: { type: 'number', minimum: 0, maximum: 100 } },
      required: ['tilt'],
      deed: ({ tilt }) => deedOf(tiltTopic, String(Math.round(Number(tilt)))),
    })
  return {
    readings: [...moves, ...places, ...reading(read, 'tilt_status_topic', 'tilt_status_template', tilted('tilt'))],
    actions,
    detail: { ...(read.maybe('device_class') === undefined ? {} : { device_class: read.text('device_class', '') }) },
  }
}

const positionIn = (text: string): string | undefined => {
  try {
    const { position } = partsOf(JSON.parse(text))
    return typeof position === 'number' || typeof position === 'string' ? String(position) : undefined
  } catch {
    return undefined
  }
}

export { cover }
