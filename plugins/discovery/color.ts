// Colours in the three ways lights speak of them: red-green-blue 0 to 255, hue 0 to 360 with saturation 0 to 100, and CIE 1931 x, y.

export type Rgb = readonly [number, number, number]

export const rgbOfHs = (hue: number, saturation: number): Rgb => {
  const s = saturation / 100
  const channel = (n: number): number => {
    const k = (n + hue / 60) % 6
    return Math.round(255 * (1 - s * Math.max(0, Math.min(k, 4 - k, 1))))
  }
  return [channel(5), channel(3), channel(1)]
}

export const hsOfRgb = ([r, g, b]: Rgb): readonly [number, number] => {
  const most = Math.max(r, g, b)
  const range = most - Math.min(r, g, b)
  if (range === 0) return [0, 0]
  const sixth = most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range
  return [Math.round((sixth * 60 + 360) % 360), Math.round((range / most) * 100)]
}

/** sRGB with its transfer curve to CIE 1931 (IEC 61966-2-1, D65). */
export const xyOfRgb = (rgb: Rgb): readonly [number, number] => {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const c = value / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  const x = 0.4124 * r + 0.3576 * g + 0.1805 * b
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b
  const z = 0.0193 * r + 0.1192 * g + 0.9505 * b
  const sum = x + y + z
  const place = (n: number): number => Math.round((n / sum) * 10_000) / 10_000
  return sum === 0 ? [0.3127, 0.329] : [place(x), place(y)]
}
