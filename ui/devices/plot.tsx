// A chart of one value over time. uPlot comes with this file only, which is loaded when a chart is looked at.
import { useEffect, useRef } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Points } from './history.ts'

const HEIGHT = 200
const FONT = '12px system-ui, sans-serif'

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const clock = (seconds: number): string => {
  const date = new Date(seconds * 1000)
  return [date.getHours(), date.getMinutes()].map((one) => String(one).padStart(2, '0')).join(':')
}

interface Props {
  points: Points
  /** Edges of the shown time, in seconds. */
  from: number
  until: number
  unit: string
  /** A switch is drawn in steps: it is never half on. */
  isSwitch: boolean
}

export const Plot = ({ points, from, until, unit, isSwitch }: Props) => {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const range = useRef<[number, number]>([from, until])

  useEffect(() => {
    const box = place.current
    if (!box) return undefined
    const [accent, soft, ink, line] = ['--accent', '--accent-soft', '--ink-soft', '--line'].map(colour)
    const axis = {
      stroke: ink ?? '',
      font: FONT,
      grid: { stroke: line ?? '', width: 1 },
      ticks: { stroke: line ?? '', width: 1 },
    }
    const stepped = UPlot.paths.stepped?.({ align: 1 })
    const made = new UPlot(
      {
        width: Math.max(200, box.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: {
          x: { time: true, range: () => range.current },
          y: isSwitch ? { range: [-0.1, 1.1] } : {},
        },
        axes: [
          { ...axis, space: 64, values: (_, splits) => splits.map(clock) },
          isSwitch
            ? { ...axis, size: 48, splits: () => [0, 1], values: () => ['off', 'on'] }
            : { ...axis, size: 56, values: (_, splits) => splits.map((one) => `${one}${unit === '%' ? ' %' : ''}`) },
        ],
        series: [
          {},
          {
            stroke: accent ?? '',
            fill: isSwitch ? (soft ?? '') : '',
            width: 2,
            points: { show: false },
            ...(isSwitch && stepped ? { paths: stepped } : {}),
          },
        ],
      },
      [[], []],
      box,
    )
    plot.current = made
    const resize = new ResizeObserver(() => made.setSize({ width: Math.max(200, box.clientWidth), height: HEIGHT }))
    resize.observe(box)
    return () => {
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [unit, isSwitch])

  useEffect(() => {
    range.current = [from, until]
    plot.current?.setData([points.at, points.values])
  }, [points, from, until])

  return <div ref={place} className="plot" aria-hidden="true" />
}
