// A chart of one value over time. uPlot comes with this file only, which is loaded when a chart is looked at.
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { columnsOf, nearestStop, type Drawn, type Stop } from './history.ts'
import './plot.css'

const DAY_S = 86_400
/** A switch that was on only for a moment is still seen. */
const LEAST_BAR = 0.06

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
/** The small text of the theme, in px: on the wall it is read from afar. */
const textPx = (): number => {
  const [, size, unit] = /^([\d.]+)(rem|px)$/.exec(colour('--text-xs')) ?? []
  return Number(size ?? 12) * (unit === 'px' ? 1 : 16)
}

/** The accent, seen through: a band behind its line. */
const bandColour = (): string => {
  const accent = colour('--accent')
  return /^#[\da-f]{6}$/i.test(accent) ? `${accent}3d` : colour('--accent-soft')
}

const two = (one: number): string => String(one).padStart(2, '0')
const clock = (seconds: number): string => {
  const date = new Date(seconds * 1000)
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}
const day = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
const tick = (seconds: number, apart: number): string =>
  apart >= DAY_S || clock(seconds) === '00:00' ? day(seconds) : clock(seconds)

/** Changes when the theme does: colours are drawn into the canvas. */
const useTheme = (): string => {
  const read = (): string => `${document.documentElement.dataset['theme'] ?? ''} ${colour('--ground')} ${textPx()}`
  const [theme, setTheme] = useState(read)
  useEffect(() => {
    const again = (): void => setTheme(read())
    const seen = new MutationObserver(again)
    seen.observe(document.documentElement, { attributes: true })
    const system = matchMedia('(prefers-color-scheme: dark)')
    system.addEventListener('change', again)
    return () => {
      seen.disconnect()
      system.removeEventListener('change', again)
    }
  }, [])
  return theme
}

interface Props {
  drawn: Drawn
  /** How long a point is, ms. */
  step: number
  label: string
  /** What a switch is called when it is on and off. */
  words: readonly [on: string, off: string]
  /** The sentence for one stop. */
  read: (stop: Stop) => string
  /** What is read off while nothing is pointed at. */
  children: ReactNode
}

/** Seen from the plot: what it draws, and the edges of the time. */
interface Sight {
  drawn: Drawn
  step: number
}

const dataOf = ({ drawn, step }: Sight): UPlot.AlignedData => {
  if (!drawn.isSwitch) return columnsOf(drawn, step)
  const high = (stop: Stop): number => (stop.max > 0 ? Math.max(stop.mean, LEAST_BAR) : stop.mean)
  return [drawn.stops.map(({ at }) => at / 1000), drawn.stops.map(high)]
}

/** Bars from the begin of a stop to its end. */
const barsOf =
  (sight: { current: Sight }): UPlot.Series.PathBuilder =>
  (plot, series, from, to) => {
    const fill = new Path2D()
    const floor = plot.valToPos(0, 'y', true)
    const { stops } = sight.current.drawn
    for (let n = from; n <= to; n += 1) {
      const stop = stops[n]
      const value = plot.data[series]?.[n] ?? 0
      if (!stop || value <= 0) continue
      const left = plot.valToPos(Math.max(stop.from, sight.current.drawn.from) / 1000, 'x', true)
      const right = plot.valToPos(stop.to / 1000, 'x', true)
      const top = plot.valToPos(value, 'y', true)
      fill.rect(left, top, Math.max(1, right - left), floor - top)
    }
    return { stroke: null, fill }
  }

