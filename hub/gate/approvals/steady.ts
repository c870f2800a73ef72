// Notices that the wall clock jumped: then nobody knows what has expired.

const WINDOW_MS = 3_600_000
const MOST_MS = 60_000

/** `wall` and `steady` in ms. The returned function says by how many ms the wall clock departed from the steady one when that is more than a minute, else 0. */
export const openSteady = (wall: () => number, steady: () => number): (() => number) => {
  let base = { wall: wall(), steady: steady() }
  return () => {
    const now = { wall: wall(), steady: steady() }
    const by = now.wall - base.wall - (now.steady - base.steady)
    const jumped = Math.abs(by) > MOST_MS
    if (jumped || now.steady - base.steady > WINDOW_MS) base = now
    return jumped ? Math.round(by) : 0
  }
}
