// Icons: strokes on a 24 grid, drawn for this app. Decoration only; words stand beside them.

const PATHS = {
  now: 'M4 13a8 8 0 1 1 16 0M12 13l4-4M7 19h10',
  requests: 'M9 3.5h6V7H9ZM8 5H5.5v15.5h13V5H16M9 14l2.2 2.2L15.2 12',
  messages: 'M4 6h16M4 12h10M4 18h13',
  flows: 'M6 5v4a3 3 0 0 0 3 3h6a3 3 0 0 1 3 3v4M6 3.5v3M18 18v2.5M4 5h4M16 19h4',
  approvals: 'M12 3.5 5 6v5.5c0 4.4 2.9 7.6 7 9 4.1-1.4 7-4.6 7-9V6ZM8.8 12l2.4 2.4 4.2-4.6',
  talk: 'M4 5h16v11h-9l-4.5 4v-4H4ZM8 9h8M8 12.5h5',
  audit: 'M6 3.5h8.5L18 7v13.5H6ZM9 10h6M9 13.5h6M9 17h3.5',
  devices: 'M4 4.5h7v7H4ZM13.5 4.5H20v7h-6.5ZM4 14h7v6H4ZM13.5 14H20v6h-6.5Z',
  send: 'M4 12 20 4.5 15.5 20l-4-6.2ZM11.5 13.8 20 4.5',
  network:
    'M12 4.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4ZM5.5 15.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4ZM18.5 15.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4ZM12 8.5v4M12 12.5l-5 3.4M12 12.5l5 3.4',
  health: 'M3 12h4l2.5-6 4 12 2.5-6h5',
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20a7.5 7.5 0 0 1 15 0',
  bell: 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15ZM10 20.5h4',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  chevron: 'M9 5l7 7-7 7',
  back: 'M15 5l-7 7 7 7',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 5l12 7-12 7Z',
  stop: 'M8.2 3h7.6L21 8.2v7.6L15.8 21H8.2L3 15.8V8.2Z',
  warning: 'M12 4 2.8 20h18.4ZM12 10v4.5M12 17.4v.1',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5.5M12 7.6v.1',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  undo: 'M8 5 4 9l4 4M4 9h10a5 5 0 0 1 0 10h-3',
  replay: 'M5 12a7 7 0 1 0 2.2-5.1M5 4v4h4M12 8.5V12l2.5 1.8',
  more: 'M5.5 12h.01M12 12h.01M18.5 12h.01',
  wall: 'M3 5h18v11H3ZM9 20h6M12 16v4',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20a7.5 7.5 0 0 1 15 0',
  device: 'M5 8h14v8H5ZM9 8V5M15 8V5M9 19v-3M15 19v-3',
  gate: 'M5 21V5M19 21V5M5 8h14M5 14h14M9 8v6M15 8v6',
  plugin: 'M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0ZM12 18v3',
  light: 'M9 18h6M10 21h4M12 3a6 6 0 0 0-3.6 10.8c.7.6 1.1 1.3 1.1 2.2h5c0-.9.4-1.6 1.1-2.2A6 6 0 0 0 12 3Z',
  door: 'M6 21V4.5L16 3v18M16 5h3v16M3 21h18M12.6 12v.1',
  dust: 'M4 8h9.5a2.5 2.5 0 1 0-2.4-3.2M4 12h14.5a2.5 2.5 0 1 1-2.4 3.2M4 16h6.5a2.2 2.2 0 1 1-2.1 2.9',
  fan: 'M12 12c0-4-1-8 2.5-8S18 9 12 12Zm0 0c3.5 2 7 3.7 5.2 6.7S12 18 12 12Zm0 0c-3.5 2-6.5 4.6-8.2 1.6S6 8 12 12Z',
  iron: 'M4 20l7-7M11 13l2.5 2.5M13.5 8.5 20 3l-5.5 6.5M10.5 11.5l3-3 2 2-3 3ZM6 14c-1.5-1.5 1.5-3 0-4.5',
  thermometer: 'M10 14.2V5.5a2 2 0 1 1 4 0v8.7a4 4 0 1 1-4 0ZM12 10v6',
  printer3d: 'M5 4h14v16H5ZM5 8h14M12 8v3M10.5 11h3L12 13.5ZM8.5 17h7M8.5 17l1-2h5l1 2',
  camera: 'M4 7h11v10H4ZM15 11l5-3v8l-5-3Z',
  robot: 'M6 9h12v9H6ZM12 9V5M12 4.9v.1M9.5 13v.1M14.5 13v.1M3.5 12v3M20.5 12v3',
  press: 'M5 20h14M6 4h12M8 4v16M16 4v16M12 4v6M10 10h4v3h-4ZM9.5 16.5h5',
  power: 'M12 4v8M7.5 7a7 7 0 1 0 9 0',
  lock: 'M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.8v1.7',
  air: 'M4 9h12v8H4ZM7 17v2.5M13 17v2.5M16 11h3a1.5 1.5 0 0 1 1.5 1.5V16M8 9V6h4v3M9.8 12.8v.1',
  water: 'M12 3.5s6 6.3 6 10.5a6 6 0 0 1-12 0c0-4.2 6-10.5 6-10.5Z',
  cnc: 'M4 20h16M7 20v-4h10v4M12 3v6M9.5 9h5v3L12 14.5 9.5 12Z',
  bolt: 'M13 3 5 13.5h6L10 21l8-10.5h-6Z',
  battery: 'M3 8h15v8H3ZM18 11h3v2h-3M6 11v2M9.5 11v2',
} as const