const optionsOf = (
  sight: { current: Sight },
  isSwitch: boolean,
  words: Props['words'],
  width: number,
): UPlot.Options => {
  const [accent, ink, line] = ['--accent', '--ink-soft', '--line'].map(colour)
  const px = textPx()
  const axis = {
    stroke: ink ?? '',
    font: `${px}px ${colour('--font') || 'sans-serif'}`,
    grid: { stroke: line ?? '', width: 1 },
    ticks: { stroke: line ?? '', width: 1 },
  }
  const bound = { stroke: 'transparent', width: 0, points: { show: false } }
  const wordPx = Math.max(...words.map(({ length }) => length)) * px * 0.62 + px * 1.4
  return {
    width,
    height: Math.round(px * 15 + 20),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { show: !isSwitch, size: px * 0.7 } },
    scales: {
      x: { time: true, range: () => [sight.current.drawn.from / 1000, sight.current.drawn.until / 1000] },
      y: isSwitch ? { range: [0, 1.08] } : { range: (_, low, high) => roomAround(low, high) },
    },
    axes: [
      {
        ...axis,
        size: px * 2.4,
        space: px * 5.5,
        values: (_, splits, __, ___, apart) => splits.map((one) => tick(one, apart)),
      },
      isSwitch
        ? { ...axis, size: wordPx, splits: () => [0, 1], values: () => [words[1], words[0]] }
        : { ...axis, size: px * 4.4, space: px * 3 },
    ],
    series: isSwitch
      ? [{}, { stroke: accent ?? '', fill: accent ?? '', paths: barsOf(sight), points: { show: false } }]
      : [{}, bound, bound, { stroke: accent ?? '', width: 2, points: { show: false }, spanGaps: false }],
    ...(isSwitch ? {} : { bands: [{ series: [1, 2] as [number, number], fill: bandColour() }] }),
  }
}

/** A flat line stands in the middle, not on the edge. */
const roomAround = (low: number | null, high: number | null): [number, number] => {
  if (low === null || high === null) return [0, 1]
  const room = high > low ? (high - low) * 0.08 : Math.max(1, Math.abs(high) * 0.05)
  return [low - room, high + room]
}

export const Plot = ({ drawn, step, label, words, read, children }: Props) => {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const sight = useRef<Sight>({ drawn, step })
  const [pointed, setPointed] = useState<number | undefined>(undefined)
  const theme = useTheme()
  const { isSwitch, stops } = drawn
  const [on, off] = words

  useEffect(() => {
    const box = place.current
    if (!box) return undefined
    const width = (): number => Math.max(160, box.clientWidth)
    const made = new UPlot(optionsOf(sight, isSwitch, [on, off], width()), dataOf(sight.current), box)
    plot.current = made
    const resize = new ResizeObserver(() => made.setSize({ width: width(), height: made.height }))
    resize.observe(box)
    return () => {
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [isSwitch, on, off, theme])

  useEffect(() => {
    sight.current = { drawn, step }
    plot.current?.setData(dataOf(sight.current))
  }, [drawn, step])

  /** The stop a person reads stays under the hand while new ones come. */
  const stop = pointed === undefined ? undefined : stops[nearestStop(stops, pointed)]
  useEffect(() => {
    const made = plot.current
    if (!made) return
    if (!stop) made.setCursor({ left: -10, top: -10 }, false)
    else made.setCursor({ left: made.valToPos(stop.at / 1000, 'x'), top: made.over.clientHeight / 2 }, false)
  }, [stop, theme])

  const point = (event: PointerEvent): void => {
    const made = plot.current
    if (!made || stops.length === 0) return
    const left = event.clientX - made.over.getBoundingClientRect().left
    const at = made.posToVal(left, 'x') * 1000
    setPointed(stops[nearestStop(stops, at)]?.at)
  }
  const press = (event: KeyboardEvent): void => {
    const now = stop ? stops.indexOf(stop) : stops.length
    const page = Math.max(1, Math.round(stops.length / 10))
    const moves: Record<string, number> = {
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      PageDown: now - page,
      PageUp: now + page,
      Home: 0,
      End: stops.length - 1,
    }
    if (event.key === 'Escape') return setPointed(undefined)
    const to = moves[event.key]
    if (to === undefined || stops.length === 0) return
    event.preventDefault()
    setPointed(stops[Math.max(0, Math.min(stops.length - 1, to))]?.at)
  }

  const last = stops.at(-1)
  const shown = stop ?? last
  return (
    <>
      <div
        ref={place}
        className="plot plot-box"
        role="slider"
        tabIndex={0}
        aria-label={`${label} over time`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, stops.length - 1)}
        aria-valuenow={shown ? stops.indexOf(shown) : 0}
        aria-valuetext={shown ? read(shown) : 'nothing'}
        onPointerDown={point}
        onPointerMove={point}
        onPointerLeave={(event) => event.pointerType === 'mouse' && setPointed(undefined)}
        onKeyDown={press}
        onBlur={() => setPointed(undefined)}
      />
      <p className="small soft plot-readout">{stop ? read(stop) : children}</p>
    </>
  )
}
