// Where the nodes of the graph stand.
import { expect, test } from 'vitest'
import { fitting, GAP, layersOf, layout, settle, type Box, type Link } from './layout.ts'

const box = (id: string, height = 40): Box => ({ id, width: 100, height })
const link = (text: string): Link => {
  const [from = '', to = ''] = text.split('>')
  return { from, to }
}
const layers = (ids: string, links: readonly string[]): Record<string, number> =>
  Object.fromEntries(
    layersOf(
      [...ids].map((id) => box(id)),
      links.map(link),
    ),
  )

test('each box stands right of the furthest that leads to it', () => {
  expect(layers('abcd', ['a>b', 'b>c', 'a>c', 'c>d'])).toEqual({ a: 0, b: 1, c: 2, d: 3 })
})

test('what nothing leads to stands beside what it leads to', () => {
  expect(layers('abcx', ['a>b', 'b>c', 'x>c'])).toMatchObject({ x: 1 })
})

test('a box that hangs alone stands no further left than it may', () => {
  const boxes = [box('a'), { ...box('b'), least: 1 }, { ...box('alone'), least: 1 }]
  expect(Object.fromEntries(layersOf(boxes, [link('a>b')]))).toEqual({ a: 0, b: 1, alone: 1 })
})

test('a circle is cut once and everything still has a place', () => {
  expect(layers('abc', ['a>b', 'b>c', 'c>a'])).toEqual({ a: 0, b: 1, c: 2 })
  expect(layers('a', ['a>a'])).toEqual({ a: 0 })
})

test('stacked boxes stand where they want to, or share the difference where they cannot', () => {
  expect(settle([0, 100], [40, 40], 10)).toEqual([0, 100])
  expect(settle([50, 50], [40, 40], 10)).toEqual([25, 75])
  expect(settle([0, 0, 500], [40, 40, 40], 10)).toEqual([-25, 25, 500])
})

test('no two boxes overlap, whatever hangs together', () => {
  const boxes = Array.from({ length: 120 }, (_, n) => box(`n${n}`, 40 + (n % 3) * 20))
  const links = boxes.flatMap((_, n) =>
    n % 3 === 0
      ? []
      : [
          { from: `n${(n * 7) % 120}`, to: `n${n}` },
          { from: `n${(n * 13) % 120}`, to: `n${n}` },
        ],
  )
  const { places } = layout(boxes, links)
  const byColumn = Map.groupBy(boxes, ({ id }) => places.get(id)?.x ?? -1)
  expect(byColumn.size).toBeGreaterThan(2)
  for (const column of byColumn.values()) {
    const rows = column.map(({ id, height }) => ({ top: places.get(id)?.y ?? 0, height })).sort((a, b) => a.top - b.top)
    for (const [n, { top }] of rows.entries()) {
      const above = rows[n - 1]
      if (above) expect(top - above.top).toBeGreaterThanOrEqual(above.height + GAP.y - 1)
      expect(top).toBeGreaterThanOrEqual(0)
    }
  }
})

test('the same graph gives the same picture, and a straight chain is a straight line', () => {
  const boxes = ['a', 'b', 'c'].map((id) => box(id))
  const links = ['a>b', 'b>c'].map(link)
  expect(layout(boxes, links)).toEqual(layout(boxes, links))
  expect([...layout(boxes, links).places.values()].map(({ y }) => y)).toEqual([0, 0, 0])
})

test('links do not cross where they need not', () => {
  const boxes = ['a', 'b', 'x', 'y'].map((id) => box(id))
  const { places } = layout(boxes, ['a>y', 'b>x'].map(link))
  const y = (id: string): number => places.get(id)?.y ?? -1
  expect(Math.sign(y('a') - y('b'))).toBe(Math.sign(y('y') - y('x')))
})

test('a link that passes a column goes between its boxes', () => {
  const boxes = ['a', 'b', 'c', 'm', 'n'].map((id) => box(id))
  const { places, ways } = layout(boxes, ['a>m', 'm>c', 'a>n', 'n>c', 'a>b', 'b>c', 'a>c'].map(link))
  const [way] = ways.get('a → c') ?? []
  if (!way) throw new Error('no way')
  expect(way.left).toBe(places.get('m')?.x)
  for (const id of ['m', 'n', 'b']) {
    const top = places.get(id)?.y ?? 0
    expect(way.y < top || way.y > top + 40, id).toBe(true)
  }
  expect(places.size).toBe(5)
})

test('a picture that would get too small to read is shown from where it begins instead of whole', () => {
  const limits = { least: 0.6, most: 1, margin: 20 }
  expect(fitting({ width: 400, height: 200, top: 50 }, { width: 840, height: 640 }, limits)).toEqual({
    x: 220,
    y: 220,
    zoom: 1,
  })
  expect(fitting({ width: 1000, height: 9000, top: 100 }, { width: 840, height: 640 }, limits)).toEqual({
    x: 120,
    y: -40,
    zoom: 0.6,
  })
})