export type IconName = keyof typeof PATHS

const KINDS: readonly [RegExp, IconName][] = [
  [/light|lamp/, 'light'],
  [/lock/, 'lock'],
  [/door|gate|window|contact/, 'door'],
  [/dust|particle|air_?quality|pm25/, 'dust'],
  [/extract|fan|vent/, 'fan'],
  [/iron|solder/, 'iron'],
  [/weld/, 'bolt'],
  [/presence|occup|motion|person/, 'person'],
  [/printer/, 'printer3d'],
  [/camera/, 'camera'],
  [/robot|agv|arm/, 'robot'],
  [/cnc|mill|lathe|laser|saw|drill|router/, 'cnc'],
  [/compressor|air/, 'air'],
  [/press/, 'press'],
  [/therm|climate|temp|oven|heat/, 'thermometer'],
  [/water|leak|moist|humid/, 'water'],
  [/battery|ups/, 'battery'],
  [/plug|switch|outlet|relay|power|meter|energy/, 'power'],
]

/** The icon of a kind of device, by the words in it. */
export const kindIcon = (kind: string): IconName =>
  KINDS.find(([pattern]) => pattern.test(kind.toLowerCase()))?.[1] ?? 'device'

export const Icon = ({ name, size = 20 }: { name: IconName; size?: number }) => (
  <svg
    width={size}
    height={size}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    strokeWidth={1.75}
    strokeLinecap="round"
    strokeLinejoin="round"
    aria-hidden="true"
    focusable="false"
  >
    <path d={PATHS[name]} strokeWidth={name === 'more' ? 3 : undefined} />
  </svg>
)

/** The mark: a wheel over running water. */
export const Mark = ({ size = 28 }: { size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true" focusable="false">
    <g stroke="currentColor" strokeWidth={2.4} strokeLinecap="round">
      <circle cx="16" cy="12.5" r="8" />
      <path d="M16 4.5v16M9.07 8.5l13.86 8M9.07 16.5l13.86-8" strokeWidth={1.8} />
      <path d="M3 26c2.2-2 4.3-2 6.5 0s4.3 2 6.5 0 4.3-2 6.5 0 4.3 2 6.5 0" />
    </g>
  </svg>
)
